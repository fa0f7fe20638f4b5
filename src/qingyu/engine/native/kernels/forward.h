/* A batch on its way through a model: where everything lies. Filled by engine.c. */
#ifndef QINGYU_FORWARD_H
#define QINGYU_FORWARD_H

#include "kernels.h"
#include "pool.h"

typedef struct {
    const kernels *with;
    const qy_model *model;
    const qy_batch *batch;
    int tokens;            /* T */
    int padded;            /* P */
    int widest_outputs;    /* of all products between, and the embeddings' width */
    int32_t *token_starts; /* [B + 1]: first token of each sequence */
    int32_t *row_starts;   /* [B + 1]: first asked row of each sequence */
    int32_t *group_starts; /* [G + 1]: first sequence of each group */
    int32_t *places;       /* [T]: of each token within its sequence */
    int64_t *rows;         /* [R]: the token of each asked row */
    float *x;              /* [T, H] */
    float *asked;          /* [R, H] */
    float *qkv;            /* [3 A, T + SLACK_ROWS, P] */
    float *queries;        /* [A, T + SLACK_ROWS, P]: of asked rows */
    float *mixed;          /* [T, A D]: what attention gives */
    float *attention;      /* [threads, attention_size] */
    int64_t attention_size;
    float *wide, *middle; /* [threads x block_rows, widest_outputs] */
    bytes packed;         /* [threads x block_rows] rows */
} pass;

/* Numbers between rows of a power of two, whose columns would else all be in one set of the cache. */
enum { APART = 16 };

/* The whole pass: a team_task. */
void forward(void *argument, team *all, int me);

#endif
