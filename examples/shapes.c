/* Shapes: five shapes of any colour and place, in pictures of 64 x 64 pixels that the program draws.
 *
 *     shapes [EPOCHS]        EPOCHS: how often it sees the 500 pictures to learn from (default: 40)
 *
 * 500 are few for what can vary: layers at the network's beginning turn, shift and mirror each picture anew, in training
 * alone. Beside it, the same network without them. */

#include <mnist.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 64, COLOURS = 3, KINDS = 5, TRAINED = 500, TESTED = 1000 };

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "shapes: %s\n", mnist_error_message(error));
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

/* Whether a point is inside: a disc, a square, a triangle, a cross, a ring, each of a size of about 1. */
static int inside(uint32_t kind, double x, double y)
{
    const double far = fmax(fabs(x), fabs(y)), near = fmin(fabs(x), fabs(y)), radius = hypot(x, y);
    return kind == 0   ? radius < 0.9
           : kind == 1 ? far < 0.8
           : kind == 2 ? y < 0.6 && fabs(x) < 0.6 * (y + 1)
           : kind == 3 ? far < 0.9 && near < 0.25
                       : radius < 0.95 && radius > 0.6;
}

/* One picture: a shape of one colour on a ground of another, which differs by 60 or more in one of them, and noise. */
static void picture(uint32_t kind, uint8_t *pixels)
{
    const double size = draw(14, 22), turn = draw(-0.4, 0.4), x = draw(size, SIDE - size), y = draw(size, SIDE - size);
    double ground[COLOURS], colour[COLOURS];
    for (size_t c = 0; c < COLOURS; c++) {
        ground[c] = draw(30, 225);
        colour[c] = c == 0 ? fmod(ground[c] - 30 + draw(60, 135), 195) + 30 : draw(30, 225);
    }
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        const double dx = ((double)(i % SIDE) - x) / size, dy = ((double)(i / SIDE) - y) / size;
        const int is = inside(kind, dx * cos(turn) - dy * sin(turn), dx * sin(turn) + dy * cos(turn));
        for (size_t c = 0; c < COLOURS; c++)
            pixels[i * COLOURS + c] = (uint8_t)((is ? colour[c] : ground[c]) + draw(-20, 20));
    }
}

static mnist_dataset *pictures(size_t count, mnist_error *error)
{
    uint8_t *pixels = malloc(count * SIDE * SIDE * COLOURS), *kinds = malloc(count);
    if (pixels == NULL || kinds == NULL)
        exit(EXIT_FAILURE);
    for (size_t i = 0; i < count; i++) {
        kinds[i] = (uint8_t)(i % KINDS);
        picture(kinds[i], pixels + i * SIDE * SIDE * COLOURS);
    }
    const size_t dims[] = {count, SIDE, SIDE, COLOURS};
    mnist_dataset *data;
    check(mnist_dataset_from_u8(pixels, dims, 4, kinds, &data, error), error);
    check(mnist_dataset_normalize(data, 255.0f, error), error);
    free(pixels);
    free(kinds);
    return data;
}

/* Learns from `train`, with or without augmentation, and says which share of `test` it then gets right. */
static double accuracy(int augmented, size_t epochs, const mnist_dataset *train, const mnist_dataset *test,
                       mnist_error *error)
{
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
    mnist_tensor *input = mnist_input(graph, SIDE, SIDE, COLOURS), *x = input;
    if (augmented) {
        x = mnist_layer(x, "RandomFlip", "{mode: 'horizontal'}");
        x = mnist_layer(x, "RandomRotation", "{factor: 0.06, fill_mode: 'nearest'}");
        x = mnist_layer(x, "RandomTranslation", "{height_factor: 0.15, width_factor: 0.15, fill_mode: 'nearest'}");
    }
    for (size_t filters = 8; filters <= 64; filters *= 2)
        x = mnist_max_pooling2d(mnist_conv2d(x, filters, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_dense(mnist_flatten(x), 64, MNIST_ACTIVATION_RELU);
    check(mnist_model_new(input, mnist_dense(x, KINDS, MNIST_ACTIVATION_SOFTMAX), "shapes", &model, error), error);
    check(mnist_model_compile(model, &compile, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    return metrics.accuracy;
}

int main(int argc, char **argv)
{
    const size_t epochs = argc > 1 ? strtoul(argv[1], NULL, 10) : 40;
    mnist_error *error = mnist_error_new();
    mnist_dataset *train = pictures(TRAINED, error), *test = pictures(TESTED, error);
    const double plain = accuracy(0, epochs, train, test, error);
    const double augmented = accuracy(1, epochs, train, test, error);
    printf("test accuracy: %.3f with augmentation, %.3f without, %.3f by guessing\n", augmented, plain, 1.0 / KINDS);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
