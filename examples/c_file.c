/* Exports a model as a C file: trains a network and writes it twice, with float and with 8-bit weights.
 *
 *     c_file FOLDER [EPOCHS [DATA]]     (default: 1 epoch, data/mnist.npz)
 *
 * c_file_accuracy.c includes both files and compares their accuracy; make -C examples c_file does both steps. */

#include "check.h"

#define CONVOLUTION(filters) \
    {"Conv2D", "{filters: " #filters ", kernel_size: 3, padding: 'same', use_bias: false}"}, \
    {"BatchNormalization", "{momentum: 0.95}"}, \
    {"Activation", "{activation: 'relu'}"}, \
    {"MaxPooling2D", "{}"}

static const char *const layers[][2] = {
    CONVOLUTION(8),
    CONVOLUTION(16),
    {"Flatten", "{}"},
    {"Dense", "{units: 10, activation: 'softmax'}"},
};

int main(int argc, char **argv)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    mnist_model *model;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_metrics metrics;
    mnist_c_options options;
    char path[4096];

    if (argc < 2) {
        fprintf(stderr, "usage: c_file FOLDER [EPOCHS [DATA]]\n");
        return EXIT_FAILURE;
    }
    check(mnist_load_data(argc > 3 ? argv[3] : "data/mnist.npz", &train, &test, error), error);
    check(mnist_dataset_normalize(train, 255.0f, error), error);
    check(mnist_dataset_normalize(test, 255.0f, error), error);

    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1), *x = input;
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        x = mnist_layer(x, layers[i][0], layers[i][1]);
    check(mnist_model_new(input, x, "digits", &model, error), error);
    mnist_compile_options_init(&compile, sizeof compile);
    check(mnist_model_compile(model, &compile, error), error);
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    fit.verbose = 2;
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    printf("the model    %.2f %%\n", 100 * metrics.accuracy);

    mnist_c_options_init(&options, sizeof options);
    snprintf(path, sizeof path, "%s/digits_float.c", argv[1]);
    check(mnist_model_save_c_with(model, path, "digits_float", &options, error), error);
    options.weights = MNIST_WEIGHT_INT8;
    snprintf(path, sizeof path, "%s/digits_int8.c", argv[1]);
    check(mnist_model_save_c_with(model, path, "digits_int8", &options, error), error);

    mnist_model_free(model);
    mnist_graph_free(graph);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
