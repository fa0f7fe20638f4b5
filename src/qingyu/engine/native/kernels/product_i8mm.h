/* INT8 products by the matrix products of ARMv8.6: two rows by two outputs, of eight inputs. Included
 * after product.h. Sums are exact, so they are the dot product's to the last bit. */

enum { PAIRS = 3 }; /* of rows to a tile: 24 of 32 registers are sums */

/* Eight bytes of each of two rows. */
static inline int8x16_t i_two_rows(const int8_t *x, int64_t other) {
    return vcombine_s8(vld1_s8(x), vld1_s8(x + other));
}

/* Two rows by two outputs each, sums[PANEL][2], as 4 outputs of row 0 and of row 1. */
static inline vi i_of_row(const int32x4_t *two, int second) {
    int64x2_t a = vreinterpretq_s64_s32(two[0]), b = vreinterpretq_s64_s32(two[1]);
    return vreinterpretq_s32_s64(second ? vzip2q_s64(a, b) : vzip1q_s64(a, b));
}

/* `pairs` pairs of rows from `row` on, before `last`, times 16 outputs from n on; where rows are odd,
 * the last is its own second. */
static inline __attribute__((always_inline)) void tile_pairs(int pairs, const qy_product *product,
                                                             const bytes *x, int row, int last,
                                                             int n, const target *out) {
    int groups = (product->inputs + GROUP - 1) / GROUP;
    const int8_t *w = (const int8_t *)product->weight + (int64_t)n / COLUMNS * groups * 64;
    const int8_t *a = x->values + (int64_t)row * x->stride;
    int64_t other[PAIRS]; /* from the first row of a pair to the second */
    int32x4_t sum[PAIRS][PANEL][2];
    for (int i = 0; i < pairs; i++) {
        other[i] = row + 2 * i + 1 < last ? x->stride : 0;
        for (int p = 0; p < PANEL; p++) sum[i][p][0] = sum[i][p][1] = vdupq_n_s32(0);
    }
    for (int j = 0; j < groups; j += 2, w += 2 * 64, a += 2 * GROUP) {
        int8x16_t rows[PAIRS];
        for (int i = 0; i < pairs; i++) rows[i] = i_two_rows(a + 2 * i * x->stride, other[i]);
        for (int p = 0; p < PANEL; p++) {
            vi w0 = i_load(w + p * 16), w1 = j + 1 < groups ? i_load(w + 64 + p * 16) : i_zero();
            int8x16_t low = vreinterpretq_s8_s32(vzip1q_s32(w0, w1));
            int8x16_t high = vreinterpretq_s8_s32(vzip2q_s32(w0, w1));
            for (int i = 0; i < pairs; i++) {
                sum[i][p][0] = vmmlaq_s32(sum[i][p][0], rows[i], low);
                sum[i][p][1] = vmmlaq_s32(sum[i][p][1], rows[i], high);
            }
        }
        __builtin_prefetch(w + 16 * 64);
    }
    int zero = product->input_kind == QY_FLOOR ? UNSIGNED_ZERO : SIGNED_ZERO;
    place at = place_of(out, n);
    for (int i = 0; i < 2 * pairs && row + i < last; i++) {
        vi whole[PANEL];
        for (int p = 0; p < PANEL; p++) {
            int first = n + p * VL;
            vi start = i_times(product->weight_sum + first, product->outputs - first, -zero);
            whole[p] = vaddq_s32(start, i_of_row(sum[i / 2][p], i % 2));
        }
        put_sums(1, product, x, row + i, n, whole, &at);
    }
}

/* As multiply() of product.h. */
static void multiply_pairs(const qy_product *product, const float *x, int64_t stride,
                           const bytes *packed, int first, int last, int from, int to,
                           const target *out) {
    if (product->weight_kind != QY_INT8 || last - first < 2) {
        multiply(product, x, stride, packed, first, last, from, to, out);
        return;
    }
    int all = (last - first + 1) / 2, tiles = (all + PAIRS - 1) / PAIRS;
    for (int panel = from; panel < to; panel++)
        for (int tile = 0; tile < tiles; tile++) {
            int pair = all * tile / tiles, count = all * (tile + 1) / tiles - pair;
#define TILE(c) tile_pairs(c, product, packed, first + 2 * pair, last, panel * COLUMNS, out);
            FOR_COUNT(count, PAIRS, TILE)
#undef TILE
        }
}
