/* Which instructions this CPU has, and the system lets programs use. */
#ifndef QINGYU_CPU_H
#define QINGYU_CPU_H

static inline int cpu_any(void) { return 1; }

#if defined(__x86_64__)
#include <cpuid.h>

typedef struct {
    unsigned a, b, c, d;
} cpu_leaf;

static inline cpu_leaf cpu_read(unsigned leaf, unsigned part) {
    cpu_leaf found = {0, 0, 0, 0};
    __get_cpuid_count(leaf, part, &found.a, &found.b, &found.c, &found.d);
    return found;
}

/* Which registers the system saves: bits of XCR0. */
static inline unsigned cpu_saved(void) {
    unsigned low, high;
    if (!(cpu_read(1, 0).c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static inline int cpu_avx2(void) {
    return (cpu_saved() & 0x6) == 0x6 && cpu_read(1, 0).c & bit_FMA && cpu_read(7, 0).b & bit_AVX2;
}
static inline int cpu_avx_vnni(void) { return cpu_avx2() && cpu_read(7, 1).a & 1u << 4; }
static inline int cpu_avx512_vnni(void) {
    unsigned wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    return (cpu_saved() & 0xe6) == 0xe6 && cpu_avx2() && (cpu_read(7, 0).b & wanted) == wanted &&
           cpu_read(7, 0).c & 1u << 11;
}

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

/* Tiles are 8 KB a thread, which Linux saves for those processes alone that ask. */
static inline int cpu_amx(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    unsigned wanted = 1u << 22 | 1u << 24 | 1u << 25; /* BF16, TILE, INT8 */
    return (cpu_saved() & 0x60000) == 0x60000 && cpu_avx512_vnni() &&
           (cpu_read(7, 0).d & wanted) == wanted && cpu_read(7, 1).a & 1u << 5 && /* AVX512_BF16 */
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}
#endif
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
static inline int cpu_dotprod(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
static inline int cpu_i8mm(void) { return cpu_dotprod() && getauxval(AT_HWCAP2) >> 13 & 1; }
#else
#include <sys/sysctl.h>
static inline int cpu_dotprod(void) { return 1; } /* every 64-bit Mac has it */
static inline int cpu_i8mm(void) {                /* those from the M2 on */
    int found = 0;
    size_t size = sizeof found;
    return sysctlbyname("hw.optional.arm.FEAT_I8MM", &found, &size, NULL, 0) == 0 && found;
}
#endif
#endif

#endif
