/* System calls that are interrupted by a signal are continued: interrupted FOLDER. Every second system call that can be
 * interrupted is, by functions that replace the C library's. interrupted FOLDER EPOCHS: a fit prints progress while a timer
 * sends signals, without SA_RESTART, faster than the output is read. */

#define _GNU_SOURCE
#include "paths.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/time.h>

static __thread int interrupting, turn;
static int interruptions;

/* Whether this call is interrupted. */
static int now(void)
{
    if (!interrupting || ++turn % 2 == 0)
        return 0;
    count(&interruptions);
    errno = EINTR;
    return 1;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define BEFORE(result, name, parameters, arguments)                                                                       \
    result name parameters;                                                                                               \
    result name parameters                                                                                                \
    {                                                                                                                     \
        if (now())                                                                                                        \
            return -1;                                                                                                    \
        result(*real) parameters;                                                                                         \
        *(void **)&real = next(#name);                                                                                    \
        return real arguments;                                                                                            \
    }

BEFORE(ssize_t, read, (int file, void *bytes, size_t len), (file, bytes, len))
BEFORE(ssize_t, write, (int file, const void *bytes, size_t len), (file, bytes, len))
BEFORE(int, fsync, (int file), (file))
BEFORE(int, rename, (const char *from, const char *to), (from, to))
BEFORE(int, unlink, (const char *path), (path))
BEFORE(ssize_t, readlink, (const char *path, char *to, size_t len), (path, to, len))

int open64(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    const int mode = va_arg(rest, int);
    va_end(rest);
    if (now())
        return -1;
    *(void **)&real = next("open64");
    return real(path, flags, mode);
}

static void on_alarm(int number)
{
    (void)number;
}

static void under_a_timer(const char *epochs)
{
    struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval often = {{0, 300}, {0, 300}};
    mnist_fit_options options = three_epochs();
    options.epochs = (size_t)atoi(epochs);
    options.verbose = 2;
    sigaction(SIGALRM, &action, NULL);
    fcntl(1, F_SETPIPE_SZ, 4096);
    setitimer(ITIMER_REAL, &often, NULL);
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_summary(model, NULL, NULL, error));
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    begin(argv[1]);
    if (argc > 2) {
        alarm(0);
        under_a_timer(argv[2]);
        return end();
    }
    TRUE(symlink("weights", in("link")) == 0);
    interrupting = 1;
    ALL_WORK();
    WORKS(save_weights(in("link")));
    WRITES_FAIL(INVALID_ARGUMENT, "not the name of a file", in("x/"));
    WORKS(mnist_model_summary(model, NULL, NULL, error));
    interrupting = 0;
    TRUE(interruptions > 100);
    printf("%d interruptions\n", interruptions);
    return end();
}
