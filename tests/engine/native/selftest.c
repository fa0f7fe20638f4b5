/* The engine tried without Python: for sanitizers, and for CPUs that only an emulator has.
 *
 *     selftest [ROUNDS [SEED]]
 *
 * Each round draws products and a small encoder of odd sizes. Every instruction set's products are
 * held against sums in 64 bits; answers must be the same to the last bit alone and in company, on 1
 * to 3 threads, and from several callers at once; instruction sets agree; tiles are given back. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "../../../src/qingyu/engine/native/kernels/engine.h"

enum { LAYERS = 2, CALLERS = 3, MOST_TOKENS = 1024 };

static uint64_t state = 1;
static unsigned draw(unsigned below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}
static float uniform(float low, float high) {
    return low + (high - low) * (float)draw(1 << 24) / (1 << 24);
}

static void fail(const char *what, const char *set) {
    printf("FAILED: %s, %s\n", what, set);
    exit(1);
}

/* Whether this thread's tiles of AMX hold something, which the system would save at every switch. */
static int tiles_in_use(void) {
#if defined(__x86_64__)
    unsigned a = 0, b, c, d;
    __get_cpuid_count(0xd, 1, &a, &b, &c, &d);
    if (a & 1u << 2) { /* the CPU tells which registers are in use */
        __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(1));
        return a >> 18 & 1;
    }
#endif
    return 0;
}

/* Arrays are exactly as long as the engine may read, so that a sanitizer sees one byte more. */
static void *kept[4096];
static int kept_count;
static void *array(size_t size) {
    void *made = malloc(size ? size : 1);
    if (!made || kept_count == 4096) abort();
    return kept[kept_count++] = made;
}
static void let_go(void) {
    while (kept_count) free(kept[--kept_count]);
}
static float *floats(int n, float low, float high) {
    float *made = array(sizeof(float) * (size_t)n);
    for (int i = 0; i < n; i++) made[i] = uniform(low, high);
    return made;
}

static size_t place(int n, int k, int inputs) {
    return ((size_t)(n / 16) * (size_t)((inputs + 3) / 4) + (size_t)(k / 4)) * 64 +
           (size_t)(n % 16 * 4 + k % 4);
}

/* A product with random bytes; `extreme`: the largest there are. */
static qy_product product(int outputs, int inputs, int kind, int extreme) {
    int32_t *sums = array(sizeof(int32_t) * (size_t)outputs);
    int8_t *weight = array(place((outputs + 15) / 16 * 16, 0, inputs));
    memset(weight, 0, place((outputs + 15) / 16 * 16, 0, inputs));
    for (int n = 0; n < outputs; n++) {
        sums[n] = 0;
        for (int k = 0; k < inputs; k++) {
            int value = extreme ? (draw(2) ? 127 : -127) : (int)draw(255) - 127;
            weight[place(n, k, inputs)] = (int8_t)value;
            sums[n] += value;
        }
    }
    return (qy_product){weight, floats(outputs, 1e-4f, 2e-3f), sums, floats(outputs, -1, 1),
                        floats(inputs, 20, 80), outputs, inputs, QY_INT8, kind};
}

/* A product with random numbers of 4 bits, whose zero points lie from `low` on, of `range`. */
static qy_product nibbles(int outputs, int inputs, int low, int range) {
    int panels = (outputs + 15) / 16, blocks = (inputs + 63) / 64, count = panels * blocks * 16;
    uint8_t *weight = array((size_t)count * 32), *zeros = array((size_t)(panels * ((blocks + 1) / 2) * 16));
    uint16_t *steps = array(sizeof *steps * (size_t)count);
    for (int i = 0; i < count * 32; i++) weight[i] = (uint8_t)draw(256);
    for (int i = 0; i < panels * ((blocks + 1) / 2) * 16; i++)
        zeros[i] = (uint8_t)(low + (int)draw((unsigned)range) + 16 * (low + (int)draw((unsigned)range)));
    for (int i = 0; i < count; i++) {
        float step = uniform(2e-3f, 2e-2f);
        uint32_t bits;
        memcpy(&bits, &step, 4);
        steps[i] = (uint16_t)(bits >> 16);
    }
    return (qy_product){.weight = weight, .bias = floats(outputs, -1, 1), .outputs = outputs,
                        .inputs = inputs, .weight_kind = QY_INT4, .input_kind = QY_BLOCK,
                        .block_scale = steps, .block_zero = zeros};
}

/* Weight of output n and input k less its zero point, in steps; and the step. */
static int nibble(const qy_product *w, int n, int k, double *step) {
    int blocks = (w->inputs + 63) / 64, block = k / 64, at = k % 64;
    int byte = ((n / 16 * blocks + block) * 8 + at / 8) * 64 + n % 16 * 4 + at % 8 / 2;
    int value = ((const uint8_t *)w->weight)[byte] >> at % 2 * 4 & 15;
    int zero = w->block_zero[(n / 16 * ((blocks + 1) / 2) + block / 2) * 16 + n % 16];
    uint32_t bits = (uint32_t)w->block_scale[(n / 16 * blocks + block) * 16 + n % 16] << 16;
    float number;
    memcpy(&number, &bits, 4);
    *step = (double)number;
    return value - (zero >> block % 2 * 4 & 15);
}

static void try_nibbles(void) {
    int outputs = 1 + (int)draw(70), inputs = 1 + (int)draw(300), rows = 1 + (int)draw(40);
    qy_product w = nibbles(outputs, inputs, 0, 16);
    float *x = floats(rows * inputs, -4, 4), *y = array(sizeof(float) * (size_t)(rows * outputs));
    for (int set = 0; qy_instruction_set(set); set++) {
        if (qy_multiply(&w, x, y, rows, set) != QY_OK) fail("multiply", qy_instruction_set(set));
        for (int row = 0; row < rows; row++)
            for (int n = 0; n < outputs; n++) {
                double right = (double)w.bias[n], size = 1, step;
                for (int first = 0; first < inputs; first += 64) {
                    int64_t sum = 0;
                    float most = 1e-6f;
                    const float *a = x + row * inputs;
                    int end = first + 64 < inputs ? first + 64 : inputs;
                    for (int k = first; k < end; k++) most = fmaxf(most, fabsf(a[k]));
                    for (int k = first; k < end; k++)
                        sum += (int64_t)rintf(a[k] * (127.0f / most)) * nibble(&w, n, k, &step);
                    right += (double)sum * step * (double)(most / 127.0f);
                    size += fabs((double)sum * step * (double)(most / 127.0f));
                }
                if (!(fabs(right - (double)y[row * outputs + n]) < 2e-6 * size))
                    fail("a product of 4 bits differs", qy_instruction_set(set));
            }
    }
    let_go();
}

/* A number as docs/bundle-format.md makes it a byte. */
static void as_bytes(const qy_product *w, const float *x, int *values, double *scale) {
    float most = w->input_kind == QY_ROW ? 1e-6f : -0.17f;
    for (int k = 0; k < w->inputs; k++) {
        float size = w->input_kind == QY_ROW ? fabsf(x[k]) : x[k];
        most = size > most ? size : most;
    }
    *scale = w->input_kind == QY_ROW ? most / 127.0f : 1;
    if (w->input_kind == QY_FLOOR) *scale = (most + 0.17f) / 255.0f;
    for (int k = 0; k < w->inputs; k++) {
        float at = w->input_kind == QY_FIXED  ? x[k] * w->input_scale[k]
                   : w->input_kind == QY_ROW ? x[k] * (127.0f / most)
                                             : (x[k] + 0.17f) * (255.0f / (most + 0.17f));
        float low = w->input_kind == QY_FLOOR ? 0 : -128, high = low + 255;
        at = rintf(at);
        values[k] = (int)(at < low ? low : at > high ? high : at);
    }
}

/* Whether two sets sum the same bytes and finish the sums alike. */
static int same_bits(const char *better, const char *set) {
    return (!strcmp(better, "amx") && !strcmp(set, "avx512_vnni")) ||
           (!strcmp(better, "i8mm") && !strcmp(set, "dotprod"));
}

static void try_product(void) {
    int outputs = 1 + (int)draw(140), inputs = 1 + (int)draw(300), rows = 1 + (int)draw(70);
    int kind = QY_FIXED + (int)draw(3), extreme = draw(3) == 0;
    qy_product w = product(outputs, inputs, kind, extreme);
    float *x = floats(rows * inputs, kind == QY_FLOOR ? -0.17f : -4, 4);
    if (extreme)
        for (int i = 0; i < rows * inputs; i++) x[i] = draw(2) ? 9 : kind == QY_FLOOR ? 8 : -9;
    float *y = array(sizeof(float) * (size_t)(rows * outputs));
    float *before = array(sizeof(float) * (size_t)(rows * outputs));
    int *values = array(sizeof(int) * (size_t)inputs);
    for (int set = 0; qy_instruction_set(set); set++) {
        if (qy_multiply(&w, x, y, rows, set) != QY_OK) fail("multiply", qy_instruction_set(set));
        if (tiles_in_use()) fail("tiles stay in use", qy_instruction_set(set));
        if (set && same_bits(qy_instruction_set(set - 1), qy_instruction_set(set)) &&
            memcmp(before, y, sizeof(float) * (size_t)(rows * outputs)))
            fail("a product differs from that of the set before", qy_instruction_set(set));
        memcpy(before, y, sizeof(float) * (size_t)(rows * outputs));
        for (int row = 0; row < rows; row++) {
            double scale;
            as_bytes(&w, x + row * inputs, values, &scale);
            for (int n = 0; n < outputs; n++) {
                int64_t sum = 0;
                for (int k = 0; k < inputs; k++)
                    sum += (int64_t)values[k] *
                           ((const int8_t *)w.weight)[place(n, k, inputs)];
                double right = (double)sum * scale * (double)w.weight_scale[n] + (double)w.bias[n];
                double size = fabs((double)sum * scale * (double)w.weight_scale[n]) + 1;
                if (!(fabs(right - (double)y[row * outputs + n]) < 2e-6 * size))
                    fail("a product differs", qy_instruction_set(set));
            }
        }
    }
    let_go();
}

static qy_norm norm(int n) { return (qy_norm){floats(n, 0.8f, 1.2f), floats(n, -0.1f, 0.1f)}; }

static qy_table table(int rows, int width) {
    return (qy_table){floats(rows * width, -1, 1), NULL, rows, width, QY_FLOAT32, 0};
}

static qy_model model(void) {
    int heads = 1 + (int)draw(3), width = 4 + (int)draw(40), hidden = 5 + (int)draw(60);
    int wide = 7 + (int)draw(150), words = 20 + (int)draw(30);
    qy_layer *layers = array(sizeof(qy_layer) * LAYERS);
    for (int i = 0; i < LAYERS; i++) {
        layers[i] = (qy_layer){product(3 * heads * width, hidden, QY_FIXED, 0),
                               product(hidden, heads * width, QY_ROW, 0),
                               product(wide, hidden, QY_FIXED, 0),
                               product(hidden, wide, QY_FLOOR, 0), norm(hidden), norm(hidden)};
        if (draw(2)) continue;
        layers[i].qkv = nibbles(3 * heads * width, hidden, 6, 4);
        layers[i].inner = nibbles(wide, hidden, 6, 4);
        layers[i].outer = nibbles(hidden, wide, 6, 4);
    }
    qy_head *head = array(sizeof *head);
    *head = (qy_head){.branch = 1 + (int)draw(LAYERS), .transform = product(hidden, hidden, QY_FIXED, 0),
                      .output = product(words, hidden, QY_ROW, 0), .norm = norm(hidden),
                      .activation = QY_GELU};
    return (qy_model){.word = table(words, hidden), .position = table(MOST_TOKENS, hidden),
                      .type = table(2, hidden), .embedding_norm = norm(hidden), .layers = layers,
                      .heads = head, .layer_count = LAYERS, .head_count = 1, .hidden = hidden,
                      .attention_heads = heads, .head_width = width, .feed_forward = wide,
                      .activation = draw(2) ? QY_GELU : QY_GELU_TANH, .epsilon = 1e-12f};
}

/* `count` sequences of one group; their answers lie end to end. */
typedef struct {
    const qy_model *model;
    int64_t ids[MOST_TOKENS], types[MOST_TOKENS], rows[MOST_TOKENS], lengths[16], counts[16];
    int sequences, tokens, outputs;
    float *answer;
} texts;

static int32_t run(texts *t, int32_t head, int first, int count, int threads, int set, float *to) {
    int64_t token = 0, row = 0;
    for (int i = 0; i < first; i++) token += t->lengths[i], row += t->counts[i];
    qy_batch batch = {t->ids + token, t->types + token, t->rows + row, t->lengths + first,
                      t->counts + first, &head, &count, &to, count, 1};
    return qy_run(t->model, &batch, threads, set);
}

static void *call(void *argument) {
    texts *t = argument;
    for (int i = 0; i < 4; i++)
        if (run(t, 0, 0, t->sequences, 3, 0, t->answer) != QY_OK) fail("run", "a caller");
    return NULL;
}

/* Whether a set's attention has 16-bit integers, for which scores of these models are too large: up to
 * 800, where trained ones have 30. */
static int words_of(const char *set) { return !strcmp(set, "avx512_vnni"); }

static void try_encoder(void) {
    qy_model m = model();
    texts *t = array(sizeof *t);
    int64_t rows = 0;
    *t = (texts){.model = &m, .sequences = 1 + (int)draw(7), .outputs = m.heads[0].output.outputs};
    for (int i = 0; i < t->sequences; i++) {
        t->lengths[i] = 1 + draw(draw(4) ? 20 : 120);
        t->counts[i] = 1 + draw((unsigned)t->lengths[i]);
        for (int j = 0; j < t->counts[i]; j++) t->rows[rows++] = draw((unsigned)t->lengths[i]);
        for (int j = 0; j < t->lengths[i]; j++, t->tokens++) {
            t->ids[t->tokens] = draw((unsigned)m.word.rows);
            t->types[t->tokens] = draw(2);
        }
    }
    size_t numbers = (size_t)rows * (size_t)t->outputs, size = sizeof(float) * numbers;
    float *best = array(size), *other = array(size);
    int words = words_of(qy_instruction_set(0));
    for (int set = 0; qy_instruction_set(set); set++) {
        const char *name = qy_instruction_set(set);
        float *mine = set ? other : best, *again = array(size);
        if (run(t, 0, 0, t->sequences, 1, set, mine) != QY_OK) fail("run", name);
        if (tiles_in_use()) fail("tiles stay in use", name);
        for (int threads = 2; threads <= 3; threads++) {
            if (run(t, 0, 0, t->sequences, threads, set, again) != QY_OK) fail("run", name);
            if (memcmp(again, mine, size)) fail("threads change an answer", name);
        }
        float *at = again;
        for (int i = 0; i < t->sequences; at += t->counts[i++] * t->outputs)
            if (run(t, 0, i, 1, 1, set, at) != QY_OK) fail("run", name);
        if (memcmp(again, mine, size)) fail("company changes an answer", name);
        double product = 0, ours = 0, theirs = 0;
        for (size_t i = 0; i < numbers; i++) {
            product += (double)best[i] * (double)mine[i];
            ours += (double)best[i] * (double)best[i];
            theirs += (double)mine[i] * (double)mine[i];
        }
        if (!(product / sqrt(ours * theirs) > (words || words_of(name) ? 0.98 : 0.995)))
            fail("instruction sets disagree", name);
    }
    pthread_t callers[CALLERS];
    texts *copies = array(CALLERS * sizeof *copies);
    for (int i = 0; i < CALLERS; i++) {
        copies[i] = *t;
        copies[i].answer = array(size);
        if (pthread_create(&callers[i], NULL, call, &copies[i])) abort();
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
        if (memcmp(copies[i].answer, best, size)) fail("callers change an answer", "the best");
    }
    t->ids[draw((unsigned)t->tokens)] = m.word.rows;
    if (run(t, 0, 0, t->sequences, 2, 0, best) != QY_BAD_ARGUMENT) fail("a bad token", "the best");
    let_go();
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 50;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (int i = 0; i < rounds; i++) {
        try_product();
        try_nibbles();
        try_encoder();
    }
    printf("%d rounds:", rounds);
    for (int set = 0; qy_instruction_set(set); set++) printf(" %s", qy_instruction_set(set));
    printf("\n");
    return 0;
}
