/* Four floats of NEON, and its products of bytes. */
#include <arm_neon.h>

enum { VL = 4, ROWS = 5, PANELS = 1 }; /* of a tile of a product: 20 of 32 registers are sums */
typedef float32x4_t vf;
typedef int32x4_t vi;

static inline vf v_load(const float *p) { return vld1q_f32(p); }
static inline void v_store(float *p, vf a) { vst1q_f32(p, a); }
static inline vf v_set(float a) { return vdupq_n_f32(a); }
static inline vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); } /* a b + c */
static inline vf v_max(vf a, vf b) { return vmaxnmq_f32(a, b); }
static inline vf v_min(vf a, vf b) { return vminnmq_f32(a, b); }
static inline vf v_abs(vf a) { return vabsq_f32(a); }
static inline vf v_sign_of(vf magnitude, vf sign) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude);
}
static inline vf v_round(vf a) { return vrndnq_f32(a); } /* to nearest, ties to even */
static inline vf v_power(vf n) { /* 2^n of whole n from -126 to 127 */
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
static inline vf v_keep(vf a, int n) { /* zeros in all but the first n lanes */
    static const int32_t places[4] = {0, 1, 2, 3};
    uint32x4_t kept = vcltq_s32(vld1q_s32(places), vdupq_n_s32(n));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), kept));
}
static inline vf v_load_part(const float *p, int n) {
    float some[4] = {0};
    for (int i = 0; i < 4 && i < n; i++) some[i] = p[i];
    return v_load(some);
}
static inline void v_store_part(float *p, vf a, int n) {
    float all[4];
    v_store(all, a);
    for (int i = 0; i < 4 && i < n; i++) p[i] = all[i];
}
static inline float v_sum(vf a) { return vaddvq_f32(a); }
static inline float v_largest(vf a) { return vmaxnmvq_f32(a); }

/* The dot product multiplies signed bytes by signed weights. */
enum { SIGNED_ZERO = 0, UNSIGNED_ZERO = -128, RAISED = 0, NARROW = 0 };

/* Rounded to the nearest, ties to even, then to the range of a byte; always VL bytes written. */
static inline void v_store_bytes(void *p, vf a, int is_signed) {
    vi whole = vcvtnq_s32_f32(a);
    if (!is_signed) whole = vsubq_s32(vmaxq_s32(whole, vdupq_n_s32(0)), vdupq_n_s32(128));
    int16x4_t half = vqmovn_s32(whole);
    int8x8_t bytes = vqmovn_s16(vcombine_s16(half, half));
    memcpy(p, &bytes, 4);
}
static inline vf v_load_bytes(const int8_t *p) { /* VL of them */
    int8x8_t bytes = vdup_n_s8(0);
    memcpy(&bytes, p, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}

static inline vi i_zero(void) { return vdupq_n_s32(0); }
static inline vi i_less(vi a, int32_t b) { return vsubq_s32(a, vdupq_n_s32(b)); }
static inline vf i_float(vi a) { return vcvtq_f32_s32(a); }
static inline vi i_spread(const void *four) {
    int32_t a;
    memcpy(&a, four, 4);
    return vdupq_n_s32(a);
}
static inline vi i_load(const int8_t *w) { return vreinterpretq_s32_s8(vld1q_s8(w)); }
static inline vi i_times(const int32_t *p, int n, int32_t factor) { /* the first n numbers of p */
    int32_t some[4] = {0};
    for (int i = 0; i < 4 && i < n; i++) some[i] = p[i];
    return vmulq_n_s32(vld1q_s32(some), factor);
}
static inline vi i_weights(const int8_t *w, int is_signed) {
    (void)is_signed;
    return i_load(w);
}
static inline vi i_dot(vi sum, vi w, vi a, int is_signed) {
    (void)is_signed;
    return vdotq_s32(sum, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(a));
}
static inline vi i_dot_two(vi sum, vi w0, vi a0, vi w1, vi a1) {
    return i_dot(i_dot(sum, w0, a0, 0), w1, a1, 0);
}
static inline unsigned i_unsafe(const int8_t *values, int is_signed) {
    (void)values, (void)is_signed;
    return 0;
}

/* INT4: the lower and the upper halves of bytes; products of numbers of 0 to 15 by signed bytes. */
enum { NIBBLE_ROWS = 5, NIBBLE_STEPS = 8 };
static inline vi i_low(vi a) {
    return vreinterpretq_s32_u8(vandq_u8(vreinterpretq_u8_s32(a), vdupq_n_u8(15)));
}
static inline vi i_high(vi a) {
    return vreinterpretq_s32_u8(vshrq_n_u8(vreinterpretq_u8_s32(a), 4));
}
static inline vi i_dot_nibbles(vi sum, vi w, vi a) { return i_dot(sum, w, a, 1); }
static inline vi i_add_widened(vi a, vi sums) { return vaddq_s32(a, sums); }
static inline vi i_zeros(const uint8_t *p, int high) { /* VL zero points, in one half of the bytes */
    int32_t four[4];
    for (int i = 0; i < 4; i++) four[i] = high ? p[i] >> 4 : p[i] & 15;
    return vld1q_s32(four);
}
static inline vi i_small_product(vi a, int32_t b) { return vmulq_n_s32(a, b); }
static inline vf v_load_upper(const uint16_t *p) { /* VL floats, of which p holds the upper halves */
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

/* Rows and columns of 4 x 4 floats exchanged; `from` and `to` are how far rows lie apart. */
static inline void v_transpose(const float *x, int from, float *y, int to) {
    float32x4x4_t columns;
    for (int i = 0; i < 4; i++) columns.val[i] = v_load(x + i * from);
    float rows[16];
    vst4q_f32(rows, columns);
    for (int i = 0; i < 4; i++) v_store(y + i * to, v_load(rows + 4 * i));
}
