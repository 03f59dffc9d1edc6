/* Housing: predicts the sale price of houses in Lucas County, Ohio, from twelve features.
 *
 * The target is the logarithm of the price, so that errors are relative to the price. The sales are in random order; the
 * last 600 of the 3000 are kept for the test. A linear model is trained for comparison. */

#include "check.h"
#include <math.h>

enum { SALES = 3000, TRAINED = 2400, NUMBERS = 12 };

/* Trains on `train`, with or without hidden layers, and prints the result on `test`. */
static void try(const char *name, int hidden, const mnist_dataset *train, const mnist_dataset *test, mnist_error *error)
{
    double mae, r2;
    mnist_model *model;
    mnist_metrics metrics;
    mnist_history *results;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_evaluate_options evaluate;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = 0.003;
    compile.loss_config = "'mean_squared_error'";
    compile.metrics_config = "['mae', 'r2_score']";
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = 30;
    fit.verbose = 0;
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    evaluate.results = &results;

    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, (size_t[]){NUMBERS}, 1), *x = input;
    if (hidden)
        x = mnist_dense(mnist_dense(x, 64, MNIST_ACTIVATION_RELU), 32, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 1, MNIST_ACTIVATION_LINEAR);
    x = mnist_layer(x, "Rescaling", "{scale: 0.8, offset: 4}"); /* the range of the logarithms of prices */
    check(mnist_model_new(input, x, name, &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, &evaluate, &metrics, error), error);
    check(mnist_history_get(results, "mae", 0, &mae, error), error);
    check(mnist_history_get(results, "r2_score", 0, &r2, error), error);
    printf("%s: off by a factor of %.2f on average, R^2 %.3f\n", name, exp(mae), r2);
    mnist_history_free(results);
    mnist_model_free(model);
    mnist_graph_free(graph);
}

int main(void)
{
    static float x[SALES][NUMBERS], y[SALES];
    float mean[NUMBERS], deviation[NUMBERS];
    mnist_error *error = mnist_error_new();
    mnist_dataset *table, *data, *train, *test;
    check(mnist_dataset_from_csv("data/housing.csv", "price", &table, error), error);
    check(mnist_dataset_targets(table, y, SALES, error), error);
    for (size_t i = 0; i < SALES; i++) {
        check(mnist_dataset_image(table, i, x[i], NUMBERS, NULL, error), error);
        y[i] = logf(y[i]);
    }
    const size_t dims[] = {SALES, NUMBERS};
    const mnist_array numbers = {x, MNIST_DTYPE_F32, 2, dims}, prices = {y, MNIST_DTYPE_F32, 1, dims};
    check(mnist_dataset_new(&numbers, &prices, NULL, &data, error), error);
    check(mnist_dataset_slice(data, 0, TRAINED, &train, error), error);
    check(mnist_dataset_slice(data, TRAINED, SALES - TRAINED, &test, error), error);
    /* Standardizes each feature with the mean and standard deviation of the training sales. */
    check(mnist_dataset_statistics(train, mean, deviation, NUMBERS, error), error);
    check(mnist_dataset_standardize(train, mean, deviation, NUMBERS, error), error);
    check(mnist_dataset_standardize(test, mean, deviation, NUMBERS, error), error);
    try("linear", 0, train, test, error);
    try("network", 1, train, test, error);
    mnist_dataset_free(table);
    mnist_dataset_free(data);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
