/* A program that uses two static libraries written in Rust: this library and another one. */

#include "../c/expect.h"

uint64_t other_sum(uint64_t n);

int main(void)
{
    error = mnist_error_new();
    TRUE(other_sum(1000) == 500500);
    mnist_model *model = network(8, 4, 16);
    mnist_dataset *data = noise(64, 8);
    mnist_fit_options options = quiet();
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    FAILS(NOT_FOUND, "no/such/file", mnist_model_load_weights(model, "no/such/file", error));
    TRUE(other_sum(10) == 55);
    mnist_dataset_free(data);
    mnist_model_free(model);
    mnist_error_free(error);
    return report();
}
