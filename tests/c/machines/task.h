/* A fit of one of several ranks, or of one process, and its result. */
#ifndef TASK_H
#define TASK_H

#include "../../../packaging/ports/golden_chain.h"
#include "../hash.h"

#include <mnist.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    size_t shape[3];
    const golden_layer *layers;
    const char *optimizer, *loss, *metrics, *callbacks;
    size_t batch, epochs, samples;
    const char *data; /* an npz archive; NULL: noise */
    const char *checkpoint;
    size_t checkpoint_batches;
    /* What differs on rank `odd`, -1 for none: its options, the seeds of its data and weights, its optimizer, and a callback
     * that the other ranks do not have. */
    int odd;
    void (*change)(mnist_fit_options *fit);
    unsigned data_seed, weights_seed;
    const char *odd_optimizer;
    const golden_layer *odd_layers;
    mnist_callback on_batch_end;
    size_t fails_at; /* not 0: the samples come from a source, of which this call fails on the odd rank */
} task;

/* The result of a fit. */
typedef struct {
    mnist_status status;
    char message[512];
    uint64_t hash;
} outcome;

/* Ends the program unless the call has succeeded. */
static void works(mnist_status status, const mnist_error *error)
{
    if (status != MNIST_OK) {
        fprintf(stderr, "machines: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(1);
    }
}

static uint64_t hash_of_weights(const mnist_model *model, mnist_error *error)
{
    uint64_t sum = HASH_OF_NOTHING;
    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[8], rank, count = 1;
        works(mnist_model_weight_shape(model, name, dims, 8, &rank, error), error);
        for (size_t d = 0; d < rank; d++)
            count *= dims[d];
        float *values = malloc(count * sizeof *values);
        works(mnist_model_get_weight(model, name, values, count, error), error);
        sum = hash(sum, values, count * sizeof *values);
        free(values);
    }
    return sum;
}

/* The same with all metrics of all epochs. */
static uint64_t with_history(uint64_t sum, const mnist_history *history, mnist_error *error)
{
    for (size_t i = 0; i < mnist_history_metrics_len(history); i++)
        for (size_t epoch = 0; epoch < mnist_history_epochs(history); epoch++) {
            double value;
            if (mnist_history_get(history, mnist_history_metric_name(history, i), epoch, &value, error) == MNIST_OK)
                sum = hash(sum, &value, sizeof value); /* an epoch that was stopped has no validation */
        }
    return sum;
}

/* Random samples, with labels or, if `targets`, with numbers. */
static mnist_dataset *noise(const size_t *shape, size_t count, size_t classes, int targets, unsigned seed, mnist_error *error)
{
    const size_t dims[4] = {count, shape[0], shape[1], shape[2]}, y_dims[2] = {count, classes};
    const size_t rank = shape[1] == 0 ? 2 : shape[2] == 0 ? 3 : 4;
    size_t len = count;
    for (size_t d = 1; d < rank; d++)
        len *= dims[d];
    float *x = malloc(len * sizeof *x), *y = malloc(count * classes * sizeof *y);
    uint32_t *labels = malloc(count * sizeof *labels), state = 1 + seed;
    for (size_t i = 0; i < len; i++)
        x[i] = (float)(state = state * 1664525u + 1013904223u) / 2147483648.0f - 1.0f;
    for (size_t i = 0; i < count * classes; i++)
        y[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint32_t)(i * 7 % classes);
    const mnist_array samples = {x, MNIST_DTYPE_F32, rank, dims};
    const mnist_array given = targets ? (mnist_array){y, MNIST_DTYPE_F32, 2, y_dims}
                                      : (mnist_array){labels, MNIST_DTYPE_U32, 1, y_dims};
    mnist_dataset *data;
    works(mnist_dataset_new(&samples, &given, NULL, &data, error), error);
    free(x), free(y), free(labels);
    return data;
}

/* A source of samples that follow from their indices. */
typedef struct {
    size_t len, calls, fails_at; /* 0: never */
} source;

static int32_t fetch(void *user, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    source *from = user;
    (void)targets;
    if (++from->calls == from->fails_at)
        return 1;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < from->len; j++)
            *x++ = (float)((indices[i] * 7 + j) % 11) / 11.0f;
        *labels++ = (uint32_t)(indices[i] % 3);
    }
    return 0;
}

static mnist_dataset *fetched(const task *t, source *from, mnist_error *error)
{
    mnist_dataset *data;
    mnist_source described;
    mnist_source_init(&described, sizeof described);
    described.len = t->samples, described.rank = 3, described.dims = t->shape;
    described.fetch = fetch, described.user = from, described.identity = "samples by index";
    from->len = t->shape[0] * t->shape[1] * t->shape[2];
    works(mnist_dataset_from_source(&described, &data, error), error);
    return data;
}

/* Images of MNIST. */
static mnist_dataset *digits(const task *t, mnist_error *error)
{
    mnist_dataset *all, *test, *data;
    works(mnist_load_data(t->data, &all, &test, error), error);
    works(mnist_dataset_slice(all, 0, t->samples, &data, error), error);
    works(mnist_dataset_normalize(data, 255.0f, error), error);
    works(mnist_dataset_expand_dims(data, error), error);
    mnist_dataset_free(all), mnist_dataset_free(test);
    return data;
}

/* The compiled model of a task. */
static mnist_model *model_of(const task *t, size_t threads, unsigned seed, mnist_error *error)
{
    const size_t rank = t->shape[1] == 0 ? 1 : t->shape[2] == 0 ? 2 : 3;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, t->shape, rank);
    mnist_model *model;
    mnist_compile_options options;
    if (seed != 0)
        mnist_graph_set_seed(graph, seed);
    works(mnist_model_new(input, golden_chain(input, t->layers), "machines", &model, error), error);
    mnist_graph_free(graph);
    works(mnist_model_set_threads(model, threads, error), error);
    mnist_compile_options_init(&options, sizeof options);
    options.optimizer_config = t->optimizer, options.metrics_config = t->metrics;
    options.loss_config = t->loss != NULL ? t->loss : LABEL_LOSS;
    works(mnist_model_compile(model, &options, error), error);
    return model;
}

/* The fit of one rank; `communicator` is NULL for one process alone. */
static outcome fit(const task *given, size_t threads, const mnist_communicator *communicator)
{
    task own = *given;
    const int32_t rank = communicator != NULL ? communicator->rank : 0;
    const int odd = communicator != NULL && rank == own.odd;
    const task *t = &own;
    mnist_error *error = mnist_error_new();
    mnist_fit_options options;
    mnist_history *history = NULL;
    outcome result = {0};
    source from = {0, 0, odd ? t->fails_at : 0};
    if (odd && t->odd_optimizer != NULL)
        own.optimizer = t->odd_optimizer;
    if (odd && t->odd_layers != NULL)
        own.layers = t->odd_layers;
    mnist_model *model = model_of(t, threads, odd ? t->weights_seed : 0, error);
    mnist_dataset *data = t->data != NULL ? digits(t, error)
        : t->fails_at != 0 ? fetched(t, &from, error)
        : noise(t->shape, t->samples, mnist_model_output_len(model), t->loss != NULL, odd ? t->data_seed : 0, error);
    mnist_fit_options_init(&options, sizeof options);
    options.verbose = 0, options.batch_size = t->batch, options.epochs = t->epochs, options.seed = 5;
    options.validation_split = 0.2, options.callbacks_config = t->callbacks;
    options.checkpoint_path = t->checkpoint, options.resume = t->checkpoint != NULL;
    options.checkpoint_batches = t->checkpoint != NULL ? t->checkpoint_batches : 0;
    options.communicator = communicator;
    options.on_batch_end = odd || communicator == NULL ? t->on_batch_end : NULL;
    options.user_data = model;
    if (odd && t->change != NULL)
        t->change(&options);
    result.status = mnist_model_fit(model, data, &options, &history, error);
    snprintf(result.message, sizeof result.message, "%s", mnist_error_message(error));
    if (result.status == MNIST_OK || result.status == MNIST_CANCELLED) {
        result.hash = with_history(hash_of_weights(model, error), history, error);
        mnist_history_free(history);
    }
    mnist_model_free(model), mnist_dataset_free(data), mnist_error_free(error);
    return result;
}

#endif
