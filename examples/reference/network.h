/* The small network and the data that the reference's programs work with. */

#ifndef NETWORK_H
#define NETWORK_H

#include "../check.h"

/* Memory of `len` bytes, or the end of the program. */
static inline void *allocate(size_t len)
{
    void *memory = malloc(len);
    if (!memory)
        exit(EXIT_FAILURE);
    return memory;
}

/* A network for digits, not compiled yet. */
static inline mnist_model *network(mnist_error *error)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_max_pooling2d(mnist_conv2d(input, 8, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_dense(mnist_flatten(x), 10, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "digits", &model, error), error);
    mnist_graph_free(graph);
    return model;
}

/* The first 640 digits of the archive at `path`, its pixels from 0 to 1. */
static inline mnist_dataset *digits(const char *path, mnist_error *error)
{
    mnist_dataset *all, *some;
    check(mnist_dataset_from_npz(path, "x_train", "y_train", &all, error), error);
    check(mnist_dataset_normalize(all, 255.0f, error), error);
    check(mnist_dataset_slice(all, 0, 640, &some, error), error);
    mnist_dataset_free(all);
    return some;
}

#endif
