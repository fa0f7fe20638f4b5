/* Attention of one head within one sequence by products of 16-bit numbers (VNNI): half the work of
 * FP32. Included after attention.h.
 *
 * Queries and keys have a step a row, so fine that a row in steps is no longer than LONGEST: no sum of
 * products is then above LONGEST squared (Cauchy-Schwarz), which fits 32 bits. Values have a step a column and 16 bits. So have weights, which add up to one: those of
 * values then add up to no more than a value. Softmax is FP32. */

enum { WORD_ROWS = 12, WORD_KEYS = 2 * VL, WORD_LIMIT = 32767 };

#define LONGEST 46320.0f /* sqrt(2^31) less what rounding may add: half a step for each of 1,600 numbers */

static inline void store_words(int16_t *to, vf x) {
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x)));
}

/* x[width] in steps, zeros up to `depth`; returns the step. */
static float words_of_row(const float *x, int width, int depth, int16_t *to) {
    vf most = v_set(1e-15f), squares = v_set(0.0f);
    for (int d = 0; d < width; d += VL) {
        most = v_max(most, v_abs(v_load(x + d)));
        squares = v_fma(v_load(x + d), v_load(x + d), squares);
    }
    float step = v_largest(most) / WORD_LIMIT, long_step = sqrtf(v_sum(squares)) / LONGEST;
    if (long_step > step) step = long_step;
    for (int d = 0; d < depth; d += VL)
        store_words(to + d, d < width ? v_mul(v_load(x + d), v_set(1.0f / step)) : v_set(0.0f));
    return step;
}

/* Keys [.][padded] as [keys / 32][depth / 2][32 keys][2], and the step of each; room: [16][depth]. */
static void words_of_keys(const float *k, int padded, int keys, int depth, int16_t *room, float *to,
                          float *steps) {
    for (int j = 0; j < keys; j += VL) {
        for (int r = 0; r < VL; r++)
            steps[j + r] = words_of_row(k + (int64_t)(j + r) * padded, padded, depth, room + r * depth);
        float *block = to + (int64_t)j / WORD_KEYS * WORD_KEYS * depth / 2 + j % WORD_KEYS;
        for (int d = 0; d < depth / 2; d += VL)
            v_transpose((const float *)room + d, depth / 2, block + d * WORD_KEYS, WORD_KEYS);
    }
}

/* Values [length][padded] as [length / 2][padded][2], and the step of each column. */
static void words_of_values(const float *v, int length, int padded, float *to, float *steps) {
    for (int d = 0; d < padded; d += VL) {
        vf most = v_set(1e-30f);
        for (int j = 0; j < length; j++) most = v_max(most, v_abs(v_load(v + (int64_t)j * padded + d)));
        vf by = v_div(v_set(WORD_LIMIT), most);
        v_store(steps + d, v_mul(most, v_set(1.0f / ((float)WORD_LIMIT * (float)WORD_LIMIT))));
        for (int j = 0; j < length; j += 2) {
            const float *at = v + (int64_t)j * padded + d;
            vi even = _mm512_cvtps_epi32(v_mul(v_load(at), by)), odd = i_zero();
            if (j + 1 < length) odd = _mm512_cvtps_epi32(v_mul(v_load(at + padded), by));
            odd = _mm512_slli_epi32(odd, 16);
            _mm512_storeu_si512(to + (int64_t)j / 2 * padded + d,
                                _mm512_mask_blend_epi16(0xaaaaaaaa, even, odd));
        }
    }
}

static inline vi i_dot_words(vi sum, vi a, vi b) {
    __asm__("vpdpwssd %[b], %[a], %[sum]" : [sum] "+v"(sum) : [a] "v"(a), [b] "v"(b));
    return sum;
}

/* sums[count][2] of rows of words, `stride` apart, by `pairs` pairs of two vectors, `next` floats from
 * one pair's to the next's. */
static inline __attribute__((always_inline)) void sum_words(int count, const int16_t *x, int stride,
                                                            const float *y, int64_t next, int pairs,
                                                            vi sum[][2]) {
    for (int r = 0; r < count; r++) sum[r][0] = sum[r][1] = i_zero();
    for (int p = 0; p < pairs; p++, x += 2, y += next) {
        vi y0 = _mm512_loadu_si512(y), y1 = _mm512_loadu_si512(y + VL);
        for (int r = 0; r < count; r++) {
            vi two = i_spread(x + r * stride);
            sum[r][0] = i_dot_words(sum[r][0], y0, two);
            sum[r][1] = i_dot_words(sum[r][1], y1, two);
        }
    }
}

/* scores[count][keys], but for the step of a row's queries. */
static inline __attribute__((always_inline)) void score_words(int count, const int16_t *q, int depth,
                                                              const float *kt, const float *steps,
                                                              int keys, float *scores) {
    for (int j = 0; j < keys; j += WORD_KEYS, kt += WORD_KEYS * depth / 2) {
        vi sum[MOST][2];
        sum_words(count, q, depth, kt, WORD_KEYS, depth / 2, sum);
        for (int r = 0; r < count; r++)
            for (int i = 0; i < 2; i++)
                v_store(scores + r * keys + j + i * VL,
                        v_mul(i_float(sum[r][i]), v_load(steps + j + i * VL)));
    }
}

/* y[count][stride] = weights [count][keys] times values. */
static inline __attribute__((always_inline)) void mix_words(int count, const int16_t *weights,
                                                            int keys, const float *v, int length,
                                                            const float *steps, int width,
                                                            int padded, float *y, int64_t stride) {
    for (int d = 0; d < width; d += 2 * VL) {
        vi sum[MOST][2];
        sum_words(count, weights, keys, v + d, padded, (length + 1) / 2, sum);
        for (int r = 0; r < count; r++)
            for (int i = 0; i < 2 && d + i * VL < width; i++)
                v_store_n(y + r * stride + d + i * VL,
                          v_mul(i_float(sum[r][i]), v_load(steps + d + i * VL)),
                          width - d - i * VL);
    }
}

/* softmax(by * score) in steps of 1 / WORD_LIMIT; scores are used up. */
static void weigh_words(float *scores, int length, float by, int16_t *to) {
    vf most = v_set(scores[0]), sum = v_set(0.0f);
    for (int j = 0; j < length; j += VL)
        most = _mm512_mask_max_ps(most, v_mask(length - j), most, v_load(scores + j));
    most = v_set(v_largest(most));
    for (int j = 0; j < length; j += VL) {
        vf e = v_exp(v_mul(v_sub(v_load(scores + j), most), v_set(by)));
        if (length - j < VL) e = v_keep(e, length - j);
        v_store(scores + j, e);
        sum = v_add(sum, e);
    }
    vf share = v_set(WORD_LIMIT / v_sum(sum));
    for (int j = 0; j < length; j += VL) store_words(to + j, v_mul(v_load(scores + j), share));
}

/* As attend() of attention.h. */
static void attend_words(const float *q, const float *k, const float *v, int queries, int length,
                         int width, int padded, float *room, float *y, int64_t stride) {
    int keys = (length + WORD_KEYS - 1) / WORD_KEYS * WORD_KEYS, depth = (padded + 31) / 32 * 32;
    float *kt = room, *pairs = kt + (int64_t)keys * depth / 2;
    float *key_steps = pairs + (int64_t)keys * depth / 2, *steps = key_steps + keys;
    float *scores = steps + depth;
    int16_t *weights = (int16_t *)(scores + WORD_ROWS * keys), *asked = weights + WORD_ROWS * keys;
    float by[WORD_ROWS], scale = 1.0f / sqrtf((float)width);
    words_of_keys(k, padded, keys, depth, asked, kt, key_steps);
    words_of_values(v, length, padded, pairs, steps);
    int tiles = (queries + WORD_ROWS - 1) / WORD_ROWS;
    for (int tile = 0; tile < tiles; tile++) {
        int row = queries * tile / tiles, count = queries * (tile + 1) / tiles - row;
        for (int r = 0; r < count; r++)
            by[r] = scale * words_of_row(q + (int64_t)(row + r) * padded, padded, depth,
                                         asked + r * depth);
#define SCORES(c) score_words(c, asked, depth, kt, key_steps, keys, scores);
#define VALUES(c) \
    mix_words(c, weights, keys, pairs, length, steps, width, padded, y + row * stride, stride);
        FOR_COUNT(count, WORD_ROWS, SCORES)
        for (int r = 0; r < count; r++)
            weigh_words(scores + r * keys, length, by[r], weights + r * keys);
        FOR_COUNT(count, WORD_ROWS, VALUES)
#undef SCORES
#undef VALUES
    }
}
