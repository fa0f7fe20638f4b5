/* INT4: weights of 4 bits, in blocks of 64 inputs with a step and a zero point each, by rows of bytes
 * that have a step a block, too. Included once an instruction set, after put.h.
 *
 * 64 bytes are 16 outputs of 8 inputs. Their lower halves are inputs 0, 2, 4, 6, their upper ones 1, 3,
 * 5, 7; so each half is what a vector of INT8 weights is, and a row's bytes lie so, too. Weights are
 * 0 to 15: what their zero point takes off is the same for all of a row's block, and known before. */

enum { STEPS = BLOCK / (2 * GROUP), IN_PARTS = (int)NIBBLE_STEPS < STEPS }; /* of 64 bytes, to a block */

/* `count` rows from `row` on, times 16 outputs from n on. */
static inline __attribute__((always_inline)) void tile_nibbles(int count, const qy_product *product,
                                                               const bytes *x, int row, int n,
                                                               const int8_t *soon,
                                                               const target *out) {
    int blocks = (product->inputs + BLOCK - 1) / BLOCK, panel = n / COLUMNS;
    const int8_t *w = (const int8_t *)product->weight + (int64_t)panel * blocks * STEPS * 64;
    const uint16_t *scales = product->block_scale + (int64_t)panel * blocks * COLUMNS;
    const uint8_t *zeros = product->block_zero + (int64_t)panel * ((blocks + 1) / 2) * COLUMNS;
    const int8_t *a[MOST / 3 + 1]; /* of every third row: so few that all stay in registers */
    int64_t next = x->stride, after = 2 * next, spacing = x->stride / BLOCK;
    int at_once = NIBBLE_STEPS; /* a number that compilers do not unroll by */
    const float *block_scale = x->block_scale + row * spacing;
    const int32_t *block_sum = x->block_sum + row * spacing;
    KEEP(next);
    KEEP(after);
    KEEP(at_once);
    vf y[MOST][PANEL];
    for (int r = 0; r < count; r += 3) a[r / 3] = x->values + (int64_t)(row + r) * x->stride;
    for (int p = 0; p < PANEL; p++) {
        int at = n + p * VL;
        vf bias = v_load_some(product->bias, at, product->outputs - at);
        for (int r = 0; r < count; r++) y[r][p] = bias;
    }
#define ROW(r) (a[(r) / 3] + ((r) % 3 == 0 ? 0 : (r) % 3 == 1 ? next : after))
    for (int b = 0; b < blocks; b++) {
        vi whole[MOST][PANEL], sum[MOST][PANEL];
        for (int p = 0; p < PANEL; p++) {
            vi zero = i_zeros(zeros + b / 2 * COLUMNS + p * VL, b % 2);
            for (int r = 0; r < count; r++)
                whole[r][p] = i_small_product(zero, -block_sum[r * spacing + b]);
        }
        for (int part = 0; part < STEPS; part += NIBBLE_STEPS) {
            for (int r = 0; r < count; r++)
                for (int p = 0; p < PANEL; p++)
                    sum[r][p] = IN_PARTS ? i_zero() : whole[r][p];
            for (int s = 0; s < at_once; s++) {
                vi low[PANEL], high[PANEL];
                for (int p = 0; p < PANEL; p++) {
                    vi both = i_load(w + p * (64 / PANEL));
                    low[p] = i_low(both);
                    high[p] = i_high(both);
                }
                for (int r = 0; r < count; r++) {
                    vi even = i_spread(ROW(r));
                    for (int p = 0; p < PANEL; p++)
                        sum[r][p] = i_dot_nibbles(sum[r][p], low[p], even);
                    vi odd = i_spread(ROW(r) + GROUP);
                    for (int p = 0; p < PANEL; p++)
                        sum[r][p] = i_dot_nibbles(sum[r][p], high[p], odd);
                }
                __builtin_prefetch(w + 16 * 64);
                __builtin_prefetch(soon, 0, 2);
                w += 64, soon += 64;
                for (int r = 0; r < count; r += 3) a[r / 3] += 2 * GROUP;
            }
            for (int r = 0; r < count; r++)
                for (int p = 0; p < PANEL; p++)
                    whole[r][p] =
                        IN_PARTS ? i_add_widened(whole[r][p], sum[r][p]) : sum[r][p];
        }
        for (int p = 0; p < PANEL; p++) {
            vf scale = v_load_upper(scales + b * COLUMNS + p * VL);
            for (int r = 0; r < count; r++) {
                vf steps = v_mul(scale, v_set(block_scale[r * spacing + b]));
                y[r][p] = v_fma(i_float(whole[r][p]), steps, y[r][p]);
            }
        }
    }
#undef ROW
    place at = place_of(out, n);
    for (int r = 0; r < count; r++) put(&at, row + r, y[r]);
}

/* As multiply() of product.h. */
static __attribute__((noinline)) void multiply_nibbles(const qy_product *product, const bytes *x,
                                                       int first, int last, int from, int to,
                                                       const target *out) {
    int tiles = (last - first + NIBBLE_ROWS - 1) / NIBBLE_ROWS;
    int64_t panel_size = (int64_t)(product->inputs + BLOCK - 1) / BLOCK * STEPS * 64;
    for (int panel = from; panel < to; panel++)
        for (int tile = 0; tile < tiles; tile++) {
            int row = first + (last - first) * tile / tiles;
            int count = first + (last - first) * (tile + 1) / tiles - row;
            int next = tile == 0 && panel + 1 < to ? panel + 1 : panel;
            const int8_t *soon = (const int8_t *)product->weight + next * panel_size;
#define TILE(c) tile_nibbles(c, product, x, row, panel * COLUMNS, soon, out);
            FOR_COUNT(count, NIBBLE_ROWS, TILE)
#undef TILE
        }
}
