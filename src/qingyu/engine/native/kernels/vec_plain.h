/* Floats one by one, in plain C: for CPUs that nothing else here fits, and to test the rest by. */

enum { VL = 1, ROWS = 4, PANELS = 1 };
typedef float vf;
typedef int32_t vi;

static inline vf v_load(const float *p) { return *p; }
static inline void v_store(float *p, vf a) { *p = a; }
static inline vf v_set(float a) { return a; }
static inline vf v_add(vf a, vf b) { return a + b; }
static inline vf v_sub(vf a, vf b) { return a - b; }
static inline vf v_mul(vf a, vf b) { return a * b; }
static inline vf v_div(vf a, vf b) { return a / b; }
static inline vf v_fma(vf a, vf b, vf c) { return a * b + c; }
static inline vf v_max(vf a, vf b) { return a > b ? a : b; }
static inline vf v_min(vf a, vf b) { return a < b ? a : b; }
static inline vf v_abs(vf a) { return fabsf(a); }
static inline vf v_sign_of(vf magnitude, vf sign) { return copysignf(magnitude, sign); }
static inline vf v_round(vf a) { return rintf(a); }
static inline vf v_power(vf n) { return ldexpf(1.0f, (int)n); }
static inline vf v_load_part(const float *p, int n) { return n > 0 ? *p : 0.0f; }
static inline void v_store_part(float *p, vf a, int n) {
    if (n > 0) *p = a;
}
static inline vf v_keep(vf a, int n) { return n > 0 ? a : 0.0f; }
static inline float v_sum(vf a) { return a; }
static inline float v_largest(vf a) { return a; }
static inline void v_store_bytes(void *p, vf a, int is_signed) {
    float low = is_signed ? -128.0f : 0.0f, high = is_signed ? 127.0f : 255.0f;
    float held = a > low ? (a < high ? a : high) : low; /* NaN: low */
    *(uint8_t *)p = (uint8_t)(int)rintf(held);
}

static inline vf v_load_bytes(const int8_t *p) { return (float)*p; }

static inline vi i_zero(void) { return 0; }
static inline vi i_less(vi a, int32_t b) { return a - b; }
static inline vf i_float(vi a) { return (float)a; }
static inline vi i_times(const int32_t *p, int n, int32_t factor) {
    return n > 0 ? *p * factor : 0;
}
static inline vi i_load(const int8_t *w) {
    vi a;
    memcpy(&a, w, 4);
    return a;
}
static inline vi i_spread(const void *four) {
    vi a;
    memcpy(&a, four, 4);
    return a;
}

enum { SIGNED_ZERO = 0, UNSIGNED_ZERO = 0, RAISED = 0, NARROW = 0 };
static inline vi i_weights(const int8_t *w, int is_signed) {
    (void)is_signed;
    return i_load(w);
}
static inline vi i_dot(vi sum, vi w, vi a, int is_signed) {
    for (int i = 0; i < 32; i += 8) {
        int number = is_signed ? (int8_t)(a >> i) : (uint8_t)(a >> i);
        sum += (int8_t)(w >> i) * number;
    }
    return sum;
}
static inline vi i_dot_two(vi sum, vi w0, vi a0, vi w1, vi a1) {
    return i_dot(i_dot(sum, w0, a0, 0), w1, a1, 0);
}
static inline unsigned i_unsafe(const int8_t *values, int is_signed) {
    (void)values, (void)is_signed;
    return 0;
}

/* INT4: the lower and the upper halves of bytes; products of numbers of 0 to 15 by signed bytes. */
enum { NIBBLE_ROWS = 4, NIBBLE_STEPS = 8 };
static inline vi i_low(vi a) { return a & 0x0f0f0f0f; }
static inline vi i_high(vi a) { return a >> 4 & 0x0f0f0f0f; }
static inline vi i_dot_nibbles(vi sum, vi w, vi a) { return i_dot(sum, w, a, 1); }
static inline vi i_add_widened(vi a, vi sums) { return a + sums; }
static inline vi i_zeros(const uint8_t *p, int high) { return high ? *p >> 4 : *p & 15; }
static inline vi i_small_product(vi a, int32_t b) { return a * b; }
static inline vf v_load_upper(const uint16_t *p) { /* a float, of which p holds the upper half */
    uint32_t bits = (uint32_t)*p << 16;
    vf a;
    memcpy(&a, &bits, 4);
    return a;
}

static inline void v_transpose(const float *x, int from, float *y, int to) {
    (void)from, (void)to;
    *y = *x;
}
