/* Sixteen floats of AVX-512, and its products of bytes (VNNI). */
#include <immintrin.h>

enum { VL = 16, ROWS = 12, PANELS = 2 }; /* of a tile of a product: 24 of 32 registers are sums */
typedef __m512 vf;
typedef __m512i vi;

static inline __mmask16 v_mask(int n) { /* the first n lanes */
    return n >= VL ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1);
}
static inline vf v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vf v_set(float a) { return _mm512_set1_ps(a); }
static inline vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); } /* a b + c */
static inline vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf v_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf v_sign_of(vf magnitude, vf sign) {
    return _mm512_or_ps(magnitude, _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}
static inline vf v_round(vf a) { return _mm512_roundscale_ps(a, 8); } /* to nearest, ties to even */
static inline vf v_power(vf n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0f), n); } /* 2^n */
static inline vf v_load_part(const float *p, int n) { return _mm512_maskz_loadu_ps(v_mask(n), p); }
static inline void v_store_part(float *p, vf a, int n) { _mm512_mask_storeu_ps(p, v_mask(n), a); }
static inline vf v_keep(vf a, int n) { return _mm512_maskz_mov_ps(v_mask(n), a); }
static inline float v_sum(vf a) { return _mm512_reduce_add_ps(a); }
static inline float v_largest(vf a) { return _mm512_reduce_max_ps(a); }
static inline vf v_load_bytes(const int8_t *p) { /* VL of them */
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

/* VNNI multiplies unsigned activations by signed weights. */
enum { SIGNED_ZERO = 128, UNSIGNED_ZERO = 0, RAISED = 0, NARROW = 0 };

/* Rounded to the nearest, ties to even, then to the range of a byte; always VL bytes written. */
static inline void v_store_bytes(void *p, vf a, int is_signed) {
    vi whole = _mm512_cvtps_epi32(a);
    __m128i bytes = is_signed
                        ? _mm_xor_si128(_mm512_cvtsepi32_epi8(whole), _mm_set1_epi8(-128))
                        : _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512()));
    _mm_storeu_si128(p, bytes);
}

static inline vi i_zero(void) { return _mm512_setzero_si512(); }
static inline vi i_less(vi a, int32_t b) { return _mm512_sub_epi32(a, _mm512_set1_epi32(b)); }
static inline vf i_float(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vi i_spread(const void *four) {
    int32_t a;
    memcpy(&a, four, 4);
    return _mm512_set1_epi32(a);
}
static inline vi i_load(const int8_t *w) { return _mm512_loadu_si512(w); }
static inline vi i_times(const int32_t *p, int n, int32_t factor) { /* the first n numbers of p */
    return _mm512_mullo_epi32(_mm512_maskz_loadu_epi32(v_mask(n), p), _mm512_set1_epi32(factor));
}
static inline vi i_weights(const int8_t *w, int is_signed) {
    (void)is_signed;
    return i_load(w);
}
static inline vi i_dot(vi sum, vi w, vi a, int is_signed) {
    (void)is_signed; /* by hand, since compilers move the sums about */
    __asm__("vpdpbusd %[w], %[a], %[sum]" : [sum] "+v"(sum) : [w] "v"(w), [a] "v"(a));
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
enum { NIBBLE_ROWS = 12, NIBBLE_STEPS = 8 }; /* of a tile; that are summed before they are widened */
static inline vi i_low(vi a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
static inline vi i_high(vi a) { return i_low(_mm512_srli_epi16(a, 4)); }
static inline vi i_dot_nibbles(vi sum, vi w, vi a) { return i_dot(sum, a, w, 0); }
static inline vi i_add_widened(vi a, vi sums) { return _mm512_add_epi32(a, sums); }
static inline vi i_zeros(const uint8_t *p, int high) { /* VL zero points, in one half of the bytes */
    vi both = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm512_and_si512(high ? _mm512_srli_epi32(both, 4) : both, _mm512_set1_epi32(15));
}
static inline vi i_small_product(vi a, int32_t b) { /* of 16 bits; a is not negative */
    return _mm512_madd_epi16(a, _mm512_set1_epi32(b));
}
static inline vf v_load_upper(const uint16_t *p) { /* VL floats, of which p holds the upper halves */
    vi halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(halves, 16));
}

/* Rows and columns of 16 x 16 floats exchanged; `from` and `to` are how far rows lie apart. */
static inline void v_transpose(const float *x, int from, float *y, int to) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = v_load(x + i * from);
    for (int i = 0; i < 16; i += 4) { /* 4 x 4 blocks within four rows */
        vf low0 = _mm512_unpacklo_ps(a[i], a[i + 1]), high0 = _mm512_unpackhi_ps(a[i], a[i + 1]);
        vf low2 = _mm512_unpacklo_ps(a[i + 2], a[i + 3]);
        vf high2 = _mm512_unpackhi_ps(a[i + 2], a[i + 3]);
        b[i] = _mm512_shuffle_ps(low0, low2, 0x44);
        b[i + 1] = _mm512_shuffle_ps(low0, low2, 0xee);
        b[i + 2] = _mm512_shuffle_ps(high0, high2, 0x44);
        b[i + 3] = _mm512_shuffle_ps(high0, high2, 0xee);
    }
    for (int i = 0; i < 4; i++) { /* column i + 4 q of rows 4 r to 4 r + 3 is part q of b[4 r + i] */
        vf even = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
        vf odd = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd);
        vf even8 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
        vf odd8 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xdd);
        v_store(y + i * to, _mm512_shuffle_f32x4(even, even8, 0x88));
        v_store(y + (i + 8) * to, _mm512_shuffle_f32x4(even, even8, 0xdd));
        v_store(y + (i + 4) * to, _mm512_shuffle_f32x4(odd, odd8, 0x88));
        v_store(y + (i + 12) * to, _mm512_shuffle_f32x4(odd, odd8, 0xdd));
    }
}
