/* Fit: training with options and callbacks, its history, and steps one at a time.
 *
 *     fit [DATA]     (default: data/mnist.npz) */

#include "network.h"

#include <string.h>

static mnist_error *error;

/* Is called after each step, and ends the fit when the loss is low enough. */
static int32_t on_batch_end(void *user_data, const mnist_progress *progress)
{
    const double *enough = user_data;
    return progress->loss < *enough;
}

/* Is called after each epoch. Any metric is asked for by its name. */
static int32_t on_epoch_end(void *user_data, const mnist_progress *progress)
{
    double accuracy;
    (void)user_data;
    check(mnist_progress_get(progress, "val_accuracy", &accuracy, error), error);
    printf("epoch %zu of %zu: %.2f\n", progress->epoch + 1, progress->epochs, accuracy);
    return 0;
}

/* All that was measured, epoch by epoch. */
static void show(const mnist_history *history)
{
    for (size_t i = 0; i < mnist_history_metrics_len(history); i++) {
        const char *metric = mnist_history_metric_name(history, i);
        for (size_t epoch = 0; epoch < mnist_history_epochs(history); epoch++) {
            double value;
            check(mnist_history_get(history, metric, epoch, &value, error), error);
            printf("%s in epoch %zu: %.4f\n", metric, epoch, value);
        }
    }

    if (mnist_history_stop_reason(history)) /* a callback of callbacks_config has ended the fit */
        puts(mnist_history_stop_reason(history));
}

/* The functions of a communicator with one rank. mnist_mpi.h has those of the ranks of an MPI program. */
static int32_t allgather(void *user, const void *send, size_t bytes, void *receive, const size_t *counts)
{
    (void)user, (void)counts;
    memcpy(receive, send, bytes);
    return 0;
}

static int32_t broadcast(void *user, void *data, size_t bytes, int32_t root)
{
    (void)user, (void)data, (void)bytes, (void)root;
    return 0;
}

/* One epoch with the other ranks, on one or several machines. */
static void fit_together(mnist_model *model, const mnist_dataset *data)
{
    mnist_communicator communicator;
    mnist_communicator_init(&communicator, sizeof communicator);
    communicator.rank = 0;
    communicator.size = 1;
    communicator.allgather = allgather;
    communicator.broadcast = broadcast;

    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.verbose = communicator.rank == 0;
    fit.communicator = &communicator;
    check(mnist_model_fit(model, data, &fit, NULL, error), error);
}

int main(int argc, char **argv)
{
    error = mnist_error_new();
    mnist_dataset *data = digits(argc > 1 ? argv[1] : "data/mnist.npz", error);
    mnist_model *model = network(error);
    mnist_history *history;
    check(mnist_model_compile(model, NULL, error), error); /* Adam, crossentropy, accuracy */

    double enough = 0.01;
    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = 3;
    fit.batch_size = 64;
    fit.verbose = 0;
    fit.validation_split = 0.2; /* the last fifth is not trained on */
    fit.callbacks_config = "[{class_name: 'EarlyStopping', config: {patience: 2}}]";
    fit.on_batch_end = on_batch_end;
    fit.on_epoch_end = on_epoch_end;
    fit.user_data = &enough;

    mnist_model_cancel(model); /* from any thread or a signal handler: stops the fit that runs, here none */

    const mnist_status status = mnist_model_fit(model, data, &fit, &history, error);
    check(status, error);
    if (status == MNIST_CANCELLED)
        puts("low enough");

    show(history);
    mnist_history_free(history);

    /* A loop of one's own: each call is a step on one batch. */
    for (size_t i = 0; i < 5; i++) {
        mnist_dataset *batch;
        mnist_metrics metrics;
        check(mnist_dataset_slice(data, 64 * i, 64, &batch, error), error);
        check(mnist_model_train_on_batch(model, batch, &metrics, error), error);
        printf("step %zu: loss %.4f\n", i, metrics.loss);
        mnist_dataset_free(batch);
    }

    fit_together(model, data);

    mnist_model_free(model);
    mnist_dataset_free(data);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
