/* Children forked while another thread trains: they get an error for the parent's model, can use models of their own, and
 * never hang. All have the same process number here, as is possible in namespaces, so the library cannot use that number. */

#include "expect.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

pid_t getpid(void)
{
    return 4711;
}

static mnist_dataset *data;

static void *train(void *model)
{
    mnist_fit_options options = quiet();
    options.epochs = 1000000;
    mnist_error *mine = mnist_error_new();
    const mnist_status status = mnist_model_fit(model, data, &options, NULL, mine);
    mnist_error_free(mine);
    return status == MNIST_CANCELLED ? NULL : model;
}

/* The child's checks; returns the number of failed ones. */
static int child(mnist_model *parents)
{
    float image[64] = {0}, p[10];
    mnist_fit_options options = quiet();
    alarm(60); /* ends a child that hangs */
    FAILS(STATE, "belongs to another process", mnist_model_predict(parents, image, 1, p, 10, error));
    FAILS(STATE, "belongs to another process", mnist_model_fit(parents, data, &options, NULL, error));
    FAILS(STATE, "belongs to another process", mnist_model_save_weights(parents, "w", error));
    TRUE(mnist_model_count_params(parents) > 0);
    mnist_model_cancel(parents);
    mnist_model_free(parents);

    mnist_model *own = network(8, 2, 4);
    mnist_dataset *few = noise(40, 8);
    WORKS(mnist_model_compile(own, NULL, error));
    WORKS(mnist_model_fit(own, few, &options, NULL, error));
    WORKS(mnist_model_predict(own, image, 1, p, 10, error));
    mnist_model_free(own);
    mnist_dataset_free(few);
    return failures;
}

int main(void)
{
    error = mnist_error_new();
    mnist_model *model = network(8, 4, 16);
    data = noise(320, 8);
    WORKS(mnist_model_compile(model, NULL, error));
    pthread_t thread;
    TRUE(pthread_create(&thread, NULL, train, model) == 0);
    for (int i = 0; i < 25; i++) {
        const struct timespec pause = {0, 1000000 + 300000 * i};
        nanosleep(&pause, NULL);
        const pid_t pid = fork();
        if (pid == 0)
            _exit(child(model));
        int status = -1;
        TRUE(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    void *failed = model;
    mnist_model_cancel(model);
    TRUE(pthread_join(thread, &failed) == 0 && failed == NULL);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
