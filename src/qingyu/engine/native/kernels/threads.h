/* Threads, locks and a pause, of POSIX and of Windows. */
#ifndef QINGYU_THREADS_H
#define QINGYU_THREADS_H

#if defined(__x86_64__) || defined(__i386__)
static inline void relax(void) { __builtin_ia32_pause(); }
#elif defined(__aarch64__)
static inline void relax(void) { __asm__ volatile("yield"); }
#else
static inline void relax(void) {}
#endif

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK mutex;
typedef CONDITION_VARIABLE condition;
#define MUTEX_INITIALIZER SRWLOCK_INIT
#define CONDITION_INITIALIZER CONDITION_VARIABLE_INIT
#define THREAD_RESULT DWORD WINAPI
static inline void mutex_lock(mutex *m) { AcquireSRWLockExclusive(m); }
static inline void mutex_unlock(mutex *m) { ReleaseSRWLockExclusive(m); }
static inline void condition_wait(condition *c, mutex *m) {
    SleepConditionVariableSRW(c, m, INFINITE, 0);
}
static inline void condition_broadcast(condition *c) { WakeAllConditionVariable(c); }
static inline void yield(void) { SwitchToThread(); }
static inline void after_fork(void (*forget)(void)) { (void)forget; }
static inline int thread_start(LPTHREAD_START_ROUTINE run, void *argument) {
    HANDLE thread = CreateThread(NULL, 0, run, argument, 0, NULL);
    if (thread) CloseHandle(thread);
    return thread != NULL;
}
#else
#include <pthread.h>
#include <sched.h>
#include <signal.h>

typedef pthread_mutex_t mutex;
typedef pthread_cond_t condition;
#define MUTEX_INITIALIZER PTHREAD_MUTEX_INITIALIZER
#define CONDITION_INITIALIZER PTHREAD_COND_INITIALIZER
#define THREAD_RESULT void *
static inline void mutex_lock(mutex *m) { pthread_mutex_lock(m); }
static inline void mutex_unlock(mutex *m) { pthread_mutex_unlock(m); }
static inline void condition_wait(condition *c, mutex *m) { pthread_cond_wait(c, m); }
static inline void condition_broadcast(condition *c) { pthread_cond_broadcast(c); }
static inline void yield(void) { sched_yield(); }
static inline void after_fork(void (*forget)(void)) { pthread_atfork(NULL, NULL, forget); }
static inline int thread_start(void *(*run)(void *), void *argument) {
    sigset_t every, before; /* signals are for Python's threads */
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) pthread_detach(thread);
    return !failed;
}
#endif

#endif
