/* Loads MNIST from Keras's cache on a thread with a small stack, and prints the result: the sizes, or the status and the
 * message. With "closed" the standard descriptors are closed during the call, and another thread uses them; with "signals"
 * a timer interrupts the thread all the time. */

#define _DEFAULT_SOURCE
#include <mnist.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char outcome[8192];
static int failed, ended, landed;

static void *load(void *unused)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train = NULL, *test = NULL;
    const mnist_status status = mnist_load_data(NULL, &train, &test, error);
    failed = status != MNIST_OK;
    if (failed)
        snprintf(outcome, sizeof outcome, "%s: %s\n", mnist_status_name(status), mnist_error_message(error));
    else
        snprintf(outcome, sizeof outcome, "%zu %zu\n", mnist_dataset_len(train), mnist_dataset_len(test));
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return unused;
}

static void *use_closed_ones(void *unused)
{
    char byte;
    while (!__atomic_load_n(&ended, __ATOMIC_SEQ_CST))
        for (int i = 0; i < 3; i++)
            landed += write(i, "printed\n", 8) > 0 || read(i, &byte, 1) > 0;
    return unused;
}

static void on_alarm(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    pthread_t thread, other;
    pthread_attr_t attributes;
    const char *how = argc > 1 ? argv[1] : "";
    const int closed = strcmp(how, "closed") == 0, replaced = strcmp(how, "replaced") == 0, signals = strcmp(how, "signals") == 0;
    const int out = fcntl(1, F_DUPFD, 10);
    signal(SIGPIPE, SIG_IGN); /* for use_closed_ones */
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, 128 * 1024) != 0)
        return 2;
    if (closed || replaced)
        close(0), close(1), close(2);
    if (closed)
        pthread_create(&other, NULL, use_closed_ones, NULL);
    if (signals) {
        struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
        sigaction(SIGALRM, &action, NULL);
    }
    if (pthread_create(&thread, &attributes, load, NULL) != 0)
        return 2;
    if (signals) {
        const struct itimerval often = {{0, 500}, {0, 500}};
        sigset_t alarms;
        sigemptyset(&alarms);
        sigaddset(&alarms, SIGALRM);
        pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* the other thread receives them */
        setitimer(ITIMER_REAL, &often, NULL);
    }
    for (int i = 0; i < 3 && replaced; i++) {
        while (fcntl(i, F_GETFD) < 0)
            usleep(100); /* until the library has occupied it */
        dup2(out, i);
    }
    if (pthread_join(thread, NULL) != 0)
        return 2;
    for (int i = 0; i < 3 && replaced; i++)
        if (fcntl(i, F_GETFD) < 0)
            dprintf(out, "the library has closed descriptor %d, which was the host's\n", i);
    if (closed) {
        __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
        pthread_join(other, NULL);
        dup2(out, 1);
    }
    if (landed)
        printf("%d times a descriptor of the library's was used\n", landed);
    printf("%s", outcome);
    return failed;
}
