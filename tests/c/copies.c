/* Two copies of the library in one process, loaded from two files: copies LIBRARY OTHER. An object of one copy must be an
 * error in the other, and no allocator may report anything. */

#define _POSIX_C_SOURCE 200809L

#include <mnist.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *ours, *other;
static int failures;

/* A function of a library, by its name. */
#define CALL(library, name) (*(__typeof__(&name))symbol(library, #name))

static void *symbol(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return address;
}

static void expect(int is, int line, const char *what)
{
    if (!is) {
        failures++;
        fprintf(stderr, "line %d: not so: %s\n", line, what);
    }
}
#define TRUE(condition) expect(condition, __LINE__, #condition)
#define WORKS(call) TRUE((call) == MNIST_OK)
#define REFUSED(call) TRUE((call) == MNIST_ERROR_INVALID_ARGUMENT && strstr(message(), "not such an object of this library"))

static mnist_error *error; /* the other's */

static const char *message(void)
{
    return CALL(other, mnist_error_message)(error);
}

int main(int argc, char **argv)
{
    static const uint8_t pixels[16 * 64], labels[16];
    const size_t dims[3] = {16, 8, 8};
    mnist_dataset *data = NULL;
    mnist_model *model = NULL, *none = NULL;
    mnist_history *history = NULL;
    float p[10], image[64] = {0};
    double loss;
    if (argc != 3)
        return 2;
    ours = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    other = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
    TRUE(ours && other && symbol(ours, "mnist_version") != symbol(other, "mnist_version"));
    error = CALL(other, mnist_error_new)();
    WORKS(CALL(ours, mnist_dataset_from_u8)(pixels, dims, 3, labels, &data, NULL));
    mnist_graph *graph = CALL(ours, mnist_graph_new)();
    mnist_tensor *input = CALL(ours, mnist_input)(graph, 8, 8, 1);
    mnist_tensor *x = CALL(ours, mnist_dense)(CALL(ours, mnist_flatten)(input), 10, MNIST_ACTIVATION_SOFTMAX);
    WORKS(CALL(ours, mnist_model_new)(input, x, NULL, &model, NULL));
    WORKS(CALL(ours, mnist_model_compile)(model, NULL, NULL));
    mnist_fit_options options;
    CALL(ours, mnist_fit_options_init)(&options, sizeof options);
    options.verbose = 0;
    WORKS(CALL(ours, mnist_model_fit)(model, data, &options, &history, NULL));

    REFUSED(CALL(other, mnist_model_predict)(model, image, 1, p, 10, error));
    REFUSED(CALL(other, mnist_model_fit)(model, data, &options, NULL, error));
    REFUSED(CALL(other, mnist_dataset_normalize)(data, 255, error));
    REFUSED(CALL(other, mnist_graph_check)(graph, error));
    REFUSED(CALL(other, mnist_model_new)(input, x, NULL, &none, error));
    REFUSED(CALL(other, mnist_history_get)(history, "loss", 0, &loss, error));
    TRUE(CALL(other, mnist_dense)(input, 1, 0) == NULL && CALL(other, mnist_dataset_len)(data) == 0);
    TRUE(CALL(ours, mnist_error_status)(error) == MNIST_OK);
    CALL(other, mnist_model_free)(model);
    CALL(other, mnist_dataset_free)(data);
    CALL(other, mnist_graph_free)(graph);
    CALL(other, mnist_history_free)(history);
    CALL(ours, mnist_error_free)(error);

    /* No object was changed. */
    WORKS(CALL(ours, mnist_model_predict)(model, image, 1, p, 10, NULL));
    WORKS(CALL(ours, mnist_dataset_normalize)(data, 255, NULL));
    WORKS(CALL(ours, mnist_graph_check)(graph, NULL));
    WORKS(CALL(ours, mnist_history_get)(history, "loss", 0, &loss, NULL));
    TRUE(CALL(other, mnist_error_status)(error) == MNIST_ERROR_INVALID_ARGUMENT);
    CALL(ours, mnist_model_free)(model);
    CALL(ours, mnist_dataset_free)(data);
    CALL(ours, mnist_graph_free)(graph);
    CALL(ours, mnist_history_free)(history);
    CALL(other, mnist_error_free)(error);
    printf("%d failures\n", failures);
    return failures != 0;
}
