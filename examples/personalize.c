/* Personalize: a network that knows the digits 0 to 8 learns the 9 from twenty pictures of it, in under a second.
 *
 * What it has learned to see stays as it is, frozen; it gets a new head, which learns from those twenty and from as
 * many of each old digit, so that it does not forget them. Beside it, the same network with nothing to build on. */

#include "check.h"
#include <time.h>

enum { PIXELS = 28 * 28, MANY = 1100, FEW = 20, ALL = 10000 };

/* The first pictures of `from` with a digit from `low` to `high`, at most `each` of each of them, scaled to 0..1. */
static mnist_dataset *choose(const mnist_dataset *from, uint32_t low, uint32_t high, size_t each, mnist_error *error)
{
    static float x[ALL][PIXELS];
    static uint8_t y[ALL];
    size_t taken = 0, of[10] = {0};
    uint32_t digit;
    mnist_dataset *data;
    for (size_t i = 0; i < mnist_dataset_len(from) && taken < ALL; i++) {
        check(mnist_dataset_image(from, i, x[taken], PIXELS, &digit, error), error);
        y[taken] = (uint8_t)digit;
        if (digit >= low && digit <= high && of[digit]++ < each)
            taken++;
    }
    check(mnist_dataset_from_f32(x[0], (size_t[]){taken, 28, 28}, 3, y, &data, error), error);
    check(mnist_dataset_normalize(data, 255, error), error);
    return data;
}

/* The body, whose layers have the same names each time, and a head of its own name. */
static mnist_model *build(const char *head, double learning_rate, mnist_error *error)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_max_pooling2d(mnist_conv2d(input, 16, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_max_pooling2d(mnist_conv2d(x, 32, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_dense(mnist_flatten(x), 64, MNIST_ACTIVATION_RELU);
    check(mnist_model_new(input, mnist_layer(x, "Dense", head), "digits", &model, error), error);
    check(mnist_model_compile(model, NULL, error), error);
    check(mnist_model_set_learning_rate(model, learning_rate, error), error);
    mnist_graph_free(graph);
    return model;
}

static double percent(const mnist_model *model, const mnist_dataset *test, mnist_error *error)
{
    mnist_metrics metrics;
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    return 100 * metrics.accuracy;
}

int main(void)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    check(mnist_load_data("data/mnist.npz", &train, &test, error), error);
    mnist_dataset *many = choose(train, 0, 8, MANY, error), *few = choose(train, 0, 9, FEW, error);
    mnist_dataset *old = choose(test, 0, 8, ALL, error), *new = choose(test, 9, 9, ALL, error);

    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = 3;
    fit.verbose = 0;

    mnist_model *nine = build("{name: 'nine', units: 9, activation: 'softmax'}", 0.001, error);
    check(mnist_model_fit(nine, many, &fit, NULL, error), error);
    printf("before:       %.1f %% of the digits 0 to 8, no 9\n", percent(nine, old, error));

    mnist_model *ten = build("{name: 'ten', units: 10, activation: 'softmax'}", 0.01, error);
    check(mnist_model_copy_weights(ten, nine, NULL, error), error);
    check(mnist_model_set_trainable(ten, NULL, 0, error), error);
    check(mnist_model_set_trainable(ten, "ten", 1, error), error);
    fit.epochs = 40;
    const clock_t start = clock();
    check(mnist_model_fit(ten, few, &fit, NULL, error), error);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("after:        %.1f %% of the digits 0 to 8, %.1f %% of the 9s; it took %.2f s of processor time\n",
           percent(ten, old, error), percent(ten, new, error), seconds);
    check(mnist_model_copy_weights(nine, ten, NULL, error), error); /* all but the head's */
    printf("old head:     %.1f %% of the digits 0 to 8, on the body of the new one\n", percent(nine, old, error));

    mnist_model *scratch = build("{name: 'ten', units: 10, activation: 'softmax'}", 0.001, error);
    check(mnist_model_fit(scratch, few, &fit, NULL, error), error);
    printf("from nothing: %.1f %% of the digits 0 to 8, %.1f %% of the 9s\n", percent(scratch, old, error),
           percent(scratch, new, error));

    mnist_model_free(nine);
    mnist_model_free(ten);
    mnist_model_free(scratch);
    mnist_dataset *const data[] = {train, test, many, few, old, new};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        mnist_dataset_free(data[i]);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
