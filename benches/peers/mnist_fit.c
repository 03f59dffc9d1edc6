/* Trains the tutorial's network with libmnist; prints one line of JSON, as the peers beside it do.
 *
 *     mnist_fit [--steps N] [--batch N] [--threads N] [--data FILE] */

#define _POSIX_C_SOURCE 200809L

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static mnist_error *error;

static void check(mnist_status status)
{
    if (status != MNIST_OK) {
        fprintf(stderr, "mnist_fit: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* As the peers: the first 64 steps are left out. */
struct steps {
    double start, end;
    size_t first, last;
};

static int32_t on_batch_end(void *user_data, const mnist_progress *progress)
{
    struct steps *steps = user_data;
    if (progress->batch == 63) {
        steps->start = now();
        steps->first = progress->batch;
    }
    steps->end = now();
    steps->last = progress->batch;
    return 0;
}

static mnist_model *build(void)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, NULL, &model, error));
    mnist_graph_free(graph);
    return model;
}

static double fit(mnist_model *model, const mnist_dataset *train, size_t steps, size_t batch)
{
    struct steps timed = {0, 0, 0, 0};
    mnist_dataset *some;
    mnist_fit_options options;
    const size_t images = steps * batch < mnist_dataset_len(train) ? steps * batch : mnist_dataset_len(train);
    mnist_fit_options_init(&options);
    options.batch_size = batch;
    options.verbose = 0;
    options.on_batch_end = on_batch_end;
    options.user_data = &timed;
    check(mnist_dataset_slice(train, 0, images, &some, error));
    check(mnist_model_compile(model, NULL, error));
    check(mnist_model_fit(model, some, &options, NULL, error));
    mnist_dataset_free(some);
    return (timed.end - timed.start) / (double)(timed.last - timed.first) * 1e3;
}

int main(int argc, char **argv)
{
    size_t steps = 400, batch = 32, threads = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    const char *data = "examples/data/mnist.npz";
    for (int i = 1; i + 1 < argc; i += 2) {
        const size_t number = (size_t)strtoul(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--steps"))
            steps = number;
        else if (!strcmp(argv[i], "--batch"))
            batch = number;
        else if (!strcmp(argv[i], "--threads"))
            threads = number;
        else if (!strcmp(argv[i], "--data"))
            data = argv[i + 1];
    }
    error = mnist_error_new();
    mnist_dataset *train, *test, *some;
    check(mnist_load_data(data, &train, &test, error));
    check(mnist_dataset_normalize(train, 255.0f, error));
    check(mnist_dataset_normalize(test, 255.0f, error));
    mnist_model *model = build();
    check(mnist_model_set_threads(model, threads, error));
    const double ms = fit(model, train, steps, batch);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);

    float pixels[28 * 28], probabilities[10];
    check(mnist_dataset_image(test, 0, pixels, 28 * 28, NULL, error));
    for (int i = 0; i < 5; i++)
        check(mnist_model_predict(model, pixels, 1, probabilities, 10, error));
    double t = now();
    for (int i = 0; i < 200; i++)
        check(mnist_model_predict(model, pixels, 1, probabilities, 10, error));
    const double one = (now() - t) / 200 * 1e3;

    mnist_metrics metrics;
    mnist_evaluate_options options;
    mnist_evaluate_options_init(&options);
    options.batch_size = 256;
    check(mnist_dataset_slice(test, 0, 256, &some, error));
    check(mnist_model_evaluate(model, some, &options, &metrics, error));
    t = now();
    check(mnist_model_evaluate(model, test, &options, &metrics, error));
    printf("{\"peer\": \"libmnist\", \"version\": \"%s\", \"threads\": %zu, \"batch\": %zu, \"ms_per_step\": %.2f, "
           "\"evaluate_ms_per_1000\": %.1f, \"predict_one_ms\": %.3f, \"peak_rss_mb\": %ld}\n",
           mnist_version(), threads, batch, ms, (now() - t) / 10 * 1e3, one, usage.ru_maxrss / 1024);
    mnist_dataset_free(some);
    mnist_model_free(model);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
