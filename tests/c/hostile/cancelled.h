/* Every function on a thread that is cancelled. No call is a cancellation point, even if a callback is one, and no call is
 * interrupted. The thread ends after the call, and everything can be used as before. */

#ifndef CANCELLED_H
#define CANCELLED_H

#include <poll.h>
#include <sched.h>
#include <signal.h>
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

/* A pthread_cancel that began before may send its signal only now, and glibc (2.36) would act on it inside the next function
 * that blocks, although cancellation is disabled. So one is called here: at its end glibc waits for the signal. */
static void no_longer(void)
{
    not_now();
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    poll(NULL, 0, 0);
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
        pthread_cancel(thread);
    }
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED)
        complain(nanoseconds >= 0 ? "not cancelled asynchronously" : "not cancelled after it", (value){.p = result}, "");
    just_before = just_after = NULL;
    cancelled_threads++;
}

#if defined __GLIBC__ && defined __x86_64__
#include <ucontext.h>

#define STEPS

/* The instructions of pthread_cancel before its first system call, which blocks signals: how many were executed, and the one
 * before which the thread's call begins. Where that thread is. */
static volatile sig_atomic_t step, begin_at;
static int may_begin, in_callback, has_ended;

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){0, 100000}, NULL);
}

/* Before each instruction: at the chosen one, lets the call begin, and gives it time to come to its callback. */
static void on_step(int signal, siginfo_t *info, void *context)
{
    mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
    const unsigned char *next = (const unsigned char *)machine->gregs[REG_RIP];
    const int at_system_call = next[0] == 0x0f && next[1] == 0x05;
    (void)signal, (void)info;
    if (!at_system_call && ++step < begin_at)
        return;
    machine->gregs[REG_EFL] &= ~0x100; /* no more steps */
    if (at_system_call)
        return;
    __atomic_store_n(&may_begin, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 50 && !__atomic_load_n(&in_callback, __ATOMIC_SEQ_CST); i++)
        pause_briefly();
}

/* Blocks until pthread_cancel has ended. */
static void block(void *user_data, const char *text, size_t len)
{
    collect(user_data, text, len);
    __atomic_store_n(&in_callback, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&has_ended, __ATOMIC_SEQ_CST))
        pause_briefly();
}

static void *summary(void *unused)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    __atomic_store_n(&open_to_it, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&may_begin, __ATOMIC_SEQ_CST))
        continue;
    mnist_model_summary(good.model, block, NULL, NULL);
    not_now();
    return unused;
}

/* Cancels a thread whose call begins while pthread_cancel is at a certain instruction. Returns whether it has that many. */
static int cancel_at(int instruction)
{
    pthread_t thread;
    void *result = NULL;
    open_to_it = may_begin = in_callback = has_ended = 0;
    step = 0, begin_at = instruction;
    if (pthread_create(&thread, NULL, summary, NULL) != 0)
        give_up("cannot start", "a thread", "");
    while (!__atomic_load_n(&open_to_it, __ATOMIC_SEQ_CST))
        sched_yield();
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc"); /* one step at a time */
    pthread_cancel(thread);
    __atomic_store_n(&has_ended, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&may_begin, 1, __ATOMIC_SEQ_CST);
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED)
        complain("not cancelled at an instruction of pthread_cancel", (value){.u = (uint64_t)instruction}, "");
    return step >= instruction;
}

/* pthread_cancel begins before the call, and sends its signal during it. The thread must end before or after the call, never in
 * it, and the call must not wait for ever. */
static void try_each_instruction(void)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, before;
    int instruction = 1;
    sigaction(SIGTRAP, &action, &before);
    while (cancel_at(instruction))
        instruction++;
    sigaction(SIGTRAP, &before, NULL);
    if (instruction < 20)
        complain("pthread_cancel has fewer instructions than it can have", (value){.u = (uint64_t)instruction}, "");
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
