/* The time of the tutorial's steps on the ranks of an MPI program: step DATA [STEPS [THREADS]], one thread in each rank by default. The
 * batch of 32 is that of all ranks together. With one rank there is no communicator: it is the fit of one process. */
#define _POSIX_C_SOURCE 200809L

#include <mnist.h>
#include <mnist_mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct timespec *ends; /* of the steps */
static size_t ended;

static int32_t on_batch_end(void *unused, const mnist_progress *progress)
{
    (void)progress;
    clock_gettime(CLOCK_MONOTONIC, &ends[ended++]);
    return unused != NULL;
}

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "step: %s\n", mnist_error_message(error));
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
}

static int by_time(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const size_t steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    const size_t threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all, *test, *train;
    mnist_model *model;
    mnist_fit_options fit;
    MPI_Comm ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
    const mnist_communicator communicator = mnist_mpi_communicator(&ranks);

    check(mnist_load_data(argv[1], &all, &test, error), error);
    check(mnist_dataset_slice(all, 0, 32 * steps, &train, error), error);
    check(mnist_dataset_normalize(train, 255.0f, error), error);
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_flatten(mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU));
    x = mnist_dense(mnist_dense(x, 128, MNIST_ACTIVATION_RELU), 10, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "tutorial", &model, error), error);
    check(mnist_model_set_threads(model, threads, error), error);
    check(mnist_model_compile(model, NULL, error), error);

    mnist_fit_options_init(&fit, sizeof fit);
    fit.verbose = 0;
    fit.on_batch_end = on_batch_end;
    fit.communicator = communicator.size > 1 ? &communicator : NULL;
    ends = malloc(steps * sizeof *ends);
    double *times = malloc(steps * sizeof *times);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);

    /* The first third is left out: the caches are cold, and relu's output has fewer zeros. */
    size_t count = 0;
    for (size_t i = steps / 3; i < steps; i++)
        times[count++] = 1e3 * (double)(ends[i].tv_sec - ends[i - 1].tv_sec) + 1e-6 * (double)(ends[i].tv_nsec - ends[i - 1].tv_nsec);
    qsort(times, count, sizeof *times, by_time);
    if (communicator.rank == 0)
        printf("%d ranks: %.2f ms a step\n", (int)communicator.size, times[count / 2]);

    free(times), free(ends);
    mnist_model_free(model), mnist_graph_free(graph);
    mnist_dataset_free(train), mnist_dataset_free(all), mnist_dataset_free(test), mnist_error_free(error);
    MPI_Comm_free(&ranks);
    return MPI_Finalize() == MPI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
