/* INT8 products in tiles of AMX. Included after product.h and tiles.h.
 *
 * 16 groups of four inputs by the 16 outputs of a panel are a tile as they lie. Activations are the
 * bytes that VNNI reads, so that few rows can go its way; sums are exact either way. */

enum {
    FEW_ROWS = 4, /* are quicker by vectors */
    MOST_PANELS = 4,
};

/* What is multiplied at once: two tiles of rows by up to two panels, or one by up to four. */
typedef struct {
    const int8_t *x[2];
    int64_t stride; /* from row to row of x */
    const int8_t *weights[MOST_PANELS];
    const int8_t (*tail)[TILE_BYTES]; /* [panels]: their last tile where it is no whole one */
    int steps;                        /* whole tiles of weights */
    const int8_t *soon;               /* weights to be fetched, `soon_size` bytes each step */
    int64_t soon_size;
} tile_work;

/* sums[2][2][16][16] of two tiles of rows by two panels, or by one. */
static inline __attribute__((always_inline)) void sums_of_two(const tile_work *w, int panels,
                                                              int32_t *sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const int8_t *x0 = w->x[0], *x1 = w->x[1], *w0 = w->weights[0], *w1 = w->weights[1];
    const int8_t *soon = w->soon;
#define STEP(w0, w1)                        \
    _tile_loadd(6, w0, TILE_WIDTH);         \
    _tile_loadd(4, x0, w->stride);          \
    _tile_dpbusd(0, 4, 6);                  \
    _tile_loadd(5, x1, w->stride);          \
    _tile_dpbusd(2, 5, 6);                  \
    if (panels > 1) {                       \
        _tile_loadd(7, w1, TILE_WIDTH);     \
        _tile_dpbusd(1, 4, 7);              \
        _tile_dpbusd(3, 5, 7);              \
    }
    for (int s = 0; s < w->steps; s++) {
        STEP(w0, w1)
        for (const int8_t *end = soon + w->soon_size; soon < end; soon += 64)
            __builtin_prefetch(soon, 0, 2);
        x0 += TILE_WIDTH, x1 += TILE_WIDTH, w0 += TILE_BYTES, w1 += TILE_BYTES;
    }
    if (w->tail) {
        STEP(w->tail[0], w->tail[1])
    }
#undef STEP
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

/* sums[4][16][16] of one tile of rows by up to four panels. */
static inline __attribute__((always_inline)) void sums_of_one(const tile_work *w, int panels,
                                                              int32_t *sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const int8_t *soon = w->soon;
#define STEP(x, w0, w1, w2, w3)     \
    _tile_loadd(4, x, w->stride);   \
    _tile_loadd(6, w0, TILE_WIDTH); \
    _tile_dpbusd(0, 4, 6);          \
    _tile_loadd(7, w1, TILE_WIDTH); \
    _tile_dpbusd(1, 4, 7);          \
    if (panels > 2) {               \
        _tile_loadd(6, w2, TILE_WIDTH); \
        _tile_dpbusd(2, 4, 6);          \
        _tile_loadd(7, w3, TILE_WIDTH); \
        _tile_dpbusd(3, 4, 7);          \
    }
    for (int s = 0; s < w->steps; s++) {
        int64_t at = (int64_t)s * TILE_BYTES;
        STEP(w->x[0] + s * TILE_WIDTH, w->weights[0] + at, w->weights[1] + at, w->weights[2] + at,
             w->weights[3] + at)
        for (const int8_t *end = soon + w->soon_size; soon < end; soon += 64)
            __builtin_prefetch(soon, 0, 2);
    }
    if (w->tail) {
        STEP(w->x[0] + w->steps * TILE_WIDTH, w->tail[0], w->tail[1], w->tail[2], w->tail[3])
    }
#undef STEP
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

/* Write the 16 outputs from n on of `rows` rows from `row` on. */
static void put_tile(const qy_product *product, const bytes *x, int row, int rows, int n,
                     const int32_t *sums, const target *out) {
    const place at = place_of(out, n);
    const float *scales = x->scale + row;
    int zero = product->input_kind == QY_FLOOR ? UNSIGNED_ZERO : SIGNED_ZERO;
    int left = product->outputs - n;
    vi start = i_times(product->weight_sum + n, left, -zero);
    vf steps = v_load_some(product->weight_scale, n, left);
    vf bias = v_load_some(product->bias, n, left);
    for (int r = 0; r < rows; r++) {
        vi sum = _mm512_add_epi32(start, _mm512_load_si512(sums + r * COLUMNS));
        vf y = v_fma(i_float(sum), v_mul(steps, v_set(scales[r])), bias);
        put(&at, row + r, &y);
    }
}

/* As multiply() of product.h. */
static void multiply_tiles(const qy_product *product, const float *x, int64_t stride,
                           const bytes *packed, int first, int last, int from, int to,
                           const target *out) {
    if (product->weight_kind != QY_INT8 || last - first <= FEW_ROWS) {
        multiply(product, x, stride, packed, first, last, from, to, out);
        return;
    }
    int groups = (product->inputs + GROUP - 1) / GROUP, rest = groups % TILE_ROWS * TILE_WIDTH;
    int64_t panel_size = (int64_t)groups * GROUP * COLUMNS;
    tile_deal tiles = deal(last - first);
    int most = tiles.count > 1 ? 2 : MOST_PANELS;
    int8_t tails[MOST_PANELS][TILE_BYTES] __attribute__((aligned(64))) = {0};
    int32_t sums[MOST_PANELS][TILE_ROWS * COLUMNS] __attribute__((aligned(64)));
    tile_work w = {.stride = packed->stride, .steps = groups / TILE_ROWS, .tail = rest ? tails : 0};
    use_tiles(tiles.rows);
    for (int panel = from, panels; panel < to; panel += panels) {
        panels = to - panel < most ? to - panel : most;
        for (int p = 0; p < MOST_PANELS; p++) { /* where there are fewer, the first again */
            w.weights[p] = (const int8_t *)product->weight + (panel + (p < panels ? p : 0)) * panel_size;
            if (rest) memcpy(tails[p], w.weights[p] + w.steps * TILE_BYTES, (size_t)rest);
        }
        WRITTEN();
        w.soon = w.weights[0] + panels * panel_size;
        int ahead = to - panel - panels < panels ? to - panel - panels : panels;
        for (int tile = 0; tile < tiles.count; tile += 2) {
            int two = tile + 1 < tiles.count;
            int row[2] = {first + dealt(tiles, tile), first + dealt(tiles, tile + 1)};
            for (int i = 0; i < 2; i++) w.x[i] = packed->values + (int64_t)row[i] * packed->stride;
            w.soon_size = ahead * TILE_BYTES / ((tiles.count + 1) / 2) / 64 * 64;
            if (two && panels > 1)
                sums_of_two(&w, 2, sums[0]);
            else if (two)
                sums_of_two(&w, 1, sums[0]);
            else if (panels > 2)
                sums_of_one(&w, 4, sums[0]);
            else
                sums_of_one(&w, 2, sums[0]);
            w.soon += w.steps * w.soon_size;
            for (int p = 0; p < panels; p++)
                put_tile(product, packed, row[0], tiles.rows, (panel + p) * COLUMNS, sums[p], out);
            for (int p = 0; two && p < panels; p++)
                put_tile(product, packed, row[1], tiles.rows, (panel + p) * COLUMNS, sums[2 + p], out);
        }
    }
    _tile_release();
}
