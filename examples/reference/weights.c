/* Weights: by their names, in files, in memory, and from a PyTorch file.
 *
 *     weights     (writes digits.safetensors and pytorch.safetensors into the working folder) */

#include "network.h"

#include <string.h>

/* What safetensors.torch.save_file(model.state_dict(), path) writes of such a network, all weights being 0. */
static void write_state_dict(const char *path)
{
    const char *head = "{\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[8,1,3,3],\"data_offsets\":[0,288]},"
                       "\"conv.bias\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[288,320]},"
                       "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[10,1352],\"data_offsets\":[320,54400]},"
                       "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[10],\"data_offsets\":[54400,54440]}}";
    static const unsigned char zeros[54440];
    const size_t len = strlen(head);
    const unsigned char count[8] = {(unsigned char)(len % 256), (unsigned char)(len / 256)};
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(count, 1, 8, file) != 8 || fwrite(head, 1, len, file) != len
        || fwrite(zeros, 1, sizeof zeros, file) != sizeof zeros || fclose(file))
        exit(EXIT_FAILURE);
}

int main(void)
{
    mnist_error *error = mnist_error_new();
    mnist_model *model = network(error), *other = network(error);

    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[4], rank;
        check(mnist_model_weight_shape(model, name, dims, 4, &rank, error), error);
        printf("%s has %zu dimensions\n", name, rank);
    }

    /* The biases of the convolution's 8 filters. */
    float bias[8];
    check(mnist_model_get_weight(model, "conv2d/bias", bias, 8, error), error);
    bias[0] = 0.5f;
    check(mnist_model_set_weight(model, "conv2d/bias", bias, 8, error), error);

    /* A safetensors file, which other programs read as well; Keras's files and PyTorch's are read likewise. */
    check(mnist_model_save_weights(model, "digits.safetensors", error), error);
    check(mnist_model_load_weights(other, "digits.safetensors", error), error);

    /* A PyTorch state_dict whose names do not say it all: a map tells which module is which layer. */
    write_state_dict("pytorch.safetensors");
    check(mnist_model_load_weights_mapped(other, "pytorch.safetensors", "{conv: 'conv2d', fc: 'dense'}", error), error);

    /* The same bytes in memory. The first call asks how many they are. */
    size_t len;
    check(mnist_model_save_weights_memory(model, NULL, 0, &len, error), error);
    void *bytes = allocate(len);
    check(mnist_model_save_weights_memory(model, bytes, len, &len, error), error);
    check(mnist_model_load_weights_memory(other, bytes, len, error), error);
    free(bytes);

    mnist_model_free(other);
    mnist_model_free(model);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
