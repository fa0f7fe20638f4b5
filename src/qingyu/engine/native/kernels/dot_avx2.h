/* Products of bytes of AVX2.
 *
 * Two products of bytes are summed in 16 bits before anything else can be done with them, so
 * quantising takes care that no such sum leaves 16 bits (bytes.h). One of the two bytes must be
 * unsigned: weights raised by 128, which RAISED makes good for, or activations that are. */
enum { ROWS = 4, PANELS = 1, SIGNED_ZERO = 0, UNSIGNED_ZERO = 0, RAISED = 128, NARROW = 1 };
static inline void v_store_bytes(void *p, vf a, int is_signed) {
    _mm_storel_epi64(p, i_bytes(a, is_signed));
}
static inline vi i_weights(const int8_t *w, int is_signed) {
    return is_signed ? _mm256_xor_si256(i_load(w), _mm256_set1_epi8(-128)) : i_load(w);
}

/* By hand, since compilers move the sums about. */
static inline vi i_dot(vi sum, vi w, vi a, int is_signed) {
    vi pairs, one = _mm256_set1_epi16(1);
    __asm__("vpmaddubsw %[second], %[first], %[pairs]\n\t"
            "vpmaddwd %[one], %[pairs], %[pairs]\n\t"
            "vpaddd %[pairs], %[sum], %[sum]"
            : [sum] "+x"(sum), [pairs] "=&x"(pairs)
            : [first] "x"(is_signed ? w : a), [second] "x"(is_signed ? a : w), [one] "x"(one));
    return sum;
}
/* Two groups of unsigned activations at once: they are widened together. */
static inline vi i_dot_two(vi sum, vi w0, vi a0, vi w1, vi a1) {
    vi pairs, more, one = _mm256_set1_epi16(1);
    __asm__("vpmaddubsw %[w0], %[a0], %[pairs]\n\t"
            "vpmaddubsw %[w1], %[a1], %[more]\n\t"
            "vpaddw %[more], %[pairs], %[pairs]\n\t"
            "vpmaddwd %[one], %[pairs], %[pairs]\n\t"
            "vpaddd %[pairs], %[sum], %[sum]"
            : [sum] "+x"(sum), [pairs] "=&x"(pairs), [more] "=&x"(more)
            : [w0] "x"(w0), [a0] "x"(a0), [w1] "x"(w1), [a1] "x"(a1), [one] "x"(one));
    return sum;
}

/* Which of VL groups of four bytes are unsafe, as bits.
 * Signed: two numbers meet (raised) weights of up to 255, so numbers of one sign are safe while
 * their sum is at most 128; numbers of two signs always are.
 * Unsigned: four numbers of two groups meet weights of up to 127, so they are safe while their sum
 * is at most 258; else both groups are marked. */
static inline unsigned i_unsafe(const int8_t *values, int is_signed) {
    vi a = i_load(values), one = _mm256_set1_epi8(1), over;
    if (is_signed) {
        vi sums = _mm256_maddubs_epi16(one, a);
        over = _mm256_cmpgt_epi16(_mm256_abs_epi16(sums), _mm256_set1_epi16(128));
    } else {
        vi sums = _mm256_maddubs_epi16(a, one);
        sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0xb1));
        over = _mm256_cmpgt_epi16(sums, _mm256_set1_epi16(258));
    }
    vi safe = _mm256_cmpeq_epi32(over, _mm256_setzero_si256());
    return ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(safe)) & 0xff;
}

/* INT4: two products by numbers of 0 to 15 stay below 2^12, so 16 bits hold the sums of 8 groups. */
enum { NIBBLE_ROWS = 4, NIBBLE_STEPS = 4 };
static inline vi i_dot_nibbles(vi sum, vi w, vi a) {
    vi pairs;
    __asm__("vpmaddubsw %[a], %[w], %[pairs]\n\t"
            "vpaddw %[pairs], %[sum], %[sum]"
            : [sum] "+x"(sum), [pairs] "=&x"(pairs)
            : [w] "x"(w), [a] "x"(a));
    return sum;
}
static inline vi i_add_widened(vi a, vi sums) {
    return _mm256_add_epi32(a, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
}
