/* Trains and tests a network of 2,942 parameters for MNIST. The goal is the smallest network with 99 % accuracy.
 *
 *     small [EPOCHS [IMAGES [DATA]]]     (default: 20 epochs of all images of data/mnist.npz)
 *
 * Three convolutions, each with a batch normalization without gamma (the next layer can scale), then global average pooling. All
 * parameters are counted, including moving means and variances. docs/record.md describes how the network was chosen, with the
 * last 10,000 training images for validation. */

#include "check.h"

#define CONVOLUTION(filters) \
    {"Conv2D", "{filters: " #filters ", kernel_size: 3, use_bias: false}"}, \
    {"BatchNormalization", "{momentum: 0.95, scale: false}"}, \
    {"Activation", "{activation: 'relu'}"}

static const char *const layers[][2] = {
    {"RandomTranslation", "{height_factor: 0.05, width_factor: 0.05, fill_mode: 'constant'}"},
    CONVOLUTION(8),
    {"MaxPooling2D", "{}"},
    CONVOLUTION(12),
    {"MaxPooling2D", "{}"},
    CONVOLUTION(16),
    {"GlobalAveragePooling2D", "{}"},
    {"Dense", "{units: 10, activation: 'softmax'}"},
};

int main(int argc, char **argv)
{
    const size_t epochs = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
    const size_t images = argc > 2 ? strtoul(argv[2], NULL, 10) : 60000;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all, *train, *test;
    mnist_model *model;
    mnist_metrics metrics;
    mnist_compile_options compile;
    mnist_fit_options fit;
    char optimizer[256];

    check(mnist_load_data(argc > 3 ? argv[3] : "data/mnist.npz", &all, &test, error), error);
    check(mnist_dataset_normalize(all, 255.0f, error), error);
    check(mnist_dataset_normalize(test, 255.0f, error), error);
    check(mnist_dataset_slice(all, 0, images, &train, error), error);

    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1), *x = input;
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        x = mnist_layer(x, layers[i][0], layers[i][1]);
    check(mnist_model_new(input, x, "small", &model, error), error);

    mnist_fit_options_init(&fit, sizeof fit);
    fit.batch_size = 64;
    fit.epochs = epochs;
    fit.verbose = 2;
    const size_t steps = (images + fit.batch_size - 1) / fit.batch_size * epochs;
    snprintf(optimizer, sizeof optimizer,
             "{class_name: 'Adam', config: {learning_rate: {class_name: 'CosineDecay', config: {initial_learning_rate: 0.001,"
             " warmup_target: 0.01, warmup_steps: %zu, decay_steps: %zu}}}}",
             steps / 10, steps - steps / 10);
    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer_config = optimizer;
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    printf("%zu parameters, test accuracy %.4f\n", mnist_model_count_params(model), metrics.accuracy);

    mnist_model_free(model);
    mnist_graph_free(graph);
    mnist_dataset_free(all);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
