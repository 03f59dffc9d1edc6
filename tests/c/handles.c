/* Objects of another type, freed objects, and invalid pointers, as far as they can be detected. */

#include "expect.h"

/* A wrong cast, hidden from the compiler. */
static void *confused(void *volatile pointer)
{
    return pointer;
}

static void another_type(mnist_model *model, mnist_dataset *data)
{
    float p[10] = {0};
    mnist_history *history = NULL;
    mnist_fit_options options = quiet();
    const mnist_model *wrong_model = confused(data);
    const mnist_dataset *wrong_data = confused(model);
    FAILS(INVALID_ARGUMENT, "argument `model`: is not such an object of this library, or was freed: expected a live mnist_model",
          mnist_model_predict(wrong_model, p, 0, p, 10, error));
    FAILS(INVALID_ARGUMENT, "argument `dataset`", mnist_model_predict_dataset(model, wrong_data, p, 10, error));
    FAILS(INVALID_ARGUMENT, "argument `dataset`", mnist_model_fit(model, wrong_data, &options, &history, error));
    options.validation_data = wrong_data;
    FAILS(INVALID_ARGUMENT, "`options.validation_data`", mnist_model_fit(model, data, &options, &history, error));
    TRUE(mnist_dataset_len(wrong_data) == 0);
    TRUE(mnist_model_count_params(wrong_model) == 0);
    mnist_model_cancel(wrong_model);
    mnist_model_free(confused(data)); /* which is not freed */
    TRUE(mnist_dataset_len(data) == 40);
    /* Without an error object the status is still returned. */
    TRUE(mnist_model_save(wrong_model, "x", confused(data)) == MNIST_ERROR_INVALID_ARGUMENT);
    TRUE(mnist_error_status(confused(model)) == MNIST_OK);

    mnist_tensor *tensor = mnist_flatten(confused(data));
    TRUE(tensor == NULL);
    mnist_model *made = NULL;
    FAILS(INVALID_ARGUMENT, "argument `input`", mnist_model_new(confused(model), confused(data), NULL, &made, error));

    /* Bytes that are not an object, and an address at which no object can be. */
    uint64_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    FAILS(INVALID_ARGUMENT, "argument `model`", mnist_model_save(confused(bytes), "x", error));
    FAILS(INVALID_ARGUMENT, "argument `model`", mnist_model_save(confused((char *)bytes + 3), "x", error));
}

/* The memory of the freed object is not reused before it is checked. */
static void freed(void)
{
    float p[10] = {0};
    mnist_model *model = network(8, 2, 4);
    mnist_dataset *data = noise(10, 8);
    const mnist_model *old_model = confused(model);
    const mnist_dataset *old_data = confused(data);
    mnist_model_free(model);
    TRUE(mnist_model_predict(old_model, p, 0, p, 10, NULL) == MNIST_ERROR_INVALID_ARGUMENT);
    mnist_model_free(confused((void *)old_model));
    mnist_dataset_free(data);
    TRUE(mnist_dataset_len(old_data) == 0);
    mnist_dataset_free(confused((void *)old_data));
}

int main(void)
{
    error = mnist_error_new();
    mnist_model *model = network(8, 2, 4);
    mnist_dataset *data = noise(40, 8);
    WORKS(mnist_model_compile(model, NULL, error));
    another_type(model, data);
    freed();
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
