/* Iris: four lengths of a flower tell its species (Fisher 1936).
 *
 *     iris [DATA]        DATA: a table with a column `species` (default: data/iris.csv)
 *
 * 150 flowers are few, so each of them is tested: five times a network learns from four fifths of them, as many of each
 * species, and is asked about the rest. Beside it, the same without a hidden layer: logistic regression. */

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>

enum { FLOWERS = 150, LENGTHS = 4, SPECIES = 3, PARTS = 5, TESTED = FLOWERS / PARTS, TRAINED = FLOWERS - TESTED };

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "iris: %s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

static mnist_dataset *dataset(float (*x)[LENGTHS], const uint32_t *y, size_t count, mnist_error *error)
{
    const size_t dims[] = {count, LENGTHS};
    const mnist_array lengths = {x, MNIST_DTYPE_F32, 2, dims}, species = {y, MNIST_DTYPE_U32, 1, dims};
    mnist_dataset *data;
    check(mnist_dataset_new(&lengths, &species, NULL, &data, error), error);
    return data;
}

/* Learns from `train`, with or without a hidden layer, and says which share of `test` it then gets right. */
static double accuracy(const mnist_dataset *train, const mnist_dataset *test, int hidden, mnist_error *error)
{
    const size_t lengths = LENGTHS;
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
    mnist_tensor *input = mnist_input_shape(graph, &lengths, 1);
    mnist_tensor *x = hidden ? mnist_dense(input, 16, MNIST_ACTIVATION_TANH) : input;
    check(mnist_model_new(input, mnist_dense(x, SPECIES, MNIST_ACTIVATION_SOFTMAX), "iris", &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return metrics.accuracy;
}

int main(int argc, char **argv)
{
    float x[FLOWERS][LENGTHS];
    uint32_t y[FLOWERS];
    double network = 0, regression = 0;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all;
    check(mnist_dataset_from_csv(argc > 1 ? argv[1] : "data/iris.csv", "species", &all, error), error);

    for (size_t part = 0; part < PARTS; part++) {
        /* The species come in turn: thirty flowers in a row are ten of each. Those to be tested are put last. */
        for (size_t i = 0; i < FLOWERS; i++)
            check(mnist_dataset_image(all, (i + (part + 1) * TESTED) % FLOWERS, x[i], LENGTHS, &y[i], error), error);
        mnist_dataset *train = dataset(x, y, TRAINED, error), *test = dataset(x + TRAINED, y + TRAINED, TESTED, error);
        network += accuracy(train, test, 1, error) * TESTED;
        regression += accuracy(train, test, 0, error) * TESTED;
        mnist_dataset_free(train);
        mnist_dataset_free(test);
    }
    printf("right: %.0f of %d flowers by the network, %.0f by logistic regression\n", network, FLOWERS, regression);
    mnist_dataset_free(all);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
