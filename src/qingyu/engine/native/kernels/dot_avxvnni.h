/* Products of bytes of AVX-VNNI: unsigned activations by signed weights, summed in 32 bits. */

enum { ROWS = 6, PANELS = 1, SIGNED_ZERO = 128, UNSIGNED_ZERO = 0, RAISED = 0, NARROW = 0 };

static inline void v_store_bytes(void *p, vf a, int is_signed) {
    __m128i bytes = i_bytes(a, is_signed);
    _mm_storel_epi64(p, is_signed ? _mm_xor_si128(bytes, _mm_set1_epi8(-128)) : bytes);
}
static inline vi i_weights(const int8_t *w, int is_signed) {
    (void)is_signed;
    return i_load(w);
}
static inline vi i_dot(vi sum, vi w, vi a, int is_signed) {
    (void)is_signed; /* by hand, since compilers move the sums about */
    __asm__("%{vex%} vpdpbusd %[w], %[a], %[sum]" : [sum] "+x"(sum) : [w] "x"(w), [a] "x"(a));
    return sum;
}
static inline vi i_dot_two(vi sum, vi w0, vi a0, vi w1, vi a1) {
    return i_dot(i_dot(sum, w0, a0, 0), w1, a1, 0);
}
static inline unsigned i_unsafe(const int8_t *values, int is_signed) {
    (void)values, (void)is_signed;
    return 0;
}

/* INT4: numbers of 0 to 15 by signed bytes. */
enum { NIBBLE_ROWS = 5, NIBBLE_STEPS = 8 };
static inline vi i_dot_nibbles(vi sum, vi w, vi a) { return i_dot(sum, a, w, 0); }
static inline vi i_add_widened(vi a, vi sums) { return _mm256_add_epi32(a, sums); }
