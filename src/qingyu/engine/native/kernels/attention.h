/* Attention of one head within one sequence. Included once an instruction set. */

enum {
    QUERIES = ATTENTION_QUERIES,      /* that are answered at once */
    STEP = 2 * VL > 16 ? 2 * VL : 16, /* rows of scores are a multiple of it wide */
};

/* scores[count][spacing] = q [count][padded] times kt [padded][spacing], two vectors at once. */
static inline __attribute__((always_inline)) void tile_scores(int count, const float *q, int padded,
                                                              const float *kt, int spacing,
                                                              float scale, float *scores) {
    for (int j = 0; j < spacing; j += 2 * VL) {
        vf sum[MOST][2];
        for (int r = 0; r < count; r++) sum[r][0] = sum[r][1] = v_set(0.0f);
        for (int d = 0; d < padded; d++) {
            vf k0 = v_load(kt + (int64_t)d * spacing + j);
            vf k1 = v_load(kt + (int64_t)d * spacing + j + VL);
            for (int r = 0; r < count; r++) {
                vf a = v_set(q[r * padded + d]);
                sum[r][0] = v_fma(a, k0, sum[r][0]);
                sum[r][1] = v_fma(a, k1, sum[r][1]);
            }
        }
        for (int r = 0; r < count; r++)
            for (int i = 0; i < 2; i++)
                v_store(scores + r * spacing + j + i * VL, v_mul(sum[r][i], v_set(scale)));
    }
}

/* y[count][stride] = scores [count][spacing] times v [length][padded], times a factor a row. */
static inline __attribute__((always_inline)) void tile_values(int count, const float *scores,
                                                              int spacing, const float *v,
                                                              int length, int padded, int width,
                                                              const float *factor, float *y,
                                                              int64_t stride) {
    for (int d = 0; d < width; d += 2 * VL) {
        vf sum[MOST][2];
        for (int r = 0; r < count; r++) sum[r][0] = sum[r][1] = v_set(0.0f);
        for (int j = 0; j < length; j++) {
            vf v0 = v_load(v + (int64_t)j * padded + d);
            vf v1 = v_load(v + (int64_t)j * padded + d + VL);
            for (int r = 0; r < count; r++) {
                vf a = v_set(scores[r * spacing + j]);
                sum[r][0] = v_fma(a, v0, sum[r][0]);
                sum[r][1] = v_fma(a, v1, sum[r][1]);
            }
        }
        for (int r = 0; r < count; r++)
            for (int i = 0; i < 2 && d + i * VL < width; i++)
                v_store_n(y + r * stride + d + i * VL, v_mul(sum[r][i], v_set(factor[r])),
                          width - d - i * VL);
    }
}

/* e^(score - largest) in place; returns one over their sum. */
static float weigh(float *scores, int length) {
    vf most = v_set(scores[0]);
    int whole = length / VL * VL;
    for (int j = 0; j < whole; j += VL) most = v_max(most, v_load(scores + j));
    float largest = v_largest(most);
    for (int j = whole; j < length; j++) largest = scores[j] > largest ? scores[j] : largest;
    vf sum = v_set(0.0f);
    for (int j = 0; j < length; j += VL) {
        vf e = v_exp(v_sub(v_load(scores + j), v_set(largest)));
        if (length - j < VL) e = v_keep(e, length - j);
        v_store(scores + j, e);
        sum = v_add(sum, e);
    }
    return 1.0f / v_sum(sum);
}

/* y[queries][stride] = softmax(q k^T / sqrt(width)) v
 * q: [queries][padded]; k, v: [length][padded], readable up to a multiple of STEP rows
 * room: attention_room() floats; padded: width, rounded up to 16, with zeros */
static void attend(const float *q, const float *k, const float *v, int queries, int length,
                   int width, int padded, float *room, float *y, int64_t stride) {
    int spacing = (length + STEP - 1) / STEP * STEP;
    float *kt = room, *scores = room + (int64_t)padded * spacing, factor[MOST];
    float scale = 1.0f / sqrtf((float)width);
    for (int j = 0; j < spacing; j += VL)
        for (int d = 0; d < padded; d += VL)
            v_transpose(k + (int64_t)j * padded + d, padded, kt + (int64_t)d * spacing + j, spacing);
    for (int row = 0; row < queries; row += QUERIES) {
        int count = queries - row < QUERIES ? queries - row : QUERIES;
#define SCORES(c) tile_scores(c, q + (int64_t)row * padded, padded, kt, spacing, scale, scores);
#define VALUES(c) \
    tile_values(c, scores, spacing, v, length, padded, width, factor, y + row * stride, stride);
        FOR_COUNT(count, QUERIES, SCORES)
        for (int r = 0; r < count; r++) factor[r] = weigh(scores + r * spacing, length);
        FOR_COUNT(count, QUERIES, VALUES)
#undef SCORES
#undef VALUES
    }
}
