/* Shared by the C tests: checks that a call returns a given status, and that its message contains a given text. */

#ifndef EXPECT_H
#define EXPECT_H

#include <mnist.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mnist_error *error;
static int checks, failures;

/* Counters and flags shared by threads. */
static inline int get(int *shared)
{
    return __atomic_load_n(shared, __ATOMIC_SEQ_CST);
}

static inline void set(int *shared, int value)
{
    __atomic_store_n(shared, value, __ATOMIC_SEQ_CST);
}

static inline void count(int *shared)
{
    __atomic_fetch_add(shared, 1, __ATOMIC_SEQ_CST);
}

static void expect_status(int line, const char *call, mnist_status got, mnist_status wanted, const char *needle)
{
    const char *message = mnist_error_message(error);
    count(&checks);
    if (got != wanted || mnist_error_status(error) != got || strstr(message, needle) == NULL) {
        count(&failures);
        fprintf(stderr, "line %d: %s\n  wanted %s with \"%s\"\n  got    %s with \"%s\"\n", line, call,
                mnist_status_name(wanted), needle, mnist_status_name(got), message);
    }
}

static void expect_true(int line, const char *what, int is)
{
    count(&checks);
    if (!is) {
        count(&failures);
        fprintf(stderr, "line %d: not so: %s\n", line, what);
    }
}

/* A call that must fail; its last argument is `error`. */
#define FAILS(status, needle, call) expect_status(__LINE__, #call, call, MNIST_ERROR_##status, needle)
/* A call that must succeed. */
#define WORKS(call) expect_status(__LINE__, #call, call, MNIST_OK, "")
#define TRUE(condition) expect_true(__LINE__, #condition, condition)

/* The end of a program: prints the number of checks, and fails if one has failed. */
static inline int report(void)
{
    mnist_error_free(error);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}

/* A dataset of `count` grey images of noise, side x side, with labels 0 to 9. */
static inline mnist_dataset *noise(size_t count, size_t side)
{
    const size_t dims[3] = {count, side, side};
    uint8_t *pixels = malloc(count * side * side), *labels = malloc(count);
    mnist_dataset *data = NULL;
    uint32_t state = 1;
    for (size_t i = 0; i < count * side * side; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint8_t)((i * 7 + pixels[i]) % 10);
    WORKS(mnist_dataset_from_u8(pixels, dims, 3, labels, &data, error));
    WORKS(mnist_dataset_normalize(data, 255.0f, error));
    free(pixels);
    free(labels);
    return data;
}

/* A network of the tutorial's layers on side x side images. */
static inline mnist_model *network(size_t side, size_t filters, size_t units)
{
    mnist_model *model = NULL;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, side, side, 1);
    mnist_tensor *x = mnist_conv2d(input, filters, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 2 * filters, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), units, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    WORKS(mnist_model_new(input, x, NULL, &model, error));
    mnist_graph_free(graph);
    return model;
}

static inline mnist_fit_options quiet(void)
{
    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.verbose = 0;
    return options;
}

#endif
