/* Compiled once an instruction set: -DISA=avx2 and so on, with the flags that it needs. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#if defined(ISA_AVX2)
#include "vec_avx2.h"
#define NAME avx2
#else
#include "vec_plain.h"
#define NAME plain
#endif

enum { PANEL = COLUMNS / VL, MOST = 6 }; /* vectors to 16 outputs; rows of a tile */

/* work(c) with a constant c equal to `count`, 1 to MOST, so that sums stay in registers. */
#define FOR_COUNT(count, work)      \
    switch (count) {                \
    case 1: work(1) break;          \
    case 2: work(2) break;          \
    case 3: work(3) break;          \
    case 4: work(4) break;          \
    case 5: work(5) break;          \
    default: work(6) break;         \
    }

#include "functions.h"

#include "bytes.h"

#include "product.h"

#include "attention.h"

#define JOINED(a, b) a##b
#define TABLE(name) JOINED(kernels_, name)
#define TEXT(a) #a
#define NAME_OF(a) TEXT(a)
const kernels TABLE(NAME) = {NAME_OF(NAME), look_up,  normalise, activate,
                                   quantise,      multiply, attend};
