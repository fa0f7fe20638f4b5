/* Compiled once an instruction set: -DISA=avx2 and so on, with the flags that it needs. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#if defined(ISA_AMX)
#include "vec_avx512.h"
#define NAME amx
#elif defined(ISA_AVX512_VNNI)
#include "vec_avx512.h"
#define NAME avx512_vnni
#elif defined(ISA_AVX_VNNI)
#include "vec_avx2.h"
#include "dot_avxvnni.h"
#define NAME avx_vnni
#elif defined(ISA_AVX2)
#include "vec_avx2.h"
#include "dot_avx2.h"
#define NAME avx2
#elif defined(ISA_I8MM)
#include "vec_neon.h"
#define NAME i8mm
#elif defined(ISA_DOTPROD)
#include "vec_neon.h"
#define NAME dotprod
#else
#include "vec_plain.h"
#define NAME plain
#endif

enum { PANEL = COLUMNS / VL, MOST = 12 }; /* vectors to 16 outputs; rows of a tile */

/* work(c) with a constant c equal to `count`, 1 to `most`, so that sums stay in registers. */
#define CASE(c, most, work) \
    case c:                 \
        if (c <= most) {    \
            work(c)         \
        }                   \
        break;
#define FOR_COUNT(count, most, work)                                     \
    switch (count) {                                                     \
        CASE(1, most, work)                                              \
        CASE(2, most, work)                                              \
        CASE(3, most, work)                                              \
        CASE(4, most, work)                                              \
        CASE(5, most, work)                                              \
        CASE(6, most, work)                                              \
        CASE(7, most, work)                                              \
        CASE(8, most, work)                                              \
        CASE(9, most, work)                                              \
        CASE(10, most, work)                                             \
        CASE(11, most, work)                                             \
        CASE(12, most, work)                                             \
    }

#include "functions.h"

#include "bytes.h"

#include "put.h"

#include "nibbles.h"

#include "product.h"

#include "attention.h"

/* How many rows are best taken at once depends on how fast they are: see kernels.h. */
#if defined(ISA_AMX)
#include "tiles.h"

#include "attention_tiles.h"
#include "product_tiles.h"
#define MULTIPLY multiply_tiles
#define ATTEND attend_tiles
enum { BLOCK_ROWS = 128, BLOCK_STEP = 32, SHARED_ROWS = 32 };
#else
#if defined(ISA_I8MM)
#include "product_i8mm.h"
#define MULTIPLY multiply_pairs
#else
#define MULTIPLY multiply
#endif
#if defined(ISA_AVX512_VNNI)
#include "attention_words.h"
#define ATTEND attend_words
#else
#define ATTEND attend
#endif
enum { BLOCK_ROWS = 48, BLOCK_STEP = 4, SHARED_ROWS = 16 };
#endif

#define JOINED(a, b) a##b
#define TABLE(name) JOINED(kernels_, name)
#define TEXT(a) #a
#define NAME_OF(a) TEXT(a)
const kernels TABLE(NAME) = {NAME_OF(NAME), BLOCK_ROWS, BLOCK_STEP, SHARED_ROWS, look_up,
                             normalise,     quantise,   MULTIPLY,   ATTEND,      attend};
