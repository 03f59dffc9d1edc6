/* Loads data without a path where there are no data and no way to download them, and trains a model on other data. */

#include "expect.h"

int main(void)
{
    mnist_dataset *train = NULL, *test = NULL;
    error = mnist_error_new();
    const mnist_status status = mnist_load_data(NULL, &train, &test, error);
    TRUE(status == MNIST_ERROR_NETWORK || status == MNIST_ERROR_NOT_FOUND); /* NOT_FOUND in a build without the download */
    mnist_model *model = network(8, 2, 4);
    mnist_dataset *data = noise(40, 8);
    mnist_fit_options options = quiet();
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
