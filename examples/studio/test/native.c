/* What the page must come to, by the native library: reference DATA IMAGES SEED FILE trains the studio's network on so many
 * images, shuffled once, and writes its weights one after the other. */
#include <mnist.h>
#include <stdio.h>
#include <stdlib.h>

static mnist_error *error;

static void works(mnist_status status)
{
    if (status < 0) {
        fprintf(stderr, "reference: %s\n", mnist_error_message(error));
        exit(1);
    }
}

static mnist_model *network(uint64_t seed)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, seed);
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    works(mnist_model_new(input, x, "studio", &model, error));
    works(mnist_model_compile(model, NULL, error));
    mnist_graph_free(graph);
    return model;
}

static void write_weights(const mnist_model *model, const char *path)
{
    FILE *file = fopen(path, "wb");
    int fails = file == NULL;
    for (size_t i = 0; !fails && i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[8], rank, count = 1;
        works(mnist_model_weight_shape(model, name, dims, 8, &rank, error));
        for (size_t d = 0; d < rank; d++)
            count *= dims[d];
        float *values = malloc(count * sizeof *values);
        fails = values == NULL;
        if (!fails) {
            works(mnist_model_get_weight(model, name, values, count, error));
            fails = fwrite(values, sizeof *values, count, file) != count;
        }
        free(values);
    }
    if (fails || fclose(file) != 0) {
        fprintf(stderr, "reference: %s cannot be written\n", path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const uint64_t seed = strtoull(argv[3], NULL, 10);
    mnist_dataset *train, *test, *some;
    mnist_fit_options options;
    error = mnist_error_new();
    works(mnist_load_data(argv[1], &train, &test, error));
    works(mnist_dataset_slice(train, 0, strtoull(argv[2], NULL, 10), &some, error));
    works(mnist_dataset_normalize(some, 255.0f, error));
    works(mnist_dataset_shuffle(some, seed, error));
    mnist_model *model = network(seed);
    mnist_fit_options_init(&options, sizeof options);
    options.shuffle = 0;
    options.verbose = 0;
    works(mnist_model_fit(model, some, &options, NULL, error));
    write_weights(model, argv[4]);
    mnist_model_free(model);
    mnist_dataset_free(train), mnist_dataset_free(test), mnist_dataset_free(some), mnist_error_free(error);
    return 0;
}
