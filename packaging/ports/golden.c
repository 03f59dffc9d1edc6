/* The same results on every machine, to the last bit: trains networks with every layer, activation, optimizer, schedule, loss
 * and metric. Prints a line for each, with hashes of the weights, of a prediction, and of the results of an evaluation.
 * golden.txt is the expected output; `run` compares.
 *
 *     golden train DATA FOLDER THREADS    DATA is mnist.npz; writes model files, and a checkpoint after half of a fit
 *     golden resume FOLDER THREADS        resumes from that checkpoint, which may be from another machine
 */
#include "golden_chain.h"

#include <mnist.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mnist_error *error;
static size_t threads;

static void works(mnist_status status)
{
    if (status != MNIST_OK) {
        fprintf(stderr, "golden: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(1);
    }
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fputs("golden: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* FNV-1a with 64 bits, of numbers as little-endian bytes on every machine. */
typedef uint64_t hash;
static const hash EMPTY = 0xcbf29ce484222325u;

static hash with_bits(hash so_far, uint64_t bits, int bytes)
{
    for (int i = 0; i < bytes; i++)
        so_far = (so_far ^ (bits >> 8 * i & 0xff)) * 0x100000001b3u;
    return so_far;
}

static hash with_floats(hash so_far, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        so_far = with_bits(so_far, bits, 4);
    }
    return so_far;
}

/* The printf of msvcrt does not support every length modifier. */
static void print_hash(const char *what, hash value)
{
    printf(" %s %08lx%08lx", what, (unsigned long)(value >> 32), (unsigned long)(value & 0xffffffffu));
}

static hash hash_of_weights(const mnist_model *model)
{
    hash all = EMPTY;
    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[8], rank, count = 1;
        works(mnist_model_weight_shape(model, name, dims, 8, &rank, error));
        for (size_t d = 0; d < rank; d++)
            count *= dims[d];
        float *values = room(count, sizeof *values);
        works(mnist_model_get_weight(model, name, values, count, error));
        all = with_floats(all, values, count);
        free(values);
    }
    return all;
}

static hash hash_of_predictions(const mnist_model *model, const mnist_dataset *data)
{
    const size_t count = mnist_dataset_len(data) * mnist_model_output_len(model);
    float *outputs = room(count, sizeof *outputs);
    works(mnist_model_predict_dataset(model, data, outputs, count, error));
    const hash all = with_floats(EMPTY, outputs, count);
    free(outputs);
    return all;
}

static hash hash_of_metrics(const mnist_model *model, const mnist_dataset *data)
{
    mnist_evaluate_options options;
    mnist_metrics metrics;
    mnist_history *results;
    hash all = EMPTY;
    mnist_evaluate_options_init(&options, sizeof options);
    options.results = &results;
    works(mnist_model_evaluate(model, data, &options, &metrics, error));
    for (size_t i = 0; i < mnist_history_metrics_len(results); i++) {
        double value;
        uint64_t bits;
        works(mnist_history_get(results, mnist_history_metric_name(results, i), 0, &value, error));
        memcpy(&bits, &value, sizeof bits);
        all = with_bits(all, bits, 8);
    }
    mnist_history_free(results);
    return all;
}

static void print_line(const char *name, const mnist_model *model, const mnist_dataset *data)
{
    printf("%-28s", name);
    print_hash("weights", hash_of_weights(model));
    print_hash("predictions", hash_of_predictions(model, data));
    print_hash("metrics", hash_of_metrics(model, data));
    printf("\n");
    fflush(stdout);
}

/* Samples of noise in [-1, 1), with labels below `classes`, or targets of `classes` numbers in [0, 1), a third of which are 0. */
static mnist_dataset *noise(const size_t *shape, size_t count, size_t classes, int targets)
{
    const size_t dims[4] = {count, shape[0], shape[1], shape[2]};
    const size_t y_dims[2] = {count, classes};
    const size_t rank = shape[1] == 0 ? 2 : shape[2] == 0 ? 3 : 4;
    size_t len = 1;
    for (size_t d = 0; d < rank; d++)
        len *= dims[d];
    float *x = room(len, sizeof *x), *y = room(count * classes, sizeof *y);
    uint32_t *labels = room(count, sizeof *labels), state = 1;
    for (size_t i = 0; i < len; i++)
        x[i] = (float)(state = state * 1664525u + 1013904223u) / 2147483648.0f - 1.0f;
    for (size_t i = 0; i < count * classes; i++)
        y[i] = i * 7 % 11 % 3 == 1 ? 0.0f : (float)((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint32_t)((i * 7 + (x[i] > 0.0f)) % classes);
    const mnist_array samples = {x, MNIST_DTYPE_F32, rank, dims};
    const mnist_array given = targets ? (mnist_array){y, MNIST_DTYPE_F32, 2, y_dims}
                                      : (mnist_array){labels, MNIST_DTYPE_U32, 1, y_dims};
    mnist_dataset *data;
    works(mnist_dataset_new(&samples, &given, NULL, &data, error));
    free(x), free(y), free(labels);
    return data;
}

static mnist_fit_options quiet(size_t batch, size_t epochs)
{
    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.verbose = 0, options.batch_size = batch, options.epochs = epochs, options.seed = 5;
    return options;
}

/* The model of a chain of layers. */
static mnist_model *model_of(const size_t *shape, const golden_layer *layers)
{
    const size_t rank = shape[1] == 0 ? 1 : shape[2] == 0 ? 2 : 3;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, shape, rank);
    mnist_model *model;
    works(mnist_model_new(input, golden_chain(input, layers), "golden", &model, error));
    mnist_graph_free(graph);
    works(mnist_model_set_threads(model, threads, error));
    return model;
}

static void compile(mnist_model *model, const char *optimizer, const char *loss, const char *metrics)
{
    mnist_compile_options options;
    mnist_compile_options_init(&options, sizeof options);
    options.optimizer_config = optimizer, options.loss_config = loss, options.metrics_config = metrics;
    works(mnist_model_compile(model, &options, error));
}

/* Trains a network for a few steps, the last of an epoch with a smaller batch, and prints its line. */
static void train(const char *name, const size_t *shape, const golden_layer *layers, const char *optimizer,
                  const char *loss, const char *metrics, size_t batch)
{
    mnist_model *model = model_of(shape, layers);
    const int targets = loss != NULL;
    mnist_dataset *data = noise(shape, 2 * batch + batch / 2 + 1, mnist_model_output_len(model), targets);
    const mnist_fit_options options = quiet(batch, 2);
    compile(model, optimizer, targets ? loss : LABEL_LOSS, metrics);
    works(mnist_model_fit(model, data, &options, NULL, error));
    print_line(name, model, data);
    mnist_model_free(model);
    mnist_dataset_free(data);
}

/* The tutorial's network, 50 steps of 4 images. */
static void tutorial(const char *path)
{
    mnist_dataset *all, *test, *data;
    const mnist_fit_options options = quiet(4, 1);
    const size_t shape[3] = {28, 28, 1};
    works(mnist_load_data(path, &all, &test, error));
    works(mnist_dataset_slice(all, 0, 200, &data, error));
    works(mnist_dataset_normalize(data, 255.0f, error));
    works(mnist_dataset_expand_dims(data, error));
    mnist_model *model = model_of(shape, TUTORIAL);
    works(mnist_model_compile(model, NULL, error));
    works(mnist_model_fit(model, data, &options, NULL, error));
    print_line("tutorial", model, data);
    mnist_model_free(model);
    mnist_dataset_free(data), mnist_dataset_free(all), mnist_dataset_free(test);
}

/* A fit of two epochs: complete; or only the first, which leaves a checkpoint at `path`; or resumed from that checkpoint. */
static void fit_in_halves(const char *name, const char *path, size_t epochs, int resume)
{
    mnist_dataset *data = noise(HALVES_SHAPE, 20, 4, 0);
    mnist_model *model = model_of(HALVES_SHAPE, HALVES);
    mnist_fit_options options = quiet(8, epochs);
    options.checkpoint_path = path, options.resume = resume;
    compile(model, "{class_name: 'Nadam', config: {clipnorm: 0.5}}", NULL, NULL);
    works(mnist_model_fit(model, data, &options, NULL, error));
    if (epochs == 2)
        print_line(name, model, data);
    mnist_model_free(model);
    mnist_dataset_free(data);
}

static const char *in(const char *folder, const char *file)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

/* Writes a model in every format, which must give the same bytes everywhere, and reads its weights back. */
static void save_and_load(const char *folder)
{
    mnist_dataset *data = noise(HALVES_SHAPE, 20, 4, 0);
    mnist_model *model = model_of(HALVES_SHAPE, HALVES), *loaded;
    const mnist_fit_options options = quiet(8, 1);
    compile(model, NULL, NULL, NULL);
    works(mnist_model_fit(model, data, &options, NULL, error));
    works(mnist_model_save(model, in(folder, "model.safetensors"), error));
    works(mnist_model_save_weights(model, in(folder, "weights.safetensors"), error));
    works(mnist_model_save_keras(model, in(folder, "model.keras"), error));
    works(mnist_model_save_onnx(model, in(folder, "model.onnx"), error));
    works(mnist_model_save_c(model, in(folder, "model.c"), "golden", error));
    static const char *const saved[] = {"model.safetensors", "model.keras", "model.onnx"};
    for (size_t i = 0; i < sizeof saved / sizeof *saved; i++) {
        works((i == 2 ? mnist_model_load_onnx : mnist_model_load)(in(folder, saved[i]), &loaded, error));
        works(mnist_model_set_threads(loaded, threads, error));
        print_line(saved[i], loaded, data);
        mnist_model_free(loaded);
    }
    mnist_model_free(model);
    mnist_dataset_free(data);
}

static void everything(void)
{
    char layer[64], name[64];
    for (const golden_network *n = NETWORKS; n->name != NULL; n++)
        train(n->name, n->shape, n->layers, n->optimizer, NULL, NULL, n->batch);
    for (const char *const *function = ACTIVATIONS; *function != NULL; function++) {
        snprintf(layer, sizeof layer, "{units: 9, activation: '%s'}", *function);
        const golden_layer layers[] = {{"Dense", layer, 0}, {"Dense", "{units: 3, activation: 'softmax'}", 0}, {0}};
        train(*function, SMALL_SHAPE, layers, "'SGD'", NULL, NULL, 8);
    }
    for (const char *const *optimizer = OPTIMIZERS; *optimizer != NULL; optimizer++) {
        snprintf(name, sizeof name, "optimizer %d", (int)(optimizer - OPTIMIZERS));
        train(name, SMALL_SHAPE, SMALL, *optimizer, NULL, NULL, 8);
    }
    for (const char *const *loss = LOSSES; *loss != NULL; loss++) {
        snprintf(name, sizeof name, "%s", *loss);
        train(name, SMALL_SHAPE, SMALL_SIGMOID, "'Adam'", *loss, TARGET_METRICS, 8);
    }
    train("metrics of labels", SMALL_SHAPE, SMALL, "'Adam'", NULL, LABEL_METRICS, 8);
}

int main(int argc, char **argv)
{
    const int whole = argc == 5 && strcmp(argv[1], "train") == 0;
    if (!whole && !(argc == 4 && strcmp(argv[1], "resume") == 0)) {
        fputs("usage: golden train DATA FOLDER THREADS | golden resume FOLDER THREADS\n", stderr);
        return 2;
    }
    const char *folder = argv[argc - 2];
    threads = (size_t)strtoul(argv[argc - 1], NULL, 10);
    error = mnist_error_new();
    if (whole) {
        tutorial(argv[2]);
        everything();
        save_and_load(folder);
        fit_in_halves("two epochs", NULL, 2, 0);
        fit_in_halves(NULL, in(folder, "half"), 1, 0);
    } else {
        fit_in_halves("two epochs", in(folder, "half"), 2, 1);
    }
    mnist_error_free(error);
    return 0;
}
