/* Text on stdout while signals arrive all the time, whose handler has no SA_RESTART, and the reader is slow: no byte may be
 * lost. Then the same with a non-blocking stdout. */

#define _GNU_SOURCE

#include "expect.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 60, ROOM = 1 << 20 };

static char expected[ROOM];
static size_t expected_len;
static volatile sig_atomic_t signals;

static void collect(void *unused, const char *text, size_t len)
{
    (void)unused;
    memcpy(expected + expected_len, text, len);
    expected_len += len;
}

static void on_alarm(int number)
{
    (void)number;
    signals++;
}

/* Reads slowly, and returns whether the text was complete. */
static int reader(int from)
{
    static char got[ROOM];
    size_t len = 0;
    ssize_t count;
    while ((count = read(from, got + len, 500)) > 0) {
        len += (size_t)count;
        nanosleep(&(struct timespec){0, 300000}, NULL);
    }
    if (len != expected_len * TIMES)
        fprintf(stderr, "%zu bytes came instead of %zu\n", len, expected_len * TIMES);
    for (size_t i = 0; i < len && len == expected_len * TIMES; i++)
        if (got[i] != expected[i % expected_len])
            return 1;
    return len != expected_len * TIMES;
}

static void write_slowly(mnist_model *model, int flags)
{
    int ends[2], status = -1;
    const int real = dup(1);
    TRUE(pipe(ends) == 0);
    (void)!fcntl(ends[1], F_SETPIPE_SZ, 4096);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        signal(SIGALRM, SIG_IGN);
        _exit(reader(ends[0]));
    }
    close(ends[0]);
    fcntl(ends[1], F_SETFL, flags);
    dup2(ends[1], 1);
    close(ends[1]);
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < TIMES; i++)
        WORKS(mnist_model_summary(model, NULL, NULL, error));
    setitimer(ITIMER_REAL, &never, NULL);
    dup2(real, 1);
    close(real);
    while (waitpid(child, &status, 0) != child) {
    }
    TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    error = mnist_error_new();
    mnist_model *model = network(8, 4, 16);
    WORKS(mnist_model_summary(model, collect, NULL, error));
    sigaction(SIGALRM, &action, NULL);
    write_slowly(model, 0);
    write_slowly(model, O_NONBLOCK);
    TRUE(signals > 20);

    /* Includes a fit. */
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    mnist_dataset *data = noise(320, 8);
    mnist_fit_options options = quiet();
    WORKS(mnist_model_compile(model, NULL, error));
    setitimer(ITIMER_REAL, &often, NULL);
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    setitimer(ITIMER_REAL, &never, NULL);
    mnist_dataset_free(data);
    mnist_model_free(model);
    return report();
}
