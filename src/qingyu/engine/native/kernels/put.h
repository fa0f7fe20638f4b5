/* What is done to 16 outputs of a row before they are written, and where they go. Included once an
 * instruction set. */

/* Where 16 outputs of row 0 go, and what becomes of them before. */
typedef struct {
    float *to;
    const float *residual;
    int64_t stride;
    int left, activation;   /* how many of the 16 are written */
    const target *scattered; /* not NULL: they do not lie side by side, and only that tells where */
    int n;
} place;

static inline place place_of(const target *out, int n) {
    place at = {.stride = out->stride, .left = out->last - n, .activation = out->activation, .n = n};
    if (!out->width) {
        at.to = out->to + n;
        at.residual = out->residual ? out->residual + n : NULL;
    } else if (out->width % COLUMNS == 0 && n >= out->first && n + COLUMNS <= out->last) {
        at.to = out->to + n / out->width * out->part + n % out->width;
        at.stride = out->padded;
    } else {
        at.scattered = out;
    }
    return at;
}

static __attribute__((noinline)) void scatter(const target *out, int row, int n, const vf *values) {
    float spread[COLUMNS];
    for (int i = 0; i < COLUMNS / VL; i++) v_store(spread + i * VL, values[i]);
    for (int i = 0; i < COLUMNS; i++) {
        int column = n + i;
        if (column < out->first || column >= out->last) continue;
        out->to[column / out->width * out->part + (int64_t)row * out->padded +
                column % out->width] = spread[i];
    }
}

/* By itself, since it is long and put() is in many places. */
static __attribute__((noinline)) void activate(vf *values, int activation) {
    for (int i = 0; i < COLUMNS / VL; i++) values[i] = v_activate(values[i], activation);
}

/* Write 16 outputs of a row. */
static inline __attribute__((always_inline)) void put(const place *at, int row, vf *values) {
    if (at->activation) activate(values, at->activation);
    if (at->scattered) {
        scatter(at->scattered, row, at->n, values);
        return;
    }
    for (int i = 0; i < COLUMNS / VL; i++) {
        int left = at->left - i * VL;
        if (left <= 0) return;
        vf y = values[i];
        if (at->residual) y = v_add(y, v_load_n(at->residual + row * at->stride + i * VL, left));
        v_store_n(at->to + row * at->stride + i * VL, y, left);
    }
}

/* Have a number in a register, and not made anew from where it came from. */
#define KEEP(number) __asm__("" : "+r"(number))
