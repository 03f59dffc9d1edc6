/* Trains small networks on MNIST and writes them as C files, with float and with 8-bit weights, and some test images with the results
 * of mnist_model_predict:
 *
 *     train MNIST.npz FOLDER
 *
 * Prints the accuracy of each on the 10,000 test images. */

#include <mnist.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELU MNIST_ACTIVATION_RELU
#define SOFTMAX MNIST_ACTIVATION_SOFTMAX

enum { PIXELS = 28 * 28, CLASSES = 10, IMAGES = 8 };

static mnist_error *error;

static void check(mnist_status status)
{
    if (status < 0) {
        fprintf(stderr, "train: %s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* 7 x 7 averages, 16 units: for 8 KB of memory. */
static mnist_tensor *tiny(mnist_tensor *x)
{
    x = mnist_flatten(mnist_average_pooling2d(x, 4));
    return mnist_dense(mnist_dense(x, 16, RELU), CLASSES, SOFTMAX);
}

/* Two strided convolutions on 14 x 14 averages. */
static mnist_tensor *small(mnist_tensor *x)
{
    x = mnist_average_pooling2d(x, 2);
    x = mnist_layer(x, "Conv2D", "{filters: 8, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu'}");
    x = mnist_layer(x, "Conv2D", "{filters: 16, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu'}");
    return mnist_dense(mnist_flatten(x), CLASSES, SOFTMAX);
}

/* A hidden layer on all pixels. */
static mnist_tensor *dense(mnist_tensor *x)
{
    return mnist_dense(mnist_dense(mnist_flatten(x), 64, RELU), CLASSES, SOFTMAX);
}

/* 16 channels and filters, which use Winograd's method. */
static mnist_tensor *conv(mnist_tensor *x)
{
    x = mnist_max_pooling2d(mnist_conv2d(x, 16, 3, RELU), 2);
    x = mnist_max_pooling2d(mnist_conv2d(x, 32, 3, RELU), 2);
    return mnist_dense(mnist_flatten(x), CLASSES, SOFTMAX);
}

static const struct network {
    const char *name;
    mnist_tensor *(*build)(mnist_tensor *x);
} networks[] = {{"tiny", tiny}, {"small", small}, {"dense", dense}, {"conv", conv}};

/* Rounds kernels as the file with 8-bit weights does: multiples of an output channel's largest weight divided by 127. */
static void round_weights(mnist_model *model)
{
    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[4], rank = 0, len = 1;
        if (strstr(name, "/kernel") == NULL)
            continue;
        check(mnist_model_weight_shape(model, name, dims, 4, &rank, error));
        for (size_t axis = 0; axis < rank; axis++)
            len *= dims[axis];
        const size_t channels = dims[rank - 1];
        float *values = malloc(len * sizeof *values);
        check(mnist_model_get_weight(model, name, values, len, error));
        for (size_t c = 0; c < channels; c++) {
            float most = 0.0f;
            for (size_t at = c; at < len; at += channels)
                most = values[at] > most ? values[at] : -values[at] > most ? -values[at] : most;
            const float scale = most / 127.0f;
            for (size_t at = c; at < len && scale > 0.0f; at += channels) {
                const float steps = values[at] / scale;
                values[at] = (float)(int)(steps + (steps < 0.0f ? -0.5f : 0.5f)) * scale;
            }
        }
        check(mnist_model_set_weight(model, name, values, len, error));
        free(values);
    }
}

/* The images as bytes, and the predictions as bits. */
static void write_expected(const mnist_model *model, const uint8_t *pixels, const char *folder, const char *name)
{
    char path[4096];
    float x[PIXELS], out[CLASSES];
    snprintf(path, sizeof path, "%s/%s.h", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        exit(EXIT_FAILURE);
    fprintf(file, "enum { IMAGES = %d };\nstatic CONST uint8_t images[IMAGES][%d] = {\n", IMAGES, PIXELS);
    for (int i = 0; i < IMAGES; i++) {
        fprintf(file, "{");
        for (int p = 0; p < PIXELS; p++)
            fprintf(file, "%d,", pixels[i * PIXELS + p]);
        fprintf(file, "},\n");
    }
    fprintf(file, "};\nstatic CONST uint32_t expected[IMAGES][%d] = {\n", CLASSES);
    for (int i = 0; i < IMAGES; i++) {
        for (int p = 0; p < PIXELS; p++)
            x[p] = (float)pixels[i * PIXELS + p] / 255.0f;
        check(mnist_model_predict(model, x, 1, out, CLASSES, error));
        fprintf(file, "{");
        for (int c = 0; c < CLASSES; c++) {
            uint32_t bits;
            memcpy(&bits, &out[c], sizeof bits);
            fprintf(file, "0x%08xU,", (unsigned)bits);
        }
        fprintf(file, "},\n");
    }
    fprintf(file, "};\n");
    fclose(file);
}

static double accuracy(const mnist_model *model, const mnist_dataset *test)
{
    mnist_metrics metrics;
    check(mnist_model_evaluate(model, test, NULL, &metrics, error));
    return 100.0 * metrics.accuracy;
}

int main(int argc, char **argv)
{
    mnist_dataset *train = NULL, *test = NULL;
    static float floats[IMAGES * PIXELS];
    static uint8_t pixels[IMAGES * PIXELS];
    if (argc != 3)
        return EXIT_FAILURE;
    error = mnist_error_new();
    check(mnist_load_data(argv[1], &train, &test, error));
    for (size_t i = 0; i < IMAGES; i++) {
        check(mnist_dataset_image(test, i, &floats[i * PIXELS], PIXELS, NULL, error));
        for (size_t p = 0; p < PIXELS; p++)
            pixels[i * PIXELS + p] = (uint8_t)floats[i * PIXELS + p];
    }
    check(mnist_dataset_normalize(train, 255.0f, error));
    check(mnist_dataset_normalize(test, 255.0f, error));
    for (size_t n = 0; n < sizeof networks / sizeof *networks; n++) {
        char path[4096], name[64];
        mnist_graph *graph = mnist_graph_new();
        mnist_tensor *x = mnist_input(graph, 28, 28, 1);
        mnist_model *model = NULL;
        mnist_compile_options compile;
        mnist_fit_options fit;
        mnist_c_options options;
        check(mnist_model_new(x, networks[n].build(x), networks[n].name, &model, error));
        mnist_compile_options_init(&compile, sizeof compile);
        check(mnist_model_compile(model, &compile, error));
        mnist_fit_options_init(&fit, sizeof fit);
        fit.epochs = 2;
        fit.batch_size = 64;
        fit.verbose = 0;
        check(mnist_model_fit(model, train, &fit, NULL, error));
        mnist_c_options_init(&options, sizeof options);
        const double before = accuracy(model, test);
        snprintf(name, sizeof name, "%s_float", networks[n].name);
        snprintf(path, sizeof path, "%s/%s.c", argv[2], name);
        check(mnist_model_save_c_with(model, path, "net", &options, error));
        write_expected(model, pixels, argv[2], name);
        options.weights = MNIST_WEIGHT_INT8;
        snprintf(name, sizeof name, "%s_int8", networks[n].name);
        snprintf(path, sizeof path, "%s/%s.c", argv[2], name);
        check(mnist_model_save_c_with(model, path, "net", &options, error));
        round_weights(model);
        write_expected(model, pixels, argv[2], name);
        printf("%-6s %6zu parameters, accuracy %.2f %% as floats, %.2f %% as bytes\n", networks[n].name,
               mnist_model_count_params(model), before, accuracy(model, test));
        mnist_model_free(model);
        mnist_graph_free(graph);
    }
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return 0;
}
