/* Housing: what a house in Lucas County, Ohio, was sold for, by twelve numbers about it.
 *
 *     housing [DATA]        DATA: a table with a column `price` (default: data/housing.csv)
 *
 * What is learned is the logarithm of the price: a tenth more is a tenth more, whatever the house. The last 600 of the
 * 3000 sales, which come in no order, are kept for the test. Beside the network, a linear model. */

#include <mnist.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SALES = 3000, TRAINED = 2400, TESTED = SALES - TRAINED, NUMBERS = 12 };

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "housing: %s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* Each number less its mean, in units of its deviation, both of the sales to learn from. */
static void standardize(float (*x)[NUMBERS])
{
    for (size_t j = 0; j < NUMBERS; j++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < TRAINED; i++)
            mean += x[i][j] / (double)TRAINED;
        for (size_t i = 0; i < TRAINED; i++)
            variance += pow(x[i][j] - mean, 2) / TRAINED;
        for (size_t i = 0; i < SALES; i++)
            x[i][j] = (float)((x[i][j] - mean) / sqrt(variance));
    }
}

static mnist_dataset *dataset(float (*x)[NUMBERS], const float *y, size_t count, mnist_error *error)
{
    const size_t dims[] = {count, NUMBERS};
    const mnist_array numbers = {x, MNIST_DTYPE_F32, 2, dims}, prices = {y, MNIST_DTYPE_F32, 1, dims};
    mnist_dataset *data;
    check(mnist_dataset_new(&numbers, &prices, NULL, &data, error), error);
    return data;
}

/* Trains a network, which is linear when it has no hidden units, and prints what it is worth on the sales kept back. */
static void try(const char *name, size_t hidden, const mnist_dataset *train, const mnist_dataset *test, mnist_error *error)
{
    const size_t numbers = NUMBERS;
    double mae, r2;
    mnist_model *model;
    mnist_history *history;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = 0.003;
    compile.loss_config = "'mean_squared_error'";
    compile.metrics_config = "['mae', 'r2_score']";
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = 30;
    fit.verbose = 0;
    fit.validation_data = test;

    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, &numbers, 1), *x = input;
    if (hidden > 0)
        x = mnist_dense(mnist_dense(x, hidden, MNIST_ACTIVATION_RELU), hidden / 2, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 1, MNIST_ACTIVATION_LINEAR);
    x = mnist_layer(x, "Rescaling", "{scale: 0.8, offset: 4}"); /* it need not learn where prices are */
    check(mnist_model_new(input, x, name, &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, &history, error), error);
    check(mnist_history_get(history, "val_mae", fit.epochs - 1, &mae, error), error);
    check(mnist_history_get(history, "val_r2_score", fit.epochs - 1, &r2, error), error);
    printf("%s: off by a factor of %.2f on average, R^2 %.3f\n", name, exp(mae), r2);
    mnist_history_free(history);
    mnist_model_free(model);
    mnist_graph_free(graph);
}

int main(int argc, char **argv)
{
    static float x[SALES][NUMBERS], y[SALES];
    mnist_error *error = mnist_error_new();
    mnist_dataset *all;
    check(mnist_dataset_from_csv(argc > 1 ? argv[1] : "data/housing.csv", "price", &all, error), error);
    check(mnist_dataset_targets(all, y, SALES, error), error);
    for (size_t i = 0; i < SALES; i++) {
        check(mnist_dataset_image(all, i, x[i], NUMBERS, NULL, error), error);
        y[i] = logf(y[i]);
    }
    standardize(x);
    mnist_dataset *train = dataset(x, y, TRAINED, error), *test = dataset(x + TRAINED, y + TRAINED, TESTED, error);
    try("linear", 0, train, test, error);
    try("network", 64, train, test, error);
    mnist_dataset_free(all);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
