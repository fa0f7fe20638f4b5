/* Products: tiles of a few rows by 16 outputs. Included once an instruction set, after put.h. */

/* Write what the sums of one row's bytes times `panels` panels of 16 outputs from n on stand for. */
static inline __attribute__((always_inline)) void put_sums(int panels, const qy_product *product,
                                                           const bytes *x, int row, int n,
                                                           const vi *sum, const place *places) {
    vf values[PANELS * PANEL];
    vf scale = v_set(x->scale[row]);
    int32_t raised = RAISED * x->sum[row];
    for (int p = 0; p < panels * PANEL; p++) {
        int at = n + p * VL, left = product->outputs - at;
        vf steps = v_mul(v_load_some(product->weight_scale, at, left), scale);
        vf bias = v_load_some(product->bias, at, left);
        values[p] = v_fma(i_float(i_less(sum[p], raised)), steps, bias);
    }
    for (int p = 0; p < panels; p++) put(&places[p], row, values + p * PANEL);
}

/* INT8: `count` rows from `row` on, times `panels` panels of 16 outputs from n on. */
static inline __attribute__((always_inline)) void tile_bytes(int count, int panels,
                                                             const qy_product *product,
                                                             const bytes *x, int row, int n,
                                                             int is_signed, const int8_t *soon,
                                                             const target *out) {
    int groups = (product->inputs + GROUP - 1) / GROUP, vectors = panels * PANEL;
    int zero = is_signed ? SIGNED_ZERO : UNSIGNED_ZERO;
    int64_t panel_size = (int64_t)groups * GROUP * COLUMNS;
    const int8_t *w = (const int8_t *)product->weight + n / COLUMNS * panel_size;
    const int8_t *a[MOST / 3 + 1]; /* of every third row: so few that all stay in registers */
    int64_t next = x->stride, after = 2 * next;
    KEEP(next);
    KEEP(after);
    vi sum[MOST][PANELS * PANEL];
    for (int r = 0; r < count; r += 3) a[r / 3] = x->values + (int64_t)(row + r) * x->stride;
    for (int p = 0; p < vectors; p++) {
        int at = n + p * VL;
        vi start = zero ? i_times(product->weight_sum + at, product->outputs - at, -zero) : i_zero();
        for (int r = 0; r < count; r++) sum[r][p] = start;
    }
#define WEIGHTS(p, j) (w + (p) / PANEL * panel_size + ((j) * PANEL + (p) % PANEL) * (64 / PANEL))
#define ROW(r) (a[(r) / 3] + ((r) % 3 == 0 ? 0 : (r) % 3 == 1 ? next : after))
    int j = 0;
    for (; !is_signed && NARROW && j + 1 < groups; j += 2) {
        for (int p = 0; p < vectors; p++) {
            vi w0 = i_weights(WEIGHTS(p, j), 0), w1 = i_weights(WEIGHTS(p, j + 1), 0);
            for (int r = 0; r < count; r++)
                sum[r][p] = i_dot_two(sum[r][p], w0, i_spread(ROW(r)), w1, i_spread(ROW(r) + GROUP));
        }
        for (int r = 0; r < count; r += 3) a[r / 3] += 2 * GROUP;
    }
    for (; j < groups; j++) {
        vi panel[PANELS * PANEL];
        for (int p = 0; p < vectors; p++) panel[p] = i_weights(WEIGHTS(p, j), is_signed);
        for (int r = 0; r < count; r++) {
            vi four = i_spread(ROW(r));
            for (int p = 0; p < vectors; p++)
                sum[r][p] = i_dot(sum[r][p], panel[p], four, is_signed);
        }
        for (int p = 0; p < vectors; p++) __builtin_prefetch(WEIGHTS(p, j + 16));
        __builtin_prefetch(soon + j * 64, 0, 2);
        for (int r = 0; r < count; r += 3) a[r / 3] += GROUP;
    }
    place places[PANELS];
    for (int p = 0; p < panels; p++) places[p] = place_of(out, n + p * COLUMNS);
    for (int r = 0; r < count; r++) {
        if (NARROW) {
            const extra *more = x->extras + (int64_t)(row + r) * extras_stride(x);
            for (int i = 0; i < x->extra_count[row + r]; i++) {
                vi four = i_spread(more[i].values);
                for (int p = 0; p < vectors; p++)
                    sum[r][p] = i_dot(sum[r][p], i_weights(WEIGHTS(p, more[i].group), is_signed),
                                      four, is_signed);
            }
        }
        put_sums(panels, product, x, row + r, n, sum[r], places);
    }
#undef WEIGHTS
#undef ROW
}

static inline __attribute__((always_inline)) void tile_bytes_of(int count, int panels,
                                                                const qy_product *product,
                                                                const bytes *x, int row, int n,
                                                                const int8_t *soon,
                                                                const target *out) {
    int is_signed = product->input_kind != QY_FLOOR;
    if (NARROW && !is_signed) /* the loop differs */
        tile_bytes(count, panels, product, x, row, n, 0, soon, out);
    else
        tile_bytes(count, panels, product, x, row, n, NARROW || is_signed, soon, out);
}

/* FP32: `count` rows from `row` on, times 16 outputs from n on; two outputs at once. */
static inline __attribute__((always_inline)) void tile_floats(int count, const qy_product *product,
                                                              const float *x, int64_t stride,
                                                              int row, int n, const target *out) {
    int inputs = product->inputs, outputs = product->outputs;
    float spread[MOST][COLUMNS];
    memset(spread, 0, sizeof spread);
    for (int c = 0; c < COLUMNS && n + c < outputs; c += 2) {
        const float *w = (const float *)product->weight + (int64_t)(n + c) * inputs;
        const float *other = n + c + 1 < outputs ? w + inputs : w;
        vf sum[MOST][2];
        for (int r = 0; r < count; r++) sum[r][0] = sum[r][1] = v_set(0.0f);
        for (int k = 0; k < inputs; k += VL) {
            vf w0 = v_load_n(w + k, inputs - k), w1 = v_load_n(other + k, inputs - k);
            for (int r = 0; r < count; r++) {
                vf a = v_load_n(x + (row + r) * stride + k, inputs - k);
                sum[r][0] = v_fma(a, w0, sum[r][0]);
                sum[r][1] = v_fma(a, w1, sum[r][1]);
            }
        }
        for (int r = 0; r < count; r++) {
            spread[r][c] = v_sum(sum[r][0]);
            spread[r][c + 1] = v_sum(sum[r][1]);
        }
    }
    place at = place_of(out, n);
    for (int r = 0; r < count; r++) {
        vf values[PANEL];
        for (int p = 0; p < PANEL; p++)
            values[p] = v_add(v_load(spread[r] + p * VL),
                              v_load_some(product->bias, n + p * VL, outputs - n - p * VL));
        put(&at, row + r, values);
    }
}

/* Rows first to last of x, as floats [rows][stride] or as bytes, times the panels (16 outputs each)
 * `from` to `to` of a product. The weights of one or two panels stay near while all rows meet
 * them; the rows are dealt evenly to as few tiles as there can be. */
static void multiply(const qy_product *product, const float *x, int64_t stride, const bytes *packed,
                     int first, int last, int from, int to, const target *out) {
    if (product->weight_kind == QY_INT4) {
        multiply_nibbles(product, packed, first, last, from, to, out);
        return;
    }
    int tiles = (last - first + ROWS - 1) / ROWS;
    int64_t panel_size = (int64_t)(product->inputs + GROUP - 1) / GROUP * GROUP * COLUMNS;
    for (int panel = from, panels; panel < to; panel += panels) {
        panels = product->weight_kind == QY_INT8 && to - panel >= PANELS ? PANELS : 1;
        for (int tile = 0; tile < tiles; tile++) {
            int row = first + (last - first) * tile / tiles;
            int n = panel * COLUMNS, count = first + (last - first) * (tile + 1) / tiles - row;
            int next = tile < panels && panel + panels + tile < to ? panel + panels + tile : panel;
            const int8_t *soon = (const int8_t *)product->weight + next * panel_size;
#define TILE(c)                                                                   \
    if (product->weight_kind == QY_FLOAT32)                                       \
        tile_floats(c, product, x, stride, row, n, out);                          \
    else if (panels == 1)                                                         \
        tile_bytes_of(c, 1, product, packed, row, n, soon, out);                        \
    else                                                                          \
        tile_bytes_of(c, PANELS, product, packed, row, n, soon, out);
            FOR_COUNT(count, ROWS, TILE)
#undef TILE
        }
    }
}
