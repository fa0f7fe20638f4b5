/* Attention of one head within one sequence in tiles of AMX. Included after tiles.h.
 *
 * A number is taken as two of BF16, the nearest and the rest, and a product as the three products of
 * those that are not both rests: 16 bits of each number count, where BF16 alone has 8, which large
 * scores need. Sums and softmax are FP32. */

enum { PAIR = 2, STEP_KEYS = 32 }; /* tiles of queries at once; keys, or numbers, of a step */

/* 16 floats as BF16 and what they lack. */
typedef struct {
    __m256i most, rest;
} halves;

static inline halves halved(vf x) {
    __m256i most = (__m256i)_mm512_cvtneps_pbh(x);
    vf near = (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(most), 16);
    return (halves){most, (__m256i)_mm512_cvtneps_pbh(v_sub(x, near))};
}

static inline void store_halves(uint16_t *to, int64_t part, vf x) {
    halves h = halved(x);
    _mm256_storeu_si256((__m256i *)to, h.most);
    _mm256_storeu_si256((__m256i *)(to + part), h.rest);
}

/* x[n ...] where n is before `end`, else zeros. */
static inline vf load_before(const float *x, int n, int end) {
    return n < end ? v_load(x + n) : v_set(0.0f);
}

/* Keys [length][padded] as [2 parts][keys / 16][depth / 32][16 pairs][16 keys][2];
 * room: [2][16][depth]. */
static void tiles_of_keys(const float *k, int padded, int keys, int depth, uint16_t *room, float *to) {
    int64_t part = (int64_t)keys * depth / 2;
    for (int j = 0; j < keys; j += 16) {
        for (int r = 0; r < 16; r++)
            for (int d = 0; d < depth; d += 16)
                store_halves(room + r * depth + d, 16 * depth,
                             load_before(k + (int64_t)(j + r) * padded, d, padded));
        for (int d = 0; d < depth; d += 32, to += 256)
            for (int p = 0; p < 2; p++)
                v_transpose((const float *)(room + p * 16 * depth + d), depth / 2, to + p * part, 16);
    }
}

/* Values [length][padded] as [2 parts][keys / 2][padded][2], zeros past the length. */
static void pairs_of_values(const float *v, int length, int padded, int keys, float *to) {
    int64_t part = (int64_t)keys * padded / 2;
    for (int j = 0; j < keys; j += 2)
        for (int d = 0; d < padded; d += 16, to += 16) {
            const float *at = v + (int64_t)j * padded;
            halves even = halved(load_before(at, d, j < length ? padded : 0));
            halves odd = halved(load_before(at + padded, d, j + 1 < length ? padded : 0));
#define PAIRED(a, b) \
    _mm512_or_si512(_mm512_cvtepu16_epi32(a), _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16))
            _mm512_storeu_si512(to, PAIRED(even.most, odd.most));
            _mm512_storeu_si512(to + part, PAIRED(even.rest, odd.rest));
#undef PAIRED
        }
}

/* e^(scale (score - largest)) in two parts, zeros past the length; returns one over their sum. */
static float weigh_halves(const float *scores, int length, int keys, float scale, uint16_t *to,
                          int64_t part) {
    vf most = v_set(scores[0]), sum = v_set(0.0f), by = v_set(scale);
    for (int j = 0; j < length; j += VL)
        most = _mm512_mask_max_ps(most, v_mask(length - j), most, v_load(scores + j));
    most = v_set(v_largest(most));
    for (int j = 0; j < keys; j += VL) {
        vf e = v_keep(v_exp(v_mul(v_sub(v_load(scores + j), most), by)), length - j);
        store_halves(to + j, part, e);
        sum = v_add(sum, e);
    }
    return 1.0f / v_sum(sum);
}

/* A matrix in two parts that lie `part` numbers apart. */
typedef struct {
    const void *at;
    int64_t part, stride, step; /* in bytes; from row to row, and from step to step */
} split;

/* to[2][16][to_stride]: two tiles of rows x, 16 rows apart, times two columns of tiles, b0 and b1. */
static inline __attribute__((always_inline)) void tile_product(int steps, split x, split b,
                                                               int64_t b1, float *to,
                                                               int64_t to_stride) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int pair = 0; pair < 3; pair++) { /* rests of neither, of b, of x */
        const char *x0 = (const char *)x.at + (pair == 2 ? x.part : 0);
        const char *b0 = (const char *)b.at + (pair == 1 ? b.part : 0);
        for (int s = 0; s < steps; s++, x0 += x.step, b0 += b.step) {
            _tile_loadd(4, x0, x.stride);
            _tile_loadd(6, b0, b.stride);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, b0 + b1, b.stride);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, x0 + TILE_ROWS * x.stride, x.stride);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, to, to_stride * 4);
    _tile_stored(1, to + 16, to_stride * 4);
    _tile_stored(2, to + TILE_ROWS * to_stride, to_stride * 4);
    _tile_stored(3, to + TILE_ROWS * to_stride + 16, to_stride * 4);
}

/* As attend() of attention.h. */
static void attend_tiles(const float *q, const float *k, const float *v, int queries, int length,
                         int width, int padded, float *room, float *y, int64_t stride) {
    enum { AT_ONCE = PAIR * TILE_ROWS };
    int keys = (length + 31) / 32 * 32, depth = (padded + 31) / 32 * 32;
    tile_deal tiles = deal(queries);
    float *kt = room, *pairs = kt + (int64_t)keys * depth;
    float *scores = pairs + (int64_t)keys * depth, *mixed = scores + AT_ONCE * keys;
    uint16_t *weights = (uint16_t *)(mixed + AT_ONCE * depth), *asked = weights + 2 * AT_ONCE * keys;
    int64_t asked_part = (int64_t)AT_ONCE * depth, weights_part = (int64_t)AT_ONCE * keys;
    split asked_of = {asked, asked_part * 2, depth * 2, 64};
    split weights_of = {weights, weights_part * 2, keys * 2, 64};
    float scale = 1.0f / sqrtf((float)width), factor[AT_ONCE];
    tiles_of_keys(k, padded, keys, depth, asked, kt);
    pairs_of_values(v, length, padded, keys, pairs);
    use_tiles(tiles.rows);
    for (int tile = 0; tile < tiles.count; tile += PAIR) {
        int count = tiles.count - tile < PAIR ? tiles.count - tile : PAIR;
        for (int t = 0; t < count; t++)
            for (int r = 0; r < tiles.rows; r++)
                for (int d = 0; d < depth; d += 16) {
                    const float *from = q + (int64_t)(dealt(tiles, tile + t) + r) * padded;
                    store_halves(asked + (t * TILE_ROWS + r) * depth + d, asked_part,
                                 load_before(from, d, padded));
                }
        WRITTEN();
        for (int j = 0; j < keys; j += STEP_KEYS) {
            split b = {kt + (int64_t)j * depth / 2, (int64_t)keys * depth * 2, 64, TILE_BYTES};
            tile_product(depth / 32, asked_of, b, (int64_t)depth * 32, scores + j, keys);
        }
        for (int t = 0; t < count; t++)
            for (int r = t * TILE_ROWS; r < t * TILE_ROWS + tiles.rows; r++)
                factor[r] = weigh_halves(scores + (int64_t)r * keys, length, keys, scale,
                                         weights + (int64_t)r * keys, weights_part);
        WRITTEN();
        for (int d = 0; d < padded; d += 32) {
            split b = {pairs + d, (int64_t)keys * padded * 2, padded * 4, (int64_t)padded * 64};
            tile_product(keys / STEP_KEYS, weights_of, b, d + 16 < padded ? 64 : 0, mixed + d, depth);
        }
        for (int t = 0; t < count; t++)
            for (int r = 0; r < tiles.rows; r++)
                for (int d = 0; d < width; d += 16)
                    v_store_n(y + (dealt(tiles, tile + t) + r) * stride + d,
                              v_mul(v_load(mixed + (t * TILE_ROWS + r) * depth + d),
                                    v_set(factor[t * TILE_ROWS + r])),
                              width - d);
    }
    _tile_release();
}
