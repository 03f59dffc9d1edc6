/* Well-known networks, each built in a few lines, trained on MNIST and tested:
 *
 *     networks [NAME [EPOCHS [IMAGES]]]
 *
 * NAME: convnet     Keras's mnist_convnet: two convolutions, max pooling, dropout
 *       lenet       LeNet-5 (LeCun et al. 1998): average pooling and tanh
 *       dense       784-512-512-10 with dropout, by RMSprop
 *       resnet      a small residual network (He et al. 2015): batch normalization, strides, sums
 *       mobilenet   alternating depthwise and pointwise convolutions (Howard et al. 2017)
 *       all         one after the other (the default)
 * EPOCHS: their number (default: 3). IMAGES: the number of training images to use (default: all).
 *
 * Common layers have functions of their own; all others are created by Keras's class name and config. */

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELU MNIST_ACTIVATION_RELU
#define TANH MNIST_ACTIVATION_TANH
#define SOFTMAX MNIST_ACTIVATION_SOFTMAX

static mnist_tensor *convnet(mnist_tensor *x)
{
    x = mnist_max_pooling2d(mnist_conv2d(x, 32, 3, RELU), 2);
    x = mnist_max_pooling2d(mnist_conv2d(x, 64, 3, RELU), 2);
    return mnist_dense(mnist_dropout(mnist_flatten(x), 0.5), 10, SOFTMAX);
}

static mnist_tensor *lenet(mnist_tensor *x)
{
    x = mnist_layer(x, "Conv2D", "{filters: 6, kernel_size: 5, padding: 'same', activation: 'tanh'}");
    x = mnist_average_pooling2d(x, 2);
    x = mnist_average_pooling2d(mnist_conv2d(x, 16, 5, TANH), 2);
    x = mnist_dense(mnist_dense(mnist_flatten(x), 120, TANH), 84, TANH);
    return mnist_dense(x, 10, SOFTMAX);
}

static mnist_tensor *dense(mnist_tensor *x)
{
    x = mnist_dropout(mnist_dense(mnist_flatten(x), 512, RELU), 0.2);
    x = mnist_dropout(mnist_dense(x, 512, RELU), 0.2);
    return mnist_dense(x, 10, SOFTMAX);
}

/* A convolution and a batch normalization. The convolution has no bias, because the normalization would cancel it. */
static mnist_tensor *normalized(mnist_tensor *x, int filters, int size, int strides)
{
    char config[128];
    snprintf(config, sizeof config, "{filters: %d, kernel_size: %d, strides: %d, padding: 'same', use_bias: false}",
             filters, size, strides);
    return mnist_batch_normalization(mnist_layer(x, "Conv2D", config));
}

/* A residual block: two convolutions, whose input is added to their output. */
static mnist_tensor *residual(mnist_tensor *x, int filters, int strides)
{
    mnist_tensor *y = mnist_activate(normalized(x, filters, 3, strides), RELU);
    y = normalized(y, filters, 3, 1);
    return mnist_activate(mnist_add(y, strides == 1 ? x : normalized(x, filters, 1, strides)), RELU);
}

static mnist_tensor *resnet(mnist_tensor *x)
{
    x = mnist_activate(normalized(x, 16, 3, 1), RELU);
    x = residual(residual(residual(x, 16, 1), 32, 2), 64, 2);
    return mnist_dense(mnist_global_average_pooling2d(x), 10, SOFTMAX);
}

static mnist_tensor *separable(mnist_tensor *x, int filters, int strides)
{
    char config[96];
    snprintf(config, sizeof config, "{kernel_size: 3, strides: %d, padding: 'same', use_bias: false}", strides);
    x = mnist_layer(x, "DepthwiseConv2D", config);
    x = mnist_activate(mnist_batch_normalization(x), RELU);
    return mnist_activate(normalized(x, filters, 1, 1), RELU);
}

static mnist_tensor *mobilenet(mnist_tensor *x)
{
    x = mnist_activate(normalized(x, 16, 3, 1), RELU);
    x = separable(separable(separable(separable(x, 32, 2), 64, 1), 64, 2), 128, 1);
    return mnist_dense(mnist_dropout(mnist_global_average_pooling2d(x), 0.1), 10, SOFTMAX);
}

static const struct network {
    const char *name;
    mnist_tensor *(*build)(mnist_tensor *);
    size_t batch_size;
    const char *optimizer;
} networks[] = {
    {"convnet", convnet, 128, "'Adam'"},
    {"lenet", lenet, 64, "{class_name: 'SGD', config: {learning_rate: 0.05, momentum: 0.9, nesterov: true}}"},
    {"dense", dense, 128, "'RMSprop'"},
    {"resnet", resnet, 64, "'Adam'"},
    {"mobilenet", mobilenet, 64, "{class_name: 'AdamW', config: {learning_rate: 0.003}}"},
};

/* Builds a network, trains it and prints its test results. Non-zero: it failed, and the message is in `error`. */
static int train(const struct network *network, const mnist_dataset *data, const mnist_dataset *test, size_t epochs,
                 mnist_error *error)
{
    mnist_model *model = NULL;
    mnist_metrics metrics;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);

    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer_config = network->optimizer;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.batch_size = network->batch_size;
    fit.epochs = epochs;

    int failed = mnist_model_new(input, network->build(input), network->name, &model, error) < 0
        || mnist_model_compile(model, &compile, error) < 0;
    if (!failed) {
        printf("%s: %zu parameters\n", network->name, mnist_model_count_params(model));
        failed = mnist_model_fit(model, data, &fit, NULL, error) < 0
            || mnist_model_evaluate(model, test, NULL, &metrics, error) < 0;
    }
    if (!failed)
        printf("%s: test loss %.4f, test accuracy %.4f\n\n", network->name, metrics.loss, metrics.accuracy);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return failed;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "all";
    size_t epochs = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
    size_t images = argc > 3 ? strtoul(argv[3], NULL, 10) : 60000;
    size_t known = 0;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all = NULL, *data = NULL, *test = NULL;

    int failed = mnist_load_data("data/mnist.npz", &all, &test, error) < 0
        || mnist_dataset_normalize(all, 255.0f, error) < 0
        || mnist_dataset_normalize(test, 255.0f, error) < 0
        || mnist_dataset_slice(all, 0, images, &data, error) < 0;
    for (size_t i = 0; i < sizeof networks / sizeof networks[0] && !failed; i++) {
        if (strcmp(name, "all") == 0 || strcmp(name, networks[i].name) == 0) {
            known++;
            failed = train(&networks[i], data, test, epochs, error);
        }
    }
    if (failed)
        fprintf(stderr, "networks: %s\n", mnist_error_message(error));
    else if (known == 0)
        fprintf(stderr, "networks: no network is called %s: convnet, lenet, dense, resnet, mobilenet or all\n", name);

    mnist_dataset_free(all);
    mnist_dataset_free(data);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return failed || known == 0;
}
