/* A program with more privileges than its user according to its auxiliary vector, which is replaced by a function here. The
 * environment asks for an instruction set that does not exist, and for a cache. */

#define _GNU_SOURCE

#include "expect.h"

#include <dlfcn.h>
#include <sys/auxv.h>

static int privileged;

unsigned long getauxval(unsigned long type)
{
    unsigned long (*real)(unsigned long);
    *(void **)&real = dlsym(RTLD_NEXT, "getauxval");
    return type == AT_SECURE ? (unsigned long)privileged : real(type);
}

int main(void)
{
    mnist_dataset *train = NULL, *test = NULL;
    mnist_model *none = NULL;
    error = mnist_error_new();
    privileged = 1;
    mnist_model *model = network(8, 2, 4);
    mnist_dataset *data = noise(40, 8);
    mnist_fit_options options = quiet();
    options.verbose = 1;
    FAILS(NOT_FOUND, "no home directory", mnist_load_data(NULL, &train, &test, error));
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));

    privileged = 0;
    fputs("from here on it is believed\n", stderr);
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 2, 2, 1);
    FAILS(INVALID_ARGUMENT, "environment variable MNIST_ISA", mnist_model_new(input, input, NULL, &none, error));
    TRUE(none == NULL && train == NULL && test == NULL);
    mnist_graph_free(graph);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
