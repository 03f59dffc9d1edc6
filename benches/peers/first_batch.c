/* Times a fresh process from opening the shared library to the first trained batch; prints one line of JSON.
 *
 *     first_batch LIBRARY
 *
 * The images are in memory as bytes before the clock starts. The time includes opening the library, creating the dataset and the
 * tutorial's network, compiling the model, and training one batch of 32. */

#define _POSIX_C_SOURCE 200809L

#include <mnist.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 32, SIDE = 28 };

/* Function pointers with the names and types of the functions, set when the library is opened. */
#define FUNCTIONS(X) \
    X(mnist_version) X(mnist_error_new) X(mnist_error_free) X(mnist_error_message) X(mnist_dataset_from_u8) \
    X(mnist_dataset_normalize) X(mnist_dataset_free) X(mnist_graph_new) X(mnist_graph_free) X(mnist_input) \
    X(mnist_conv2d) X(mnist_flatten) X(mnist_dense) X(mnist_model_new) X(mnist_model_compile) X(mnist_model_fit) \
    X(mnist_model_free) X(mnist_fit_options_init)
#define DECLARE(name) __typeof__(name) *name;
static struct {
    FUNCTIONS(DECLARE)
} lib;

static mnist_error *error;

static void fail(const char *what)
{
    fprintf(stderr, "first_batch: %s\n", what);
    exit(EXIT_FAILURE);
}

static void check(mnist_status status)
{
    if (status != MNIST_OK)
        fail(lib.mnist_error_message(error));
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void open_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW), *symbol;
    if (!library)
        fail(dlerror());
    /* Copied, because ISO C has no conversion from object to function pointers; POSIX guarantees the same representation. */
#define FIND(name) \
    if (!(symbol = dlsym(library, #name))) \
        fail("no " #name " in the library"); \
    memcpy(&lib.name, &symbol, sizeof symbol);
    FUNCTIONS(FIND)
}

static mnist_dataset *dataset(const uint8_t *pixels, const uint8_t *labels)
{
    const size_t dims[] = {BATCH, SIDE, SIDE};
    mnist_dataset *out;
    check(lib.mnist_dataset_from_u8(pixels, dims, 3, labels, &out, error));
    check(lib.mnist_dataset_normalize(out, 255.0f, error));
    return out;
}

static mnist_model *build(void)
{
    mnist_model *model;
    mnist_graph *graph = lib.mnist_graph_new();
    mnist_tensor *input = lib.mnist_input(graph, SIDE, SIDE, 1);
    mnist_tensor *x = lib.mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = lib.mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = lib.mnist_dense(lib.mnist_flatten(x), 128, MNIST_ACTIVATION_RELU);
    x = lib.mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    check(lib.mnist_model_new(input, x, NULL, &model, error));
    lib.mnist_graph_free(graph);
    return model;
}

static int32_t on_batch_end(void *user_data, const mnist_progress *progress)
{
    (void)progress;
    *(double *)user_data = now_ms();
    return 0;
}

static void fit(mnist_model *model, const mnist_dataset *train, double *end)
{
    mnist_fit_options options;
    lib.mnist_fit_options_init(&options, sizeof options);
    options.batch_size = BATCH;
    options.verbose = 0;
    options.on_batch_end = on_batch_end;
    options.user_data = end;
    check(lib.mnist_model_compile(model, NULL, error));
    check(lib.mnist_model_fit(model, train, &options, NULL, error));
}

int main(int argc, char **argv)
{
    static uint8_t pixels[BATCH * SIDE * SIDE], labels[BATCH];
    double end = 0;
    if (argc != 2)
        fail("usage: first_batch LIBRARY");
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37 % 256); /* the content does not affect the time */
    for (size_t i = 0; i < BATCH; i++)
        labels[i] = (uint8_t)(i % 10);

    const double start = now_ms();
    open_library(argv[1]);
    error = lib.mnist_error_new();
    mnist_dataset *train = dataset(pixels, labels);
    mnist_model *model = build();
    fit(model, train, &end);
    printf("{\"peer\": \"libmnist\", \"version\": \"%s\", \"first_batch_ms\": %.3f}\n", lib.mnist_version(),
           end - start);
    lib.mnist_model_free(model);
    lib.mnist_dataset_free(train);
    lib.mnist_error_free(error);
    return EXIT_SUCCESS;
}
