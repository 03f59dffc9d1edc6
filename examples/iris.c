/* Iris: predicts the species of a flower from four lengths (Fisher 1936).
 *
 * There are only 150 flowers, so all of them are tested by fivefold cross-validation: five times a network is trained on
 * four fifths of them, with equal numbers of each species, and tested on the rest. For comparison the same network is
 * trained without a hidden layer, which is logistic regression. */

#include "check.h"

enum { FLOWERS = 150, LENGTHS = 4, SPECIES = 3, PARTS = 5, TESTED = FLOWERS / PARTS };

/* Trains on `train`, with or without a hidden layer; returns the accuracy on `test`. */
static double accuracy(int hidden, const mnist_dataset *train, const mnist_dataset *test, mnist_error *error)
{
    mnist_model *model;
    mnist_metrics metrics;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = 0.01;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.batch_size = 16;
    fit.epochs = 200;
    fit.verbose = 0;

    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, (size_t[]){LENGTHS}, 1);
    mnist_tensor *x = hidden ? mnist_dense(input, 16, MNIST_ACTIVATION_TANH) : input;
    x = mnist_dense(x, SPECIES, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "iris", &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return metrics.accuracy;
}

int main(void)
{
    float x[2 * FLOWERS][LENGTHS];
    uint32_t y[2 * FLOWERS];
    double network = 0, regression = 0;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all, *twice, *train, *test;
    check(mnist_dataset_from_csv("data/iris.csv", "species", &all, error), error);

    /* The table twice, one copy after the other: the rows after any test part are then one contiguous training set. */
    for (size_t i = 0; i < 2 * FLOWERS; i++)
        check(mnist_dataset_image(all, i % FLOWERS, x[i], LENGTHS, &y[i], error), error);
    const size_t dims[] = {2 * FLOWERS, LENGTHS};
    const mnist_array lengths = {x, MNIST_DTYPE_F32, 2, dims}, species = {y, MNIST_DTYPE_U32, 1, dims};
    check(mnist_dataset_new(&lengths, &species, NULL, &twice, error), error);

    /* The species alternate, so thirty consecutive flowers are ten of each. */
    for (size_t start = 0; start < FLOWERS; start += TESTED) {
        check(mnist_dataset_slice(twice, start, TESTED, &test, error), error);
        check(mnist_dataset_slice(twice, start + TESTED, FLOWERS - TESTED, &train, error), error);
        network += accuracy(1, train, test, error) * TESTED;
        regression += accuracy(0, train, test, error) * TESTED;
        mnist_dataset_free(train);
        mnist_dataset_free(test);
    }
    printf("correct: %.0f of %d flowers by the network, %.0f by logistic regression\n", network, FLOWERS, regression);
    mnist_dataset_free(all);
    mnist_dataset_free(twice);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
