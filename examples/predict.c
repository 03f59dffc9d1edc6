/* Shows test digits in the terminal with their predicted probabilities, using the weights that the tutorial saved.
 *
 *     predict_digits [WEIGHTS [DATA [FIRST [COUNT]]]] */

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>

#define SIDE 28
#define CLASSES 10
#define BAR 40

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "predict: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* The tutorial's network with weights from a file. */
static mnist_model *load(const char *weights, mnist_error *error)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, SIDE, SIDE, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_flatten(x);
    x = mnist_dense(x, 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, CLASSES, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, NULL, &model, error), error);
    mnist_graph_free(graph);
    const mnist_status status = mnist_model_load_weights(model, weights, error);
    if (status == MNIST_ERROR_NOT_FOUND)
        fputs("There are no weights yet: `make -C examples run` trains the network and saves them.\n", stderr);
    check(status, error);
    return model;
}

/* A character is as high as two pixels; each shows the darker one of the two. */
static void print_digit(const float *pixels)
{
    static const char ink[] = " .:-=+*#%@";
    for (int y = 0; y < SIDE; y += 2) {
        for (int x = 0; x < SIDE; x++) {
            const float above = pixels[y * SIDE + x], below = pixels[(y + 1) * SIDE + x];
            putchar(ink[(int)((above > below ? above : below) * 9.0f + 0.5f)]);
        }
        putchar('\n');
    }
}

static void print_bars(const float *probabilities, unsigned label)
{
    int best = 0;
    for (int i = 1; i < CLASSES; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    for (int i = 0; i < CLASSES; i++) {
        const int length = (int)(probabilities[i] * BAR + 0.5f);
        printf("%d %6.2f%% ", i, probabilities[i] * 100.0f);
        for (int j = 0; j < length; j++)
            putchar('#');
        putchar('\n');
    }
    printf("it says %d, the label is %u%s\n\n", best, label, best == (int)label ? "" : "  <-- wrong");
}

int main(int argc, char **argv)
{
    const char *weights = argc > 1 ? argv[1] : "mnist.safetensors";
    const char *path = argc > 2 ? argv[2] : "data/mnist.npz";
    const size_t first = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 0;
    const size_t count = argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 3;
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;

    mnist_model *model = load(weights, error);
    check(mnist_load_data(path, &train, &test, error), error);
    check(mnist_dataset_normalize(test, 255.0f, error), error);
    for (size_t i = first; i < first + count; i++) {
        float pixels[SIDE * SIDE], probabilities[CLASSES];
        uint32_t label;
        check(mnist_dataset_image(test, i, pixels, SIDE * SIDE, &label, error), error);
        check(mnist_model_predict(model, pixels, 1, probabilities, CLASSES, error), error);
        printf("test image %zu\n", i);
        print_digit(pixels);
        print_bars(probabilities, (unsigned)label);
    }
    mnist_model_free(model);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
