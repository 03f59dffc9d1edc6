/* What a downloaded model says: predict FILE prints the ten probabilities of the digit on standard input, 784 bytes. */
#include <mnist.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    unsigned char bytes[28 * 28];
    float pixels[28 * 28], said[10];
    mnist_model *model = NULL;
    mnist_error *error = mnist_error_new();
    if (argc != 2 || fread(bytes, 1, sizeof bytes, stdin) != sizeof bytes)
        return 2;
    for (size_t i = 0; i < sizeof bytes; i++)
        pixels[i] = (float)bytes[i] / 255.0f;
    int failed = mnist_model_load(argv[1], &model, error) < 0 || mnist_model_predict(model, pixels, 1, said, 10, error) < 0;
    if (failed)
        fprintf(stderr, "predict: %s\n", mnist_error_message(error));
    for (size_t i = 0; i < 10 && !failed; i++)
        printf("%.6f\n", said[i]);
    mnist_model_free(model);
    mnist_error_free(error);
    return failed;
}
