/* Every function on a thread that is cancelled. No call is a cancellation point, even if a callback is one, and no call is
 * interrupted. The thread ends after the call, and everything can be used as before. */

#ifndef CANCELLED_H
#define CANCELLED_H

#include <sched.h>
#include <time.h>

enum { ASYNCHRONOUS_ROUNDS = 12 };

static size_t cancelled_threads;

/* Whether the call has returned, and the cancellation state and type of the thread after it. */
static int returned, state_after;

static void cancel_myself(void)
{
    returned = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_cancel(pthread_self());
}

static void not_now(void)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state_after);
    returned = 1;
}

/* Cancelled before the call begins (deferred). */
static void *deferred(void *unused)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    just_before = cancel_myself;
    just_after = not_now;
    call_and_check(error, MAY_WORK);
    just_before = just_after = NULL;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    return unused;
}

/* Set while the thread is at a point where it may end. */
static int open_to_it;

/* The type is set last: with an asynchronous type, enabling the state may end the thread inside that call. */
static void from_now(void)
{
    __atomic_store_n(&open_to_it, 1, __ATOMIC_SEQ_CST);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
}

/* Set while the other thread is inside pthread_cancel. */
static int cancelling;

/* pthread_cancel may send its signal only now, and glibc would act on it inside the next function that blocks, although
 * cancellation is disabled. So this waits for the signal; the last call to the kernel delivers it. */
static void no_longer(void)
{
    not_now();
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    while (__atomic_load_n(&cancelling, __ATOMIC_SEQ_CST))
        sched_yield();
    sched_yield();
}

/* Repeats the call, so that it can be cancelled at any instruction. */
static void *asynchronous(void *unused)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    just_before = from_now;
    just_after = no_longer;
    while (just_before) { /* endlessly, until it is cancelled */
        const value result = call(error);
        free_results(result);
        restore(result);
    }
    return unused;
}

/* Runs the function on a thread and joins it; the thread must have ended by cancellation. */
static void on_a_thread(void *(*run)(void *), long nanoseconds)
{
    pthread_t thread;
    void *result = NULL;
    open_to_it = 0;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        give_up("cannot start", "a thread", "");
    if (nanoseconds >= 0) {
        while (!__atomic_load_n(&open_to_it, __ATOMIC_SEQ_CST))
            sched_yield();
        nanosleep(&(struct timespec){0, nanoseconds}, NULL);
        __atomic_store_n(&cancelling, 1, __ATOMIC_SEQ_CST);
        pthread_cancel(thread);
        __atomic_store_n(&cancelling, 0, __ATOMIC_SEQ_CST);
    }
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED)
        complain(nanoseconds >= 0 ? "not cancelled asynchronously" : "not cancelled after it", (value){.p = result}, "");
    just_before = just_after = NULL;
    cancelled_threads++;
}

#ifdef __GLIBC__
#include <sys/syscall.h>

long syscall(long number, ...);

enum { CANCELLATION_SIGNAL = 32 };

/* The thread that is in the callback, and whether it has been sent all signals. */
static long in_callback;
static int all_sent;

/* Blocks until the signals must have come. */
static void wait_for_signals(void *user_data, const char *text, size_t len)
{
    collect(user_data, text, len);
    __atomic_store_n(&in_callback, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&all_sent, __ATOMIC_SEQ_CST))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void *summary(void *unused)
{
    from_now();
    mnist_model_summary(good.model, wait_for_signals, NULL, NULL);
    not_now();
    complain("the thread lives on after a cancellation", (value){0}, "");
    return unused;
}

/* A pthread_cancel that began before the call, but sends its signal only during it (see no_longer): sends the signal
 * itself. The thread must end after the call and not in it. */
static void try_late_signal(void)
{
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, summary, NULL) != 0)
        give_up("cannot start", "a thread", "");
    while (__atomic_load_n(&in_callback, __ATOMIC_SEQ_CST) == 0)
        sched_yield();
    for (int i = 0; i < 20; i++) {
        syscall(SYS_tgkill, syscall(SYS_getpid), __atomic_load_n(&in_callback, __ATOMIC_SEQ_CST), CANCELLATION_SIGNAL);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    __atomic_store_n(&all_sent, 1, __ATOMIC_SEQ_CST);
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED)
        complain("not cancelled by a late signal", (value){.p = result}, "");
}
#endif

static void try_cancelled(const struct function *f)
{
    static uint32_t random = 1;
    now.function = f;
    find_good();
    look_for_cancelling = 1;
    on_a_thread(deferred, -1);
    look_for_cancelling = 0;
    if (!returned || state_after != PTHREAD_CANCEL_ENABLE)
        complain("cancelled inside, or it may not be cancelled after", (value){0}, "");
    for (int round = 0; round < ASYNCHRONOUS_ROUNDS; round++) {
        random = random * 1664525u + 1013904223u;
        on_a_thread(asynchronous, (long)(random >> 8) % 300000);
        /* It is unknown whether an object was freed, so a new one is created. */
        for (size_t i = 0; i < f->count; i++)
            if ((f->places[i].kind == OBJECT && !f->places[i].constant && !is_text(f, i)) || f->places[i].kind == OBJECTS)
                remake(f->places[i].type, 0);
        call_and_check(error, MUST_WORK);
    }
}

#endif
