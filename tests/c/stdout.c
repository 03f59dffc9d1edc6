/* Text on C's own stdout: it appears where printf would put it, a line is not redrawn in a file, and a thread that waits
 * for input does not block it. The caller keeps standard input open and silent. */

#include "expect.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static void *wait_for_input(void *unused)
{
    getchar();
    return unused;
}

int main(void)
{
    pthread_t reader;
    error = mnist_error_new();
    mnist_dataset *data = noise(64, 8);
    mnist_model *model = network(8, 4, 16);
    mnist_fit_options options = quiet();
    options.verbose = 1;
    options.epochs = 2;

    alarm(60); /* ends a program that hangs */
    TRUE(pthread_create(&reader, NULL, wait_for_input, NULL) == 0);
    nanosleep(&(struct timespec){0, 100000000}, NULL); /* until it waits, which cannot be detected */
    printf("before ");
    WORKS(mnist_model_summary(model, NULL, NULL, error));
    printf("between ");
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    printf("after\n");
    const int failed = report();
    fflush(stdout);
    _exit(failed); /* the reading thread still waits */
}
