/* Personalize: a network that knows the digits 0 to 8 learns the 9 from twenty images of it, in under a second.
 *
 *     personalize [DATA]        DATA: MNIST (default: data/mnist.npz)
 *
 * The trained layers (the body) are frozen. A new head is trained on these twenty images and on twenty of each old digit, so
 * that the network does not forget them. For comparison the same network is trained from random weights. */

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIXELS = 28 * 28, KNOWN = 9, OLD = 10000, FEW = 20 };

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "personalize: %s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* The first images of `from` with a digit from `low` to `high`, at most `each` per digit and `most` in total. */
static mnist_dataset *choose(const mnist_dataset *from, uint32_t low, uint32_t high, size_t each, size_t most,
                             mnist_error *error)
{
    float *x = malloc(most * PIXELS * sizeof *x);
    uint32_t *y = malloc(most * sizeof *y);
    size_t taken = 0, of[10] = {0};
    if (x == NULL || y == NULL)
        exit(EXIT_FAILURE);
    for (size_t i = 0; i < mnist_dataset_len(from) && taken < most; i++) {
        check(mnist_dataset_image(from, i, x + taken * PIXELS, PIXELS, &y[taken], error), error);
        if (y[taken] >= low && y[taken] <= high && of[y[taken]]++ < each)
            taken++;
    }
    const size_t dims[] = {taken, 28, 28};
    const mnist_array images = {x, MNIST_DTYPE_F32, 3, dims}, labels = {y, MNIST_DTYPE_U32, 1, dims};
    mnist_dataset *data;
    check(mnist_dataset_new(&images, &labels, NULL, &data, error), error);
    free(x);
    free(y);
    return data;
}

/* The network: the body's layers have the same names each time, the head has the given name. */
static mnist_model *build(const char *head, double learning_rate, mnist_error *error)
{
    mnist_model *model;
    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = learning_rate;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_max_pooling2d(mnist_conv2d(input, 16, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_max_pooling2d(mnist_conv2d(x, 32, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_dense(mnist_flatten(x), 64, MNIST_ACTIVATION_RELU);
    check(mnist_model_new(input, mnist_layer(x, "Dense", head), "digits", &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    mnist_graph_free(graph);
    return model;
}

static void learn(mnist_model *model, const mnist_dataset *data, size_t epochs, mnist_error *error)
{
    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = epochs;
    fit.verbose = 0;
    check(mnist_model_fit(model, data, &fit, NULL, error), error);
}

static double accuracy(const mnist_model *model, const mnist_dataset *test, mnist_error *error)
{
    mnist_metrics metrics;
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    return 100 * metrics.accuracy;
}

/* A hash of the body's weights (FNV-1a); the head's two weights come last and are not included. */
static unsigned long long hash(const mnist_model *model, mnist_error *error)
{
    static float values[1 << 18];
    unsigned long long sum = 14695981039346656037u;
    for (size_t i = 0; i + 2 < mnist_model_weights_len(model); i++) {
        size_t dims[4], rank, bytes = sizeof *values;
        const char *name = mnist_model_weight_name(model, i);
        check(mnist_model_weight_shape(model, name, dims, 4, &rank, error), error);
        check(mnist_model_get_weight(model, name, values, sizeof values / sizeof *values, error), error);
        while (rank > 0)
            bytes *= dims[--rank];
        for (size_t b = 0; b < bytes; b++)
            sum = (sum ^ ((const unsigned char *)values)[b]) * 1099511628211u;
    }
    return sum;
}

int main(int argc, char **argv)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    check(mnist_load_data(argc > 1 ? argv[1] : "data/mnist.npz", &train, &test, error), error);
    check(mnist_dataset_normalize(train, 255, error), error);
    check(mnist_dataset_normalize(test, 255, error), error);
    mnist_dataset *many = choose(train, 0, KNOWN - 1, OLD, OLD, error);
    mnist_dataset *few = choose(train, 0, KNOWN, FEW, FEW * 10, error);
    mnist_dataset *old = choose(test, 0, KNOWN - 1, 10000, 10000, error);
    mnist_dataset *new = choose(test, KNOWN, KNOWN, 10000, 10000, error);

    mnist_model *nine = build("{name: 'nine', units: 9, activation: 'softmax'}", 0.001, error);
    learn(nine, many, 3, error);
    printf("before:       %.1f %% of the digits 0 to 8, no 9; body %016llx\n", accuracy(nine, old, error), hash(nine, error));

    mnist_model *ten = build("{name: 'ten', units: 10, activation: 'softmax'}", 0.01, error);
    check(mnist_model_copy_weights(ten, nine, NULL, error), error);
    check(mnist_model_set_trainable(ten, NULL, 0, error), error);
    check(mnist_model_set_trainable(ten, "ten", 1, error), error);
    const clock_t start = clock();
    learn(ten, few, 40, error);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("after:        %.1f %% of the digits 0 to 8, %.1f %% of the 9s; body %016llx; %.2f s of processor time\n",
           accuracy(ten, old, error), accuracy(ten, new, error), hash(ten, error), seconds);

    mnist_model *scratch = build("{name: 'ten', units: 10, activation: 'softmax'}", 0.001, error);
    learn(scratch, few, 40, error);
    printf("from scratch: %.1f %% of the digits 0 to 8, %.1f %% of the 9s\n", accuracy(scratch, old, error),
           accuracy(scratch, new, error));

    mnist_model_free(nine);
    mnist_model_free(ten);
    mnist_model_free(scratch);
    mnist_dataset *const data[] = {train, test, many, few, old, new};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        mnist_dataset_free(data[i]);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
