/* The entry points: arguments checked, memory laid out, instruction set chosen. */
#include "engine.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "forward.h"

enum { MOST_INPUTS = 65536, ALIGNMENT = 64 }; /* 65536 x 128 x 255 fits 32 bits */

extern const kernels kernels_plain, kernels_avx2, kernels_avx_vnni, kernels_avx512_vnni,
    kernels_amx, kernels_dotprod, kernels_i8mm;

static const struct {
    const kernels *with;
    int (*present)(void);
} sets[] = { /* best first; those that were compiled */
#if defined(QY_AMX) && defined(__linux__)
    {&kernels_amx, cpu_amx},
#endif
#if defined(QY_AVX512_VNNI)
    {&kernels_avx512_vnni, cpu_avx512_vnni},
#endif
#if defined(QY_AVX_VNNI)
    {&kernels_avx_vnni, cpu_avx_vnni},
#endif
#if defined(QY_AVX2)
    {&kernels_avx2, cpu_avx2},
#endif
#if defined(QY_I8MM)
    {&kernels_i8mm, cpu_i8mm},
#endif
#if defined(QY_DOTPROD)
    {&kernels_dotprod, cpu_dotprod},
#endif
    {&kernels_plain, cpu_any},
};

enum { SETS = sizeof sets / sizeof *sets };

/* Asking a virtual machine's CPU takes 20 us a question, so it is asked once. */
static const kernels *set_at(int32_t index) {
    static atomic_int known; /* bit i: set i is present; the last bit: they were asked */
    int found = atomic_load_explicit(&known, memory_order_relaxed);
    if (!found) {
        found = 1 << SETS;
        for (int i = 0; i < SETS; i++) found |= (sets[i].present() ? 1 : 0) << i;
        atomic_store_explicit(&known, found, memory_order_relaxed);
    }
    for (int i = 0; i < SETS; i++)
        if (found >> i & 1 && index-- == 0) return sets[i].with;
    return NULL;
}

int32_t qy_abi(void) { return QY_ABI; }

int32_t qy_size(int32_t index) {
    static const int32_t sizes[] = {sizeof(qy_product), sizeof(qy_norm), sizeof(qy_table),
                                    sizeof(qy_layer),   sizeof(qy_head), sizeof(qy_model),
                                    sizeof(qy_batch)};
    return index >= 0 && index < (int)(sizeof sizes / sizeof *sizes) ? sizes[index] : 0;
}

const char *qy_instruction_set(int32_t index) {
    const kernels *with = set_at(index);
    return with ? with->name : NULL;
}

/* Arrays out of one allocation: first their places are counted, then given. */
typedef struct {
    char *memory; /* NULL while counting */
    size_t used;
} arena;

static void *take(arena *from, int64_t count, size_t size) {
    void *place = from->memory ? from->memory + from->used : NULL;
    from->used += ((size_t)count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return place;
}

static int largest(int a, int b) { return a > b ? a : b; }

static void widen_by(const qy_product *product, int *inputs, int *outputs) {
    *inputs = largest(*inputs, product->inputs);
    *outputs = largest(*outputs, product->outputs);
}

static void widen_by_layers(const qy_layer *layers, int count, int *inputs, int *outputs) {
    for (int i = 0; i < count; i++) {
        int ignored = 0;
        widen_by(&layers[i].qkv, inputs, &ignored); /* what it gives has arrays of its own */
        widen_by(&layers[i].attended, inputs, outputs);
        widen_by(&layers[i].inner, inputs, outputs);
        widen_by(&layers[i].outer, inputs, outputs);
    }
}

static bytes take_bytes(arena *from, int64_t rows, int inputs) {
    bytes b = {.stride = bytes_stride(inputs)};
    b.values = take(from, rows * b.stride + ALIGNMENT, 1);
    b.scale = take(from, rows, sizeof *b.scale);
    b.sum = take(from, rows, sizeof *b.sum);
    b.extra_count = take(from, rows, sizeof *b.extra_count);
    b.extras = take(from, rows * extras_stride(&b), sizeof *b.extras);
    b.block_scale = take(from, rows * b.stride / BLOCK, sizeof *b.block_scale);
    b.block_sum = take(from, rows * b.stride / BLOCK, sizeof *b.block_sum);
    return b;
}

/* Every array of a pass over T tokens and R rows asked for. */
static void lay_out(pass *p, arena *from, int rows, int longest, int threads) {
    const qy_model *m = p->model;
    int inputs = m->hidden, outputs = largest(m->hidden, m->word.width);
    widen_by(&m->projection, &inputs, &outputs);
    widen_by_layers(m->layers, m->layer_count, &inputs, &outputs);
    for (int i = 0; i < m->head_count; i++) {
        int ignored = 0;
        widen_by_layers(m->heads[i].layers, m->heads[i].layer_count, &inputs, &outputs);
        widen_by(&m->heads[i].transform, &inputs, &outputs);
        widen_by(&m->heads[i].output, &inputs, &ignored);
    }
    p->padded = (m->head_width + 15) / 16 * 16;
    p->widest_outputs = (outputs + 15) / 16 * 16 + APART;
    p->attention_size = attention_room(longest, p->padded);
    int64_t width = (int64_t)m->attention_heads * m->head_width, at_once = (int64_t)threads * p->with->block_rows;
    int64_t heads_rows = (int64_t)m->attention_heads * (p->tokens + SLACK_ROWS) * p->padded;
    p->token_starts = take(from, p->batch->sequences + 1, sizeof *p->token_starts);
    p->row_starts = take(from, p->batch->sequences + 1, sizeof *p->row_starts);
    p->group_starts = take(from, p->batch->groups + 1, sizeof *p->group_starts);
    p->places = take(from, p->tokens, sizeof *p->places);
    p->rows = take(from, rows, sizeof *p->rows);
    p->x = take(from, (int64_t)p->tokens * m->hidden, sizeof(float));
    p->asked = take(from, (int64_t)rows * m->hidden, sizeof(float));
    p->qkv = take(from, 3 * heads_rows, sizeof(float));
    p->queries = take(from, heads_rows, sizeof(float));
    p->mixed = take(from, p->tokens * width, sizeof(float));
    p->attention = take(from, threads * p->attention_size, sizeof(float));
    p->wide = take(from, at_once * p->widest_outputs, sizeof(float));
    p->middle = take(from, at_once * p->widest_outputs, sizeof(float));
    p->packed = take_bytes(from, at_once, inputs);
    if (from->memory && p->padded != m->head_width) { /* zeros between the heads */
        memset(p->qkv, 0, sizeof(float) * 3 * (size_t)heads_rows);
        memset(p->queries, 0, sizeof(float) * (size_t)heads_rows);
    }
}

static void index_rows(const pass *p) {
    const qy_batch *b = p->batch;
    int token = 0, row = 0, sequence = 0;
    for (int i = 0; i < b->sequences; i++) {
        p->token_starts[i] = token;
        p->row_starts[i] = row;
        for (int j = 0; j < b->counts[i]; j++, row++) p->rows[row] = token + b->rows[row];
        for (int j = 0; j < b->lengths[i]; j++) p->places[token++] = j;
    }
    p->token_starts[b->sequences] = token;
    p->row_starts[b->sequences] = row;
    for (int g = 0; g < b->groups; g++) {
        p->group_starts[g] = sequence;
        sequence += b->group_sizes[g];
    }
    p->group_starts[b->groups] = sequence;
}

/* Totals of a batch, or QY_BAD_ARGUMENT where a number leads out of an array. */
static int32_t measure(const qy_model *m, const qy_batch *b, int *tokens, int *rows, int *longest) {
    int64_t token = 0, row = 0, sequences = 0;
    *longest = 0;
    for (int i = 0; i < b->sequences; i++) {
        int64_t length = b->lengths[i], count = b->counts[i];
        if (length < 1 || length > m->position.rows || count < 1 || count > length)
            return QY_BAD_ARGUMENT;
        if (token + length > INT32_MAX / 4) return QY_BAD_ARGUMENT;
        for (int64_t j = 0; j < length; j++, token++) {
            if (b->ids[token] < 0 || b->ids[token] >= m->word.rows) return QY_BAD_ARGUMENT;
            if (m->type.rows && (b->types[token] < 0 || b->types[token] >= m->type.rows))
                return QY_BAD_ARGUMENT;
        }
        for (int64_t j = 0; j < count; j++, row++)
            if (b->rows[row] < 0 || b->rows[row] >= length) return QY_BAD_ARGUMENT;
        *longest = largest(*longest, (int)length);
    }
    for (int g = 0; g < b->groups; g++) {
        if (b->group_sizes[g] < 1 || b->group_heads[g] < -1 || b->group_heads[g] >= m->head_count)
            return QY_BAD_ARGUMENT;
        sequences += b->group_sizes[g];
    }
    if (sequences != b->sequences || !token) return QY_BAD_ARGUMENT;
    *tokens = (int)token;
    *rows = (int)row;
    return QY_OK;
}

static void *aligned(size_t size, void **whole) {
    *whole = malloc(size + ALIGNMENT);
    return *whole ? (char *)*whole + (ALIGNMENT - (uintptr_t)*whole % ALIGNMENT) : NULL;
}

int32_t qy_run(const qy_model *model, const qy_batch *batch, int32_t threads, int32_t index) {
    const kernels *with = set_at(index);
    int rows, longest;
    pass p = {.with = with, .model = model, .batch = batch};
    if (!with || threads < 1 || threads > 256) return QY_BAD_ARGUMENT;
    int32_t status = measure(model, batch, &p.tokens, &rows, &longest);
    if (status) return status;
    arena memory = {0};
    void *whole;
    lay_out(&p, &memory, rows, longest, threads);
    memory.memory = aligned(memory.used, &whole);
    if (!memory.memory) return QY_NO_MEMORY;
    memory.used = 0;
    lay_out(&p, &memory, rows, longest, threads);
    index_rows(&p);
    pool_run(forward, &p, threads);
    free(whole);
    return QY_OK;
}

int32_t qy_multiply(const qy_product *product, const float *x, float *y, int32_t rows,
                    int32_t index) {
    const kernels *with = set_at(index);
    if (!with || rows < 1 || product->inputs < 1 || product->inputs > MOST_INPUTS)
        return QY_BAD_ARGUMENT;
    arena memory = {0};
    void *whole;
    take_bytes(&memory, rows, product->inputs);
    memory.memory = aligned(memory.used, &whole);
    if (!memory.memory) return QY_NO_MEMORY;
    memory.used = 0;
    bytes packed = take_bytes(&memory, rows, product->inputs);
    target out = {.to = y, .stride = product->outputs, .last = product->outputs};
    for (int row = 0; product->weight_kind != QY_FLOAT32 && row < rows; row++)
        with->quantise(x + (int64_t)row * product->inputs, product->inputs, product, &packed, row);
    with->multiply(product, x, product->inputs, &packed, 0, rows, 0,
                   (product->outputs + COLUMNS - 1) / COLUMNS, &out);
    free(whole);
    return QY_OK;
}
