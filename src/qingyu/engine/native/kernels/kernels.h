/* The work of a forward pass that each instruction set does its own way. */
#ifndef QINGYU_KERNELS_H
#define QINGYU_KERNELS_H

#include "engine.h"

enum { GROUP = 4, COLUMNS = 16 }; /* of the packed layout: inputs, outputs */
enum { BLOCK = 64 };              /* inputs that have a step of their own, where weights are INT4 */

/* A group of inputs whose products could leave 16 bits is taken out of its row and multiplied beside
 * the rest, in two halves that are safe. */
typedef struct {
    int32_t group;
    int8_t values[GROUP];
} extra;

/* Rows of floats made bytes: x = values * scale. */
typedef struct {
    int8_t *values;       /* [rows][stride]: number + zero; zeros are the instruction set's */
    float *scale;         /* [rows] */
    int32_t *sum;         /* [rows]: of the row's signed numbers */
    int32_t *extra_count; /* [rows] */
    extra *extras;        /* [rows][extras_stride] */
    float *block_scale;   /* [rows][stride / BLOCK]: for INT4, in the place of `scale`, ... */
    int32_t *block_sum;   /* [rows][stride / BLOCK]: ... and of the block's numbers */
    int stride;
} bytes;

/* What becomes of y = x W^T + b, [rows][N]. */
typedef struct {
    float *to;
    int64_t stride;        /* from one row of `to` to the next */
    const float *residual; /* [rows][stride], added; or NULL */
    int width, padded; /* where not 0: output n goes to part n / width, a matrix [rows][padded] */
    int64_t part;      /* numbers from one part to the next */
    int first, last;   /* outputs to be written: from `first` on, before `last` */
    int activation;    /* of y, before the residual is added */
} target;

/* y[queries][stride] = softmax(q k^T / sqrt(width)) v; see attention.h */
typedef void attention(const float *q, const float *k, const float *v, int queries, int length,
                       int width, int padded, float *room, float *y, int64_t stride);

typedef struct {
    const char *name;
    int block_rows;  /* that one thread takes at once, at most; ... */
    int block_step;  /* ... a multiple of it */
    int shared_rows; /* where there are fewer rows a thread, all threads share them */
    /* y[width] of row `row` of a table; added to y where `add` is not 0 */
    void (*look_up)(const qy_table *table, int64_t row, float *y, int add);
    void (*normalise)(float *x, const qy_norm *norm, int n, float epsilon);
    /* x[n] into row `row` of `out`, the way `product` wants it */
    void (*quantise)(const float *x, int n, const qy_product *product, bytes *out, int row);
    /* rows first to last of x, floats [rows][stride] or bytes, times panels (16 outputs each) */
    void (*multiply)(const qy_product *product, const float *x, int64_t stride, const bytes *packed,
                     int first, int last, int from_panel, int to_panel, const target *out);
    attention *attend;         /* for models of INT8 and INT4: 14 bits of a number, or more */
    attention *attend_exactly; /* for models of FP32 */
} kernels;

enum { ATTENTION_QUERIES = 6, SLACK_ROWS = 32 };

/* Bytes from one row to the next: whole vectors are written, and rows share no cache line. */
static inline int bytes_stride(int inputs) { return (inputs + 63) / 64 * 64; }

/* Extras from one row to the next: two halves of each group. */
static inline int extras_stride(const bytes *b) { return b->stride / GROUP * 2; }

/* Floats that attend() needs for itself. */
static inline int64_t attention_room(int length, int padded) {
    int64_t keys = (length + 31) / 32 * 32, width = (padded + 31) / 32 * 32;
    return keys * (2 * width + 64) + 64 * width;
}

#endif
