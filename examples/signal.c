/* Signals: which of five forms a noisy signal of 128 samples has, by one-dimensional convolutions.
 *
 *     signal [EPOCHS]        EPOCHS: how often it sees the 2000 signals to learn from (default: 20)
 *
 * The program makes the signals: frequency, phase, height and noise are drawn. Beside the network, a linear model, which
 * cannot do it: wherever a wave begins, the same form is other numbers. */

#include <mnist.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 128, FORMS = 5, TRAINED = 2000, TESTED = 1000 };

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "signal: %s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* A number from `low` to `high` (xorshift, Marsaglia 2003). */
static double draw(double low, double high)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return low + (high - low) * (double)(state >> 11) / 9007199254740992.0;
}

/* One of the forms at phase `t`, of which 1 is a period: sine, square, sawtooth, triangle; 4 is silence, noise alone. */
static double form(uint32_t kind, double t)
{
    t -= floor(t);
    return kind == 0   ? sin(6.283185307179586 * t)
           : kind == 1 ? (t < 0.5 ? 1 : -1)
           : kind == 2 ? 2 * t - 1
           : kind == 3 ? 4 * fabs(t - 0.5) - 1
                       : 0;
}

static mnist_dataset *signals(size_t count, mnist_error *error)
{
    float *x = malloc(count * SAMPLES * sizeof *x);
    uint32_t *y = malloc(count * sizeof *y);
    if (x == NULL || y == NULL)
        exit(EXIT_FAILURE);
    for (size_t i = 0; i < count; i++) {
        y[i] = (uint32_t)(i % FORMS);
        const double frequency = draw(2, 8) / SAMPLES, phase = draw(0, 1), height = draw(0.5, 1.5);
        for (size_t t = 0; t < SAMPLES; t++)
            x[i * SAMPLES + t] = (float)(height * form(y[i], (double)t * frequency + phase) + draw(-0.5, 0.5)
                                         + draw(-0.5, 0.5));
    }
    const size_t dims[] = {count, SAMPLES, 1};
    const mnist_array values = {x, MNIST_DTYPE_F32, 3, dims}, forms = {y, MNIST_DTYPE_U32, 1, dims};
    mnist_dataset *data;
    check(mnist_dataset_new(&values, &forms, NULL, &data, error), error);
    free(x);
    free(y);
    return data;
}

static mnist_tensor *convolutions(mnist_tensor *x)
{
    x = mnist_layer(x, "Conv1D", "{filters: 16, kernel_size: 9, strides: 2, activation: 'relu'}");
    x = mnist_layer(x, "Conv1D", "{filters: 32, kernel_size: 9, strides: 2, activation: 'relu'}");
    return mnist_layer(x, "GlobalAveragePooling1D", NULL);
}

/* Learns from `train` and says which share of `test` it then gets right. */
static double accuracy(mnist_tensor *(*layers)(mnist_tensor *), size_t epochs, const mnist_dataset *train,
                       const mnist_dataset *test, mnist_error *error)
{
    const size_t dims[] = {SAMPLES, 1};
    mnist_model *model;
    mnist_metrics metrics;
    mnist_compile_options compile;
    mnist_fit_options fit;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = 0.003;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = epochs;
    fit.verbose = 2;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, dims, 2);
    mnist_tensor *output = mnist_dense(layers(input), FORMS, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, output, "signal", &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return metrics.accuracy;
}

int main(int argc, char **argv)
{
    const size_t epochs = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
    mnist_error *error = mnist_error_new();
    mnist_dataset *train = signals(TRAINED, error), *test = signals(TESTED, error);
    const double linear = accuracy(mnist_flatten, epochs, train, test, error);
    const double network = accuracy(convolutions, epochs, train, test, error);
    printf("test accuracy: convolutions %.3f, linear %.3f, guessing %.3f\n", network, linear, 1.0 / FORMS);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
