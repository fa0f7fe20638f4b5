/* The pool: threads that wait for calls, spinning briefly and then asleep.
 *
 * A call is run by the thread that makes it and by the pool's idle threads. One call alone has them
 * all; of several at once, each has its own thread and what was idle as it came. */
#include "pool.h"

#include <stdlib.h>

#include "threads.h"

enum {
    MOST_THREADS = 256,
    SPINS_IDLE = 2000,    /* some 30 us: the time between two calls of one caller */
    SPINS_MEETING = 2000, /* then another has lost its core: it may have this one */
};

typedef struct {
    atomic_int ready; /* whether `task` is to be run */
    int busy;         /* under the lock: taken by a call */
    team_task task;
    void *argument;
    team *all;
    int me;
    atomic_int *left; /* members of the team that have not finished */
} worker;

static mutex lock = MUTEX_INITIALIZER;
static condition woken = CONDITION_INITIALIZER;
static worker *workers[MOST_THREADS];
static int worker_count, callers, busy;

static THREAD_RESULT work(void *argument) {
    worker *self = argument;
    for (;;) {
        for (int spins = 0; spins < SPINS_IDLE && !atomic_load(&self->ready); spins++) relax();
        if (!atomic_load(&self->ready)) {
            mutex_lock(&lock);
            while (!atomic_load(&self->ready)) condition_wait(&woken, &lock);
            mutex_unlock(&lock);
        }
        atomic_int *left = self->left;
        self->task(self->argument, self->all, self->me);
        atomic_store(&self->ready, 0);
        mutex_lock(&lock);
        self->busy = 0;
        busy--;
        mutex_unlock(&lock);
        atomic_fetch_sub(left, 1); /* the caller may return now */
    }
    return 0;
}

/* One more worker, if the system gives a thread. Under the lock. */
static worker *new_worker(void) {
    worker *made = worker_count < MOST_THREADS ? calloc(1, sizeof *made) : NULL;
    if (made && !thread_start(work, made)) {
        free(made);
        made = NULL;
    }
    if (made) workers[worker_count++] = made;
    return made;
}

/* A forked child has none of the threads. */
static void forget(void) {
    mutex fresh = MUTEX_INITIALIZER;
    lock = fresh;
    worker_count = callers = busy = 0;
}

void pool_run(team_task task, void *argument, int threads) {
    worker *members[MOST_THREADS];
    team all = {0};
    atomic_int left = 0;
    int helpers = 0;
    mutex_lock(&lock);
    if (!worker_count && threads > 1) after_fork(forget);
    callers++;
    for (int i = 0; callers + busy < threads && helpers < MOST_THREADS; i++) {
        worker *candidate = i < worker_count ? workers[i] : new_worker();
        if (!candidate) break;
        if (candidate->busy) continue;
        candidate->busy = 1;
        busy++;
        members[helpers++] = candidate;
    }
    all.size = 1 + helpers;
    atomic_store(&left, helpers);
    for (int i = 0; i < helpers; i++) {
        members[i]->task = task;
        members[i]->argument = argument;
        members[i]->all = &all;
        members[i]->me = i + 1;
        members[i]->left = &left;
        atomic_store(&members[i]->ready, 1);
    }
    if (helpers) condition_broadcast(&woken);
    mutex_unlock(&lock);
    task(argument, &all, 0);
    for (int spins = 0; atomic_load(&left); spins++) spins < SPINS_MEETING ? relax() : yield();
    mutex_lock(&lock);
    callers--;
    mutex_unlock(&lock);
}

void team_wait(team *all) {
    if (all->size == 1) {
        atomic_store_explicit(&all->next, 0, memory_order_relaxed);
        return;
    }
    int round = atomic_load(&all->round);
    if (atomic_fetch_add(&all->arrived, 1) == all->size - 1) {
        atomic_store(&all->arrived, 0);
        atomic_store(&all->next, 0);
        atomic_store(&all->round, round + 1);
        return;
    }
    for (int spins = 0; atomic_load(&all->round) == round; spins++)
        spins < SPINS_MEETING ? relax() : yield();
}
