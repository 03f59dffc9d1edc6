/* Signals: classifies noisy signals of 128 samples into five shapes, with one-dimensional convolutions.
 *
 * The program generates the signals with random frequency, phase, amplitude and noise. It trains on 2000 of them and tests
 * on 1000 others. A linear model is trained for comparison. It fails, because the same shape with another phase has
 * completely different numbers. */

#include "check.h"
#include <math.h>

enum { SAMPLES = 128, FORMS = 5, TRAINED = 2000, TESTED = 1000 };

/* A random number from `low` to `high` (a linear congruential generator, Knuth's MMIX). */
static double draw(double low, double high)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005 + 1442695040888963407;
    return low + (high - low) * ldexp((double)(state >> 11), -53);
}

/* One of the shapes at phase `t`, with period 1: sine, square, sawtooth, triangle, silence. */
static double form(size_t kind, double t)
{
    t -= floor(t);
    const double values[FORMS] = {sin(6.283185307179586 * t), t < 0.5 ? 1 : -1, 2 * t - 1, 4 * fabs(t - 0.5) - 1, 0};
    return values[kind];
}

/* Trains on `train`, with or without convolutions; returns the accuracy on `test`. */
static double accuracy(int convolutions, const mnist_dataset *train, const mnist_dataset *test, mnist_error *error)
{
    mnist_model *model;
    mnist_metrics metrics;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = 0.003;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = 20;
    fit.verbose = 2;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, (size_t[]){SAMPLES, 1}, 2), *x = input;
    if (convolutions) {
        x = mnist_layer(x, "Conv1D", "{filters: 16, kernel_size: 9, strides: 2, activation: 'relu'}");
        x = mnist_layer(x, "Conv1D", "{filters: 32, kernel_size: 9, strides: 2, activation: 'relu'}");
        x = mnist_layer(x, "GlobalAveragePooling1D", NULL);
    }
    x = mnist_dense(mnist_flatten(x), FORMS, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "signal", &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return metrics.accuracy;
}

int main(void)
{
    static float x[TRAINED + TESTED][SAMPLES];
    static uint8_t y[TRAINED + TESTED];
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    for (size_t i = 0; i < TRAINED + TESTED; i++) {
        const double frequency = draw(2, 8) / SAMPLES, phase = draw(0, 1), height = draw(0.5, 1.5);
        y[i] = (uint8_t)(i % FORMS);
        for (size_t t = 0; t < SAMPLES; t++)
            x[i][t] = (float)(height * form(y[i], (double)t * frequency + phase) + draw(-0.5, 0.5) + draw(-0.5, 0.5));
    }
    check(mnist_dataset_from_f32(x[0], (size_t[]){TRAINED, SAMPLES, 1}, 3, y, &train, error), error);
    check(mnist_dataset_from_f32(x[TRAINED], (size_t[]){TESTED, SAMPLES, 1}, 3, y + TRAINED, &test, error), error);
    const double linear = accuracy(0, train, test, error), network = accuracy(1, train, test, error);
    printf("test accuracy: convolutions %.3f, linear %.3f, guessing %.3f\n", network, linear, 1.0 / FORMS);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
