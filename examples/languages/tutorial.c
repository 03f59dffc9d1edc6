/* What the programs in the folders beside this one do, in C: the Keras MNIST tutorial on a part of the data, a fit that
 * another thread cancels, and a call that fails. All of them print the same text and save the same weights.
 *
 *     tutorial DATA WEIGHTS */

#include <mnist.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

static const mnist_model *model_in_use; /* what the canceller stops */
static sem_t started;

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) { /* MNIST_CANCELLED is above 0: that a fit was stopped is no failure */
        fprintf(stderr, "%s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* The first `count` images of a dataset, their pixels from 0 to 1; the dataset itself is freed. */
static mnist_dataset *first(mnist_dataset *all, size_t count, mnist_error *error)
{
    mnist_dataset *some;
    check(mnist_dataset_slice(all, 0, count, &some, error), error);
    check(mnist_dataset_normalize(some, 255.0f, error), error);
    mnist_dataset_free(all);
    return some;
}

/* The tutorial's network. A layer call that fails gives NULL, the next one passes it on, and mnist_model_new says why. */
static mnist_model *build(mnist_error *error)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, 42);
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_flatten(x);
    x = mnist_dense(x, 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "tutorial", &model, error), error);
    mnist_graph_free(graph);
    return model;
}

/* Non-zero would stop the fit. */
static int32_t show_progress(void *user_data, const mnist_progress *progress)
{
    (void)user_data;
    if ((progress->batch + 1) % 20 == 0)
        printf("batch %3zu of %zu: loss %.4f, accuracy %.4f\n", progress->batch + 1, progress->batches, progress->loss,
               progress->accuracy);
    return 0;
}

static int32_t tell_that_it_runs(void *user_data, const mnist_progress *progress)
{
    if (progress->batch == 0)
        sem_post(user_data);
    return 0;
}

static void *cancel(void *unused)
{
    sem_wait(&started); /* a cancel before the fit has begun would be forgotten */
    mnist_model_cancel(model_in_use);
    return unused;
}

int main(int argc, char **argv)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    if (argc != 3)
        return 2;
    printf("libmnist %s\n", mnist_version());
    check(mnist_load_data(argv[1], &train, &test, error), error);
    train = first(train, 3200, error);
    test = first(test, 1000, error);
    printf("%zu images to learn from, %zu to test with\n", mnist_dataset_len(train), mnist_dataset_len(test));

    mnist_model *model = build(error);
    check(mnist_model_compile(model, NULL, error), error); /* Adam, as Keras has it */

    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.verbose = 0;
    options.seed = 7;
    options.on_batch_end = show_progress;
    check(mnist_model_fit(model, train, &options, NULL, error), error);

    mnist_metrics metrics;
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    printf("test: loss %.4f, accuracy %.4f\n", metrics.loss, metrics.accuracy);

    float image[28 * 28], probabilities[10];
    uint32_t label, best = 0;
    check(mnist_dataset_image(test, 0, image, 28 * 28, &label, error), error);
    check(mnist_model_predict(model, image, 1, probabilities, 10, error), error);
    for (uint32_t i = 1; i < 10; i++)
        best = probabilities[i] > probabilities[best] ? i : best;
    printf("a %u, taken for a %u with %.2f%%\n", (unsigned)label, (unsigned)best, 100.0 * probabilities[best]);
    check(mnist_model_save_weights(model, argv[2], error), error);

    pthread_t canceller;
    model_in_use = model;
    sem_init(&started, 0, 0);
    pthread_create(&canceller, NULL, cancel, NULL);
    options.epochs = 1000;
    options.on_batch_end = tell_that_it_runs;
    options.user_data = &started;
    const mnist_status cancelled = mnist_model_fit(model, train, &options, NULL, error);
    check(cancelled, error);
    printf("a long fit: %s\n", mnist_status_name(cancelled));
    pthread_join(canceller, NULL);

    mnist_model_free(model), mnist_dataset_free(train), mnist_dataset_free(test);
    const mnist_status failed = mnist_load_data("nothing.npz", &train, &test, error);
    printf("an error: %s: %s\n", mnist_status_name(failed), mnist_error_message(error));
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
