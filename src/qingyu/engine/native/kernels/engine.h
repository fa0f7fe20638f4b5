/* What the engine is told and asked: the structures that Python fills, and the entry points.
 *
 * Arrays are C order. Pointers into weights point into a mapped file and are only read. T tokens of
 * B sequences lie end to end, without padding; N outputs, K inputs of a product. */
#ifndef QINGYU_ENGINE_H
#define QINGYU_ENGINE_H

#include <stdint.h>

#if defined(_WIN32)
#define QY_EXPORT __declspec(dllexport)
#else
#define QY_EXPORT __attribute__((visibility("default")))
#endif

enum { QY_ABI = 3 };
enum { QY_OK = 0, QY_NO_MEMORY = 1, QY_BAD_ARGUMENT = 2 };
enum { QY_FLOAT32 = 0, QY_INT8 = 1, QY_INT4 = 2 }; /* qy_product.weight_kind */
enum { QY_FLOAT = 0, QY_FIXED = 1, QY_ROW = 2, QY_FLOOR = 3, QY_BLOCK = 4 }; /* .input_kind */
enum { QY_NONE = 0, QY_GELU = 1, QY_GELU_TANH = 2, QY_RELU = 3, QY_TANH = 4 };

/* y = x W^T + b. INT8 weights are packed [N/16][K/4][16][4], INT4 ones [N/16][K/64][8][16][4], two in
 * a byte, FP32 ones are [N][K]. */
typedef struct {
    const void *weight;
    const float *weight_scale; /* [N] of INT8 */
    const int32_t *weight_sum; /* [N] of INT8: of each output's weights */
    const float *bias;         /* [N]; of FLOOR less what raising the inputs adds; NULL: none */
    const float *input_scale;  /* [K] of FIXED: one over the step of each input */
    int32_t outputs, inputs;   /* N, K; N = 0: there is no such product */
    int32_t weight_kind, input_kind;
    const uint16_t *block_scale; /* [N/16][K/64][16] of INT4, upper halves of floats */
    const uint8_t *block_zero;   /* [N/16][K/128][16] of INT4, of two blocks in a byte */
} qy_product;

typedef struct {
    const float *weight, *bias; /* [width]; NULL: there is no such norm */
} qy_norm;

/* An embedding table: rows looked up. INT8 is plain [rows][width], or packed as a product is. */
typedef struct {
    const void *weight;
    const float *scale; /* [rows] of INT8 */
    int32_t rows, width, kind, packed;
} qy_table;

typedef struct {
    qy_product qkv; /* outputs: queries, keys, values, each heads x head_width */
    qy_product attended, inner, outer;
    qy_norm attended_norm, outer_norm;
} qy_layer;

/* logits = output(norm(activation(transform(x)))), on the rows asked for of what the head's own
 * layers make of the rows after `branch` shared layers. */
typedef struct {
    const qy_layer *layers; /* [layer_count] */
    int32_t layer_count, branch;
    qy_product transform, output;
    qy_norm norm;
    int32_t activation, reserved;
} qy_head;

typedef struct {
    qy_table word, position, type; /* type.rows = 0: none */
    qy_norm embedding_norm;
    qy_product projection; /* from the width of the embeddings to `hidden` */
    const qy_layer *layers; /* [layer_count] */
    const qy_head *heads;   /* [head_count] */
    int32_t layer_count, head_count;
    int32_t hidden, attention_heads, head_width, feed_forward, activation;
    float epsilon;
} qy_model;

/* Sequences of one head stand side by side, those that branch off later first. */
typedef struct {
    const int64_t *ids, *types; /* [T] */
    const int64_t *rows;        /* [sum of counts]: asked positions, each within its sequence */
    const int64_t *lengths;     /* [B] */
    const int64_t *counts;      /* [B]: how many rows are asked of each sequence, at least one */
    const int32_t *group_heads; /* [G]: index of the head, or -1: the hidden states themselves */
    const int32_t *group_sizes; /* [G]: sequences */
    float *const *outputs;      /* [G]: [rows of the group, outputs of its head] */
    int32_t sequences, groups;  /* B, G */
} qy_batch;

QY_EXPORT int32_t qy_abi(void);
/* Sizes of qy_product, qy_norm, qy_table, qy_layer, qy_head, qy_model, qy_batch, by index. */
QY_EXPORT int32_t qy_size(int32_t index);
/* Name of instruction set `index` that was compiled and that this CPU has, or NULL. */
QY_EXPORT const char *qy_instruction_set(int32_t index);
/* Answer a batch on up to `threads` threads with the instruction set `index`. QY_OK, QY_... */
QY_EXPORT int32_t qy_run(const qy_model *model, const qy_batch *batch, int32_t threads,
                         int32_t index);
/* One product alone, for tests: x [rows][K], y [rows][N], on one thread. */
QY_EXPORT int32_t qy_multiply(const qy_product *product, const float *x, float *y, int32_t rows,
                              int32_t index);

#endif
