/* Whole models in files and in memory: the library's own, Keras's, ONNX, and one file of C.
 *
 *     files     (writes digits.model, digits.keras, digits.onnx and digits.c into the working folder) */

#include "network.h"

static mnist_error *error;

/* Network, weights, what it was compiled with, and the state of the optimizer. */
static void own_format(const mnist_model *model)
{
    mnist_model *loaded;
    check(mnist_model_save(model, "digits.model", error), error);
    check(mnist_model_load("digits.model", &loaded, error), error);
    mnist_model_free(loaded);

    size_t len;
    check(mnist_model_save_memory(model, NULL, 0, &len, error), error); /* how many bytes? */
    void *bytes = allocate(len);
    check(mnist_model_save_memory(model, bytes, len, &len, error), error);
    check(mnist_model_load_memory(bytes, len, &loaded, error), error);
    mnist_model_free(loaded);
    free(bytes);
}

/* For Keras, which goes on training it, and from Keras. */
static void keras(const mnist_model *model)
{
    mnist_model *loaded;
    check(mnist_model_save_keras(model, "digits.keras", error), error); /* keras.models.load_model("digits.keras") */
    check(mnist_model_load("digits.keras", &loaded, error), error);     /* model.save("digits.keras") */
    mnist_model_free(loaded);

    size_t len;
    check(mnist_model_save_keras_memory(model, NULL, 0, &len, error), error);
    void *bytes = allocate(len);
    check(mnist_model_save_keras_memory(model, bytes, len, &len, error), error);
    free(bytes);
}

/* For onnxruntime and others, and from PyTorch and others. */
static void onnx(const mnist_model *model)
{
    mnist_model *loaded;
    check(mnist_model_save_onnx(model, "digits.onnx", error), error);
    check(mnist_model_load_onnx("digits.onnx", &loaded, error), error);
    mnist_model_free(loaded);

    size_t len;
    check(mnist_model_save_onnx_memory(model, NULL, 0, &len, error), error);
    void *bytes = allocate(len);
    check(mnist_model_save_onnx_memory(model, bytes, len, &len, error), error);
    free(bytes);
}

/* One file of C that predicts, on a microcontroller, say: digits_predict(image, probabilities). */
static void c_source(const mnist_model *model)
{
    check(mnist_model_save_c(model, "digits.c", "digits", error), error);

    mnist_c_options options;
    mnist_c_options_init(&options, sizeof options);
    options.weights = MNIST_WEIGHT_INT8; /* a quarter of the size */
    check(mnist_model_save_c_with(model, "small_digits.c", "small_digits", &options, error), error);

    size_t len;
    check(mnist_model_save_c_memory(model, "digits", &options, NULL, 0, &len, error), error);
    char *text = allocate(len);
    check(mnist_model_save_c_memory(model, "digits", &options, text, len, &len, error), error);
    free(text);
}

int main(void)
{
    error = mnist_error_new();
    mnist_model *model = network(error);
    check(mnist_model_compile(model, NULL, error), error);
    own_format(model);
    keras(model);
    onnx(model);
    c_source(model);
    mnist_model_free(model);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
