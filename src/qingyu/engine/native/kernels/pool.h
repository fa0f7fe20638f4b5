/* A few threads that the whole process shares, and the team of them that runs one call. */
#ifndef QINGYU_POOL_H
#define QINGYU_POOL_H

#include <stdatomic.h>

/* Threads that run the same function together. All meet at team_wait; work is dealt out by
 * team_take, or by index from `me` in steps of `size`. */
typedef struct {
    atomic_int arrived, round; /* the barrier */
    atomic_int next;           /* the next piece of work to be taken */
    int size;
} team;

typedef void (*team_task)(void *argument, team *all, int me);

/* Run task(argument, team, 0 .. size - 1) on this thread and on as many of the pool's as are idle,
 * `threads` together at most. Returns when all have. */
void pool_run(team_task task, void *argument, int threads);

/* Wait until every member is here. What each wrote before, all see after; `next` is 0 again. */
void team_wait(team *all);

/* The next piece of work nobody has taken since the last team_wait. */
static inline int team_take(team *all) {
    return atomic_fetch_add_explicit(&all->next, 1, memory_order_relaxed);
}

#endif
