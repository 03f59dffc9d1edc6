/* Shapes: classifies five shapes of any size and position, in images of 64 x 64 pixels that the program draws. The 250
 * training images are few, so augmentation layers at the beginning of the network flip and shift them at random during
 * training. The same network without augmentation is trained for comparison. Both are tested on 1000 other images. */

#include "check.h"
#include <math.h>

enum { SIDE = 64, RGB = 3, KINDS = 5, TRAINED = 250, TESTED = 1000 };

/* A random number from `low` to `high` (a linear congruential generator, Knuth's MMIX). */
static double draw(double low, double high)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005 + 1442695040888963407;
    return low + (high - low) * ldexp((double)(state >> 11), -53);
}

/* Draws a disc, a square, a diamond, a star or a ring of a light colour on a dark background, and noise. */
static void picture(size_t kind, uint8_t *pixels)
{
    const double size = draw(10, 20), left = draw(size, SIDE - size), top = draw(size, SIDE - size);
    double colours[2 * RGB];
    for (size_t c = 0; c < 2 * RGB; c++)
        colours[c] = c < RGB ? draw(130, 235) : draw(20, 125);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double x = fabs(i % SIDE - left) / size, y = fabs(i / SIDE - top) / size, r = hypot(x, y);
        const int inside[] = {r < 0.9, fmax(x, y) < 0.8, x + y < 1.1, sqrt(x) + sqrt(y) < 1.1, fabs(r - 0.75) < 0.2};
        for (size_t c = 0; c < RGB; c++)
            pixels[i * RGB + c] = (uint8_t)(colours[inside[kind] ? c : RGB + c] + draw(-20, 20));
    }
}

/* Trains on `train`, with or without augmentation; returns the accuracy on `test`. */
static double accuracy(int augmented, const mnist_dataset *train, const mnist_dataset *test, mnist_error *error)
{
    mnist_model *model;
    mnist_metrics metrics;
    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.epochs = 30;
    fit.verbose = 2;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, SIDE, SIDE, RGB), *x = input;
    if (augmented)
        x = mnist_layer(mnist_layer(x, "RandomFlip", NULL), "RandomTranslation",
                        "{height_factor: 0.15, width_factor: 0.15}");
    for (size_t filters = 8; filters <= 32; filters *= 2)
        x = mnist_max_pooling2d(mnist_conv2d(x, filters, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_dense(mnist_dense(mnist_flatten(x), 64, MNIST_ACTIVATION_RELU), KINDS, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "shapes", &model, error), error);
    check(mnist_model_compile(model, NULL, error), error);
    check(mnist_model_set_learning_rate(model, 0.003, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return metrics.accuracy;
}

int main(void)
{
    static uint8_t x[TRAINED + TESTED][SIDE * SIDE * RGB], y[TRAINED + TESTED];
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    for (size_t i = 0; i < TRAINED + TESTED; i++) {
        y[i] = (uint8_t)(i % KINDS);
        picture(y[i], x[i]);
    }
    check(mnist_dataset_from_u8(x[0], (size_t[]){TRAINED, SIDE, SIDE, RGB}, 4, y, &train, error), error);
    check(mnist_dataset_from_u8(x[TRAINED], (size_t[]){TESTED, SIDE, SIDE, RGB}, 4, y + TRAINED, &test, error), error);
    check(mnist_dataset_normalize(train, 255, error), error);
    check(mnist_dataset_normalize(test, 255, error), error);
    const double plain = accuracy(0, train, test, error), augmented = accuracy(1, train, test, error);
    printf("test accuracy: %.3f with augmentation, %.3f without, %.3f by guessing\n", augmented, plain, 1.0 / KINDS);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
