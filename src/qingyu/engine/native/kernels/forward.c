/* One forward pass of a BERT-family encoder and its heads, read top to bottom at the end of this
 * file. Every thread of a team runs all of it; rows or outputs are dealt out within each step.
 *
 * Shapes: T tokens, R rows (tokens somebody asked for), H hidden, A attention heads of width D, P:
 * D rounded up to 16, F feed forward. */
#include "forward.h"

#include <string.h>

static int panels(int outputs) { return (outputs + COLUMNS - 1) / COLUMNS; }

/* What one thread, or all of them together, have for the rows they are at. */
typedef struct {
    bytes packed;
    float *wide;   /* [rows][F or the widest of its kind] */
    float *middle; /* [rows][H or the widest of its kind] */
} room;

static room room_of(const pass *p, int me) {
    int64_t first = (int64_t)me * p->with->block_rows;
    room own = {p->packed, p->wide + first * p->widest_outputs,
                p->middle + first * p->widest_outputs};
    own.packed.values += first * own.packed.stride;
    own.packed.scale += first;
    own.packed.sum += first;
    own.packed.extra_count += first;
    own.packed.extras += first * extras_stride(&own.packed);
    own.packed.block_scale += first * own.packed.stride / BLOCK;
    own.packed.block_sum += first * own.packed.stride / BLOCK;
    return own;
}

/* y = x W^T + b of rows 0 .. n - 1, for the outputs that `out` names. */
static void product(const pass *p, room *own, team *all, int me, const qy_product *w,
                    const float *x, int64_t stride, int n, const target *out) {
    for (int row = me; w->weight_kind != QY_FLOAT32 && row < n; row += all->size)
        p->with->quantise(x + row * stride, w->inputs, w, &own->packed, row);
    team_wait(all);
    int first = out->first / COLUMNS, count = panels(out->last) - first;
    p->with->multiply(w, x, stride, &own->packed, 0, n, first + count * me / all->size,
                      first + count * (me + 1) / all->size, out);
    team_wait(all);
}

static void normalise(const pass *p, team *all, int me, const qy_norm *norm, float *x, int width,
                      int n) {
    for (int row = me; norm->weight && row < n; row += all->size)
        p->with->normalise(x + (int64_t)row * width, norm, width, p->model->epsilon);
    team_wait(all);
}

/* Do `work` for rows 0 .. n - 1: where they are many each thread takes blocks of them and waits for
 * nobody; where they are few all threads share them, and meet after each step. */
typedef void row_work(const pass *p, room *own, team *all, int me, int first, int n, void *what);

static void over_rows(const pass *p, team *all, int me, int n, row_work *work, void *what) {
    int most = p->with->block_rows, step = p->with->block_step;
    if (all->size > 1 && n < p->with->shared_rows * all->size) {
        room shared = room_of(p, 0);
        work(p, &shared, all, me, 0, n, what);
        return;
    }
    room own = room_of(p, me);
    team alone = {.size = 1};
    int rounds = (n + all->size * most - 1) / (all->size * most);
    int block = rounds ? (n + all->size * rounds - 1) / (all->size * rounds) : 1;
    block = (block + step - 1) / step * step;
    for (int64_t first; (first = (int64_t)team_take(all) * block) < n;)
        work(p, &own, &alone, 0, (int)first, n - first < block ? n - (int)first : block, what);
    team_wait(all);
}

/* x [T, H] = projection(norm(word[id] + position + type[segment])) */
static void embed(const pass *p, room *own, team *all, int me, int first, int n, void *what) {
    const qy_model *m = p->model;
    int width = m->word.width;
    float *x = p->x + (int64_t)first * m->hidden, *y = m->projection.outputs ? own->middle : x;
    (void)what;
    for (int row = me; row < n; row += all->size) {
        float *to = y + (int64_t)row * width;
        p->with->look_up(&m->word, p->batch->ids[first + row], to, 0);
        p->with->look_up(&m->position, p->places[first + row], to, 1);
        if (m->type.rows) p->with->look_up(&m->type, p->batch->types[first + row], to, 1);
    }
    team_wait(all);
    normalise(p, all, me, &m->embedding_norm, y, width, n);
    if (!m->projection.outputs) return;
    target out = {.to = x, .stride = m->hidden, .last = m->hidden};
    product(p, own, all, me, &m->projection, y, width, n, &out);
}

/* One layer over sequences first .. last - 1. */
typedef struct {
    const qy_layer *with;
    int first, last; /* sequences */
    int only_rows;   /* whether what follows reads only the rows asked for */
    int row;         /* first token, or first row asked for, of those that this step writes */
} layer_work;

/* Outputs from `first` on, before `last`, of query, key and value: each head's [T, P] by itself. */
static target by_heads(const pass *p, float *to, int row, int first, int last) {
    return (target){.to = to + (int64_t)row * p->padded, .width = p->model->head_width,
                    .padded = p->padded, .part = (int64_t)(p->tokens + SLACK_ROWS) * p->padded,
                    .first = first, .last = last};
}

/* queries, keys, values [3 A, T, P] of all tokens; without queries if only some rows are asked. */
static void qkv(const pass *p, room *own, team *all, int me, int first, int n, void *what) {
    layer_work *l = what;
    int row = l->row + first, width = l->with->qkv.outputs / 3;
    target out = by_heads(p, p->qkv, row, l->only_rows ? width : 0, 3 * width);
    product(p, own, all, me, &l->with->qkv, p->x + (int64_t)row * p->model->hidden,
            p->model->hidden, n, &out);
}

/* asked [R, H]: the rows asked for, and their queries [A, R, P]. */
static void asked_queries(const pass *p, room *own, team *all, int me, int first, int n,
                          void *what) {
    layer_work *l = what;
    int row = l->row + first, hidden = p->model->hidden;
    float *x = p->asked + (int64_t)row * hidden;
    for (int i = me; i < n; i += all->size)
        memcpy(x + (int64_t)i * hidden, p->x + p->rows[row + i] * hidden,
               sizeof(float) * (size_t)hidden);
    team_wait(all);
    target out = by_heads(p, p->queries, row, 0, l->with->qkv.outputs / 3);
    product(p, own, all, me, &l->with->qkv, x, hidden, n, &out);
}

/* y [T or R, A D] = softmax(q k^T / sqrt(D)) v, sequence by sequence, head by head */
static void attend_all(const pass *p, team *all, int me, const layer_work *l) {
    const qy_model *m = p->model;
    int64_t part = (int64_t)(p->tokens + SLACK_ROWS) * p->padded;
    const float *q = l->only_rows ? p->queries : p->qkv;
    const float *k = p->qkv + m->attention_heads * part, *v = k + m->attention_heads * part;
    const int32_t *starts = l->only_rows ? p->row_starts : p->token_starts;
    int64_t width = (int64_t)m->attention_heads * m->head_width;
    int count = (l->last - l->first) * m->attention_heads;
    int is_exact = l->with->qkv.weight_kind == QY_FLOAT32;
    attention *attend = is_exact ? p->with->attend_exactly : p->with->attend;
    for (int task; (task = team_take(all)) < count;) {
        int sequence = l->first + task / m->attention_heads, head = task % m->attention_heads;
        int token = p->token_starts[sequence], row = starts[sequence];
        int64_t at = head * part + (int64_t)token * p->padded;
        attend(q + head * part + (int64_t)row * p->padded, k + at, v + at,
               starts[sequence + 1] - row, p->token_starts[sequence + 1] - token, m->head_width,
               p->padded, p->attention + me * p->attention_size,
               p->mixed + row * width + head * m->head_width, width);
    }
    team_wait(all);
}

/* x = norm(x + attended(y)); x = norm(x + outer(activation(inner(x)))) */
static void rest_of_layer(const pass *p, room *own, team *all, int me, int first, int n,
                          void *what) {
    layer_work *l = what;
    const qy_layer *w = l->with;
    int row = l->row + first, hidden = p->model->hidden, width = w->attended.inputs;
    float *x = (l->only_rows ? p->asked : p->x) + (int64_t)row * hidden, *z = own->middle;
    target out = {.to = z, .stride = hidden, .residual = x, .last = hidden};
    product(p, own, all, me, &w->attended, p->mixed + (int64_t)row * width, width, n, &out);
    normalise(p, all, me, &w->attended_norm, z, hidden, n);
    int inner = w->inner.outputs, stride = inner + APART;
    out = (target){.to = own->wide, .stride = stride, .last = inner,
                   .activation = p->model->activation};
    product(p, own, all, me, &w->inner, z, hidden, n, &out);
    out = (target){.to = x, .stride = hidden, .residual = z, .last = hidden};
    product(p, own, all, me, &w->outer, own->wide, stride, n, &out);
    normalise(p, all, me, &w->outer_norm, x, hidden, n);
}

static void layer(const pass *p, team *all, int me, const qy_layer *with, int first, int last,
                  int only_rows) {
    const int32_t *tokens = p->token_starts, *rows = only_rows ? p->row_starts : tokens;
    layer_work l = {with, first, last, only_rows, tokens[first]};
    over_rows(p, all, me, tokens[last] - tokens[first], qkv, &l);
    l.row = rows[first];
    if (only_rows) over_rows(p, all, me, rows[last] - rows[first], asked_queries, &l);
    attend_all(p, all, me, &l);
    over_rows(p, all, me, rows[last] - rows[first], rest_of_layer, &l);
}

/* logits [rows of the group, outputs] = output(norm(activation(transform(x)))) */
typedef struct {
    const qy_head *with; /* NULL: the hidden states themselves */
    float *to;
    int row;
} head_work;

static void head(const pass *p, room *own, team *all, int me, int first, int n, void *what) {
    head_work *h = what;
    int hidden = p->model->hidden, width = hidden;
    float *x = p->asked + (int64_t)(h->row + first) * hidden;
    if (h->with && h->with->transform.outputs) {
        width = h->with->transform.outputs;
        target out = {.to = own->middle, .stride = width, .last = width,
                      .activation = h->with->activation};
        product(p, own, all, me, &h->with->transform, x, hidden, n, &out);
        x = own->middle;
    }
    if (h->with) normalise(p, all, me, &h->with->norm, x, width, n);
    if (h->with && h->with->output.outputs) {
        int outputs = h->with->output.outputs;
        target out = {.to = h->to + (int64_t)first * outputs, .stride = outputs, .last = outputs};
        product(p, own, all, me, &h->with->output, x, width, n, &out);
    } else if (me == 0) {
        memcpy(h->to + (int64_t)first * width, x, sizeof(float) * (size_t)n * (size_t)width);
    }
    team_wait(all);
}

static const qy_head *head_of(const pass *p, int group) {
    int index = p->batch->group_heads[group];
    return index < 0 ? NULL : &p->model->heads[index];
}

/* How a group leaves the shared layers: after how many, and with how many of its own. */
static int branch_of(const pass *p, int group) {
    const qy_head *h = head_of(p, group);
    return h ? h->branch : p->model->layer_count;
}

static int own_layers(const pass *p, int group) {
    const qy_head *h = head_of(p, group);
    return h ? h->layer_count : 0;
}

/* Shared layer `index` for a group: 0 past its branch, 1 for all tokens, 2 for the rows asked. */
static int mode_of(const pass *p, int group, int index) {
    int branch = branch_of(p, group);
    return branch <= index ? 0 : branch > index + 1 || own_layers(p, group) ? 1 : 2;
}

void forward(void *argument, team *all, int me) {
    const pass *p = argument;
    const qy_model *m = p->model;
    int groups = p->batch->groups;
    over_rows(p, all, me, p->tokens, embed, NULL);
    for (int index = 0; index < m->layer_count; index++) {
        for (int g = 0, end; g < groups; g = end) { /* neighbours in the same mode together */
            int mode = mode_of(p, g, index);
            for (end = g + 1; end < groups && mode_of(p, end, index) == mode;) end++;
            if (mode)
                layer(p, all, me, &m->layers[index], p->group_starts[g], p->group_starts[end],
                      mode == 2);
        }
        for (int g = 0; g < groups; g++) {
            int count = branch_of(p, g) == index + 1 ? own_layers(p, g) : 0;
            for (int i = 0; i < count; i++)
                layer(p, all, me, &head_of(p, g)->layers[i], p->group_starts[g],
                      p->group_starts[g + 1], i == count - 1);
        }
    }
    for (int g = 0; g < groups; g++) {
        int row = p->row_starts[p->group_starts[g]];
        head_work h = {head_of(p, g), p->batch->outputs[g], row};
        over_rows(p, all, me, p->row_starts[p->group_starts[g + 1]] - row, head, &h);
    }
}
