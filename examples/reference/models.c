/* Models: what can be asked of one, how it is compiled, and how its layers are looked at and frozen.
 *
 *     models */

#include "network.h"

/* Takes text as the library writes it. */
static void write(void *user_data, const char *text, size_t len)
{
    fwrite(text, 1, len, user_data);
}

int main(void)
{
    mnist_error *error = mnist_error_new();
    mnist_model *model = network(error);

    /* Keras's table of the layers, and the network as Keras's to_json() writes it; NULL in place of `write`: to stdout. */
    check(mnist_model_summary(model, write, stderr, error), error);
    check(mnist_model_config(model, write, stderr, error), error);

    size_t dims[3];
    const size_t rank = mnist_model_input_shape(model, dims, 3); /* 3: height, width, channels */
    printf("%zu x %zu of rank %zu to %zu classes, ", dims[0], dims[1], rank, mnist_model_output_len(model));
    printf("%zu parameters\n", mnist_model_count_params(model));

    check(mnist_model_set_threads(model, 2, error), error); /* 0: all cores */

    /* How it is to be trained. Any optimizer, loss and metric of Keras's is told as Keras serialises it. */
    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer_config = "{class_name: 'SGD', config: {learning_rate: 0.1, momentum: 0.9}}";
    check(mnist_model_compile(model, &compile, error), error);

    double rate;
    check(mnist_model_get_learning_rate(model, &rate, error), error);
    check(mnist_model_set_learning_rate(model, rate / 10, error), error);

    for (size_t i = 0; i < mnist_model_layers_len(model); i++) {
        const char *layer = mnist_model_layer_name(model, i);
        check(mnist_model_layer_shape(model, layer, dims, 3, &(size_t){0}, error), error);
        printf("%s (%s): %zu ...\n", layer, mnist_model_layer_class(model, i), dims[0]);
    }

    /* What a layer gives for a blank image: 26 x 26 numbers of 8 filters. */
    static float image[28 * 28], values[26 * 26 * 8];
    check(mnist_model_predict_layer(model, "conv2d", image, 1, values, 26 * 26 * 8, error), error);

    /* Another model takes over the weights, and its convolution is not to change any more. */
    mnist_model *other = network(error);
    size_t copied;
    check(mnist_model_copy_weights(other, model, &copied, error), error);
    check(mnist_model_set_trainable(other, "conv2d", 0, error), error);
    printf("%zu weights copied\n", copied);

    mnist_model_free(other);
    mnist_model_free(model);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
