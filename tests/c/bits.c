/* Trains and saves: bits WEIGHTS THREADS SIZE STEPS, where SIZE is "tutorial" or "small". The environment variable
 * MNIST_ISA selects the instruction set. */

#include "expect.h"

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const int tutorial = strcmp(argv[3], "tutorial") == 0;
    const size_t side = tutorial ? 28 : 11, steps = (size_t)atoi(argv[4]);
    error = mnist_error_new();
    /* The last batch of an epoch is smaller. */
    mnist_dataset *data = noise(32 * steps - 13, side);
    mnist_model *model = tutorial ? network(28, 32, 128) : network(11, 5, 21);
    mnist_fit_options options = quiet();
    TRUE(mnist_model_output_len(model) == 10);
    WORKS(mnist_model_set_threads(model, (size_t)atoi(argv[2]), error));
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_save_weights(model, argv[1], error));
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
