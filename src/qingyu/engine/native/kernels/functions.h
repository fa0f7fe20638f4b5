/* Functions of vectors of floats, and of whole rows. Included once an instruction set. */

/* e^x, for x <= 88; 2^n e^r with |r| <= ln 2 / 2, e^r by its series to r^6: error below 2e-7. */
static inline vf v_exp(vf x) {
    x = v_max(x, v_set(-87.0f));
    vf n = v_round(v_mul(x, v_set(1.44269504f)));
    vf r = v_fma(n, v_set(-0.693145752f), x);
    r = v_fma(n, v_set(-1.42860677e-6f), r);
    vf y = v_fma(r, v_set(1.0f / 720), v_set(1.0f / 120));
    y = v_fma(y, r, v_set(1.0f / 24));
    y = v_fma(y, r, v_set(1.0f / 6));
    y = v_fma(y, r, v_set(0.5f));
    y = v_fma(y, r, v_set(1.0f));
    y = v_fma(y, r, v_set(1.0f));
    return v_mul(y, v_power(n));
}

/* x times the normal distribution function. The error function is odd, so up to 5.3, where it is one
 * but for 1e-7, it is x times a polynomial of x^2, fitted (Chebyshev): error of the whole below 1e-6. */
static inline vf v_gelu(vf x) {
    static const float powers[] = {
        -1.0432543931529e-3f, 3.1138528138399e-3f, -3.5609267652035e-3f, 4.4229649938643e-3f,
        -1.0232320986688e-2f, 1.8655791878700e-2f, -2.7115220203996e-2f, 3.7583094090224e-2f,
        -5.0415929406881e-2f, 6.4191892743111e-2f, -7.9196296632290e-2f, 9.8526917397976e-2f,
        -0.13303649425507f,   0.26678514480591f};
    vf near = v_max(v_min(x, v_set(5.3f)), v_set(-5.3f)), half = v_mul(x, v_set(0.5f));
    vf u = v_fma(v_mul(near, near), v_set(2.0f / (5.3f * 5.3f)), v_set(-1.0f));
    vf y = v_set(powers[0]);
    for (int i = 1; i < (int)(sizeof powers / sizeof *powers); i++) y = v_fma(y, u, v_set(powers[i]));
    return v_fma(half, v_mul(near, y), half);
}

static inline vf v_tanh(vf x) {
    vf e = v_exp(v_mul(v_min(v_abs(x), v_set(20.0f)), v_set(-2.0f)));
    return v_sign_of(v_div(v_sub(v_set(1.0f), e), v_add(v_set(1.0f), e)), x);
}

static inline vf v_gelu_tanh(vf x) {
    vf inner = v_mul(v_fma(v_mul(x, x), v_mul(x, v_set(0.044715f)), x), v_set(0.797884561f));
    return v_mul(v_mul(x, v_set(0.5f)), v_add(v_tanh(inner), v_set(1.0f)));
}

static inline vf v_relu(vf x) { return v_max(x, v_set(0.0f)); }

static inline vf v_load_n(const float *p, int n) { return n >= VL ? v_load(p) : v_load_part(p, n); }
static inline void v_store_n(float *p, vf a, int n) {
    if (n >= VL)
        v_store(p, a);
    else
        v_store_part(p, a, n);
}

static inline vf v_activate(vf x, int activation) {
    switch (activation) {
    case QY_GELU: return v_gelu(x);
    case QY_GELU_TANH: return v_gelu_tanh(x);
    case QY_RELU: return v_relu(x);
    case QY_TANH: return v_tanh(x);
    default: return x;
    }
}

/* p[at ...] of an array that ends `left` numbers after that place; zeros where p is NULL. */
static inline vf v_load_some(const float *p, int at, int left) {
    return p && left > 0 ? v_load_n(p + at, left) : v_set(0.0f);
}

/* x[n] = (x - mean) / sqrt(variance + epsilon) * weight + bias, in place */
static void normalise(float *x, const qy_norm *norm, int n, float epsilon) {
    vf sum = v_set(0.0f);
    for (int i = 0; i < n; i += VL) sum = v_add(sum, v_load_n(x + i, n - i));
    vf mean = v_set(v_sum(sum) / (float)n), squares = v_set(0.0f);
    for (int i = 0; i < n; i += VL) {
        vf d = v_sub(v_load_n(x + i, n - i), mean);
        if (n - i < VL) d = v_keep(d, n - i);
        squares = v_fma(d, d, squares);
    }
    vf scale = v_set(1.0f / sqrtf(v_sum(squares) / (float)n + epsilon));
    for (int i = 0; i < n; i += VL) {
        vf d = v_mul(v_sub(v_load_n(x + i, n - i), mean), scale);
        d = v_fma(d, v_load_n(norm->weight + i, n - i), v_load_n(norm->bias + i, n - i));
        v_store_n(x + i, d, n - i);
    }
}

/* y[width] of the embedding of one token: y = row, or y += row. */
static void look_up(const qy_table *table, int64_t row, float *y, int add) {
    int width = table->width;
    if (table->kind == QY_FLOAT32) {
        const float *from = (const float *)table->weight + row * width;
        for (int i = 0; i < width; i += VL) {
            vf a = v_load_n(from + i, width - i);
            if (add) a = v_add(a, v_load_n(y + i, width - i));
            v_store_n(y + i, a, width - i);
        }
        return;
    }
    const int8_t *from = (const int8_t *)table->weight + row * width;
    if (table->packed)
        from = (const int8_t *)table->weight + row / COLUMNS * COLUMNS * ((width + 3) / 4 * 4) +
               row % COLUMNS * GROUP;
    vf scale = v_set(table->scale[row]);
    for (int first = 0; first < width; first += 256) { /* gathered piece by piece */
        int8_t piece[256];
        int n = width - first < 256 ? width - first : 256;
        if (table->packed)
            for (int i = 0; i < n; i += GROUP)
                memcpy(piece + i, from + (first + i) * COLUMNS, GROUP);
        else
            memcpy(piece, from + first, (size_t)n);
        for (int i = 0; i < n; i += VL) {
            vf a = v_mul(v_load_bytes(piece + i), scale);
            if (add) a = v_add(a, v_load_n(y + first + i, n - i));
            v_store_n(y + first + i, a, n - i);
        }
    }
}
