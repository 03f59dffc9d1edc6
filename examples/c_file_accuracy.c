/* Prints the test accuracy of the two C files that c_file has written, with float and with 8-bit weights.
 *
 *     cc -ffp-contract=off -IFOLDER c_file_accuracy.c -lmnist
 *     c_file_accuracy [DATA]     (default: data/mnist.npz)
 *
 * The library is used only to read the images. */

#include "check.h"

#include "digits_float.c"
#include "digits_int8.c"

enum { CLASSES = DIGITS_FLOAT_OUTPUT_LEN };

static const struct file {
    const char *name;
    void (*predict)(const float *image, float *out);
} files[] = {{"floats", digits_float_predict}, {"bytes", digits_int8_predict}};

int main(int argc, char **argv)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;
    float image[DIGITS_FLOAT_INPUT_LEN], out[CLASSES];

    check(mnist_load_data(argc > 1 ? argv[1] : "data/mnist.npz", &train, &test, error), error);
    check(mnist_dataset_normalize(test, 255.0f, error), error);
    const size_t count = mnist_dataset_len(test);
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        size_t right = 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t label = 0, best = 0;
            check(mnist_dataset_image(test, i, image, DIGITS_FLOAT_INPUT_LEN, &label, error), error);
            files[f].predict(image, out);
            for (uint32_t c = 1; c < CLASSES; c++)
                best = out[c] > out[best] ? c : best;
            right += best == label;
        }
        printf("%-12s %.2f %%\n", files[f].name, 100.0 * (double)right / (double)count);
    }
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
