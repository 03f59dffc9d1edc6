/* A program that uses only the installed library: trains a classifier of four kinds of images and prints its accuracy.
   Its argument is the expected version of the library. */

#include <mnist.h>

#include "images.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const size_t dims[3] = {COUNT, SIDE, SIDE};
    mnist_error *error = mnist_error_new();
    mnist_dataset *data = NULL;
    mnist_model *model = NULL;
    mnist_metrics before, after;
    mnist_fit_options options;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, SIDE, SIDE, 1), *x;
    int failed;

    if (argc != 2 || strcmp(argv[1], mnist_version()) != 0) {
        fprintf(stderr, "version: expected %s, found %s\n", argc == 2 ? argv[1] : "(none)", mnist_version());
        return 1;
    }
    draw();
    x = mnist_conv2d(input, 8, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), CLASSES, MNIST_ACTIVATION_SOFTMAX);
    mnist_fit_options_init(&options, sizeof options);
    options.epochs = 5;
    options.verbose = 0;
    failed = mnist_dataset_from_u8(pixels, dims, 3, labels, &data, error) < 0
        || mnist_dataset_normalize(data, 255.0f, error) < 0
        || mnist_model_new(input, x, NULL, &model, error) < 0
        || mnist_model_compile(model, NULL, error) < 0
        || mnist_model_evaluate(model, data, NULL, &before, error) < 0
        || mnist_model_fit(model, data, &options, NULL, error) < 0
        || mnist_model_evaluate(model, data, NULL, &after, error) < 0;
    if (failed) {
        fprintf(stderr, "%s\n", mnist_error_message(error));
    } else {
        printf("loss %.17g -> %.17g, accuracy %g\n", before.loss, after.loss, after.accuracy);
        failed = !(after.loss < before.loss / 2 && after.accuracy > 0.95);
    }
    mnist_model_free(model);
    mnist_graph_free(graph);
    mnist_dataset_free(data);
    mnist_error_free(error);
    return failed;
}
