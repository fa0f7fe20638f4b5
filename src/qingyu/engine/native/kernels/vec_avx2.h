/* Eight floats of AVX2; dot_avx2.h or dot_avxvnni.h has the products of bytes. */
#include <immintrin.h>

enum { VL = 8 };
typedef __m256 vf;
typedef __m256i vi;

static inline vf v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void v_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline vf v_set(float a) { return _mm256_set1_ps(a); }
static inline vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); } /* a b + c */
static inline vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf v_sign_of(vf magnitude, vf sign) {
    return _mm256_or_ps(magnitude, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
static inline vf v_round(vf a) { return _mm256_round_ps(a, 8); } /* to nearest, ties to even */
static inline vf v_power(vf n) { /* 2^n of whole n from -126 to 127 */
    vi shifted = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(shifted, 23));
}
static inline vi v_mask(int n) { /* the first n lanes */
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf v_load_part(const float *p, int n) { return _mm256_maskload_ps(p, v_mask(n)); }
static inline void v_store_part(float *p, vf a, int n) { _mm256_maskstore_ps(p, v_mask(n), a); }
static inline vf v_keep(vf a, int n) { /* zeros in all but the first n lanes */
    return _mm256_and_ps(a, _mm256_castsi256_ps(v_mask(n)));
}
static inline float v_sum(vf a) {
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}
static inline float v_largest(vf a) {
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}
static inline vf v_load_bytes(const int8_t *p) { /* VL of them */
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

/* Rounded to the nearest, ties to even, then to the range of a byte, VL of them. */
static inline __m128i i_bytes(vf a, int is_signed) {
    vi whole = _mm256_cvtps_epi32(a);
    vi words = _mm256_permute4x64_epi64(_mm256_packs_epi32(whole, whole), 0x08);
    __m128i low = _mm256_castsi256_si128(words);
    return is_signed ? _mm_packs_epi16(low, low) : _mm_packus_epi16(low, low);
}
static inline vi i_zero(void) { return _mm256_setzero_si256(); }
static inline vi i_less(vi a, int32_t b) { return _mm256_sub_epi32(a, _mm256_set1_epi32(b)); }
static inline vf i_float(vi a) { return _mm256_cvtepi32_ps(a); }
static inline vi i_spread(const void *four) {
    int32_t a;
    memcpy(&a, four, 4);
    return _mm256_set1_epi32(a);
}
static inline vi i_times(const int32_t *p, int n, int32_t factor) { /* the first n numbers of p */
    vi some = _mm256_maskload_epi32((const int *)p, v_mask(n));
    return _mm256_mullo_epi32(some, _mm256_set1_epi32(factor));
}
static inline vi i_load(const int8_t *w) { return _mm256_loadu_si256((const vi *)w); }

/* INT4: the lower and the upper halves of bytes, zero points, steps. */
static inline vi i_low(vi a) { return _mm256_and_si256(a, _mm256_set1_epi8(15)); }
static inline vi i_high(vi a) { return i_low(_mm256_srli_epi16(a, 4)); }
static inline vi i_zeros(const uint8_t *p, int high) { /* VL zero points, in one half of the bytes */
    vi both = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_and_si256(high ? _mm256_srli_epi32(both, 4) : both, _mm256_set1_epi32(15));
}
static inline vi i_small_product(vi a, int32_t b) { /* of 16 bits; a is not negative */
    return _mm256_madd_epi16(a, _mm256_set1_epi32(b));
}
static inline vf v_load_upper(const uint16_t *p) { /* VL floats, of which p holds the upper halves */
    vi halves = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(halves, 16));
}

/* Rows and columns of 8 x 8 floats exchanged; `from` and `to` are how far rows lie apart. */
static inline void v_transpose(const float *x, int from, float *y, int to) {
    vf a[8], b[8];
    for (int i = 0; i < 4; i++) {
        vf low = _mm256_castps128_ps256(_mm_loadu_ps(x + i * from));
        a[i] = _mm256_insertf128_ps(low, _mm_loadu_ps(x + (i + 4) * from), 1);
        low = _mm256_castps128_ps256(_mm_loadu_ps(x + i * from + 4));
        a[i + 4] = _mm256_insertf128_ps(low, _mm_loadu_ps(x + (i + 4) * from + 4), 1);
    }
    for (int h = 0; h < 8; h += 4) {
        b[h] = _mm256_unpacklo_ps(a[h], a[h + 1]);
        b[h + 1] = _mm256_unpackhi_ps(a[h], a[h + 1]);
        b[h + 2] = _mm256_unpacklo_ps(a[h + 2], a[h + 3]);
        b[h + 3] = _mm256_unpackhi_ps(a[h + 2], a[h + 3]);
        v_store(y + h * to, _mm256_shuffle_ps(b[h], b[h + 2], 0x44));
        v_store(y + (h + 1) * to, _mm256_shuffle_ps(b[h], b[h + 2], 0xee));
        v_store(y + (h + 2) * to, _mm256_shuffle_ps(b[h + 1], b[h + 3], 0x44));
        v_store(y + (h + 3) * to, _mm256_shuffle_ps(b[h + 1], b[h + 3], 0xee));
    }
}
