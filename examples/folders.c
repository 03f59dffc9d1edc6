/* Trains on PNG and JPEG images, one folder per class, as Keras's image_dataset_from_directory expects them.
 *
 *     folders FOLDER [EPOCHS]        trains on the .png, .jpg and .jpeg files in the folders of FOLDER
 *     folders --test FOLDER          creates FOLDER with generated images of two classes, and trains on those
 *
 * Classes are numbered in the order of their names. Every fifth file of a class is kept for the test. Files are read with
 * libpng and libjpeg and scaled to 64 x 64 pixels. Needs POSIX. */

#define _POSIX_C_SOURCE 200809L
#include <mnist.h>

#include <dirent.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <jpeglib.h> /* needs stdio.h before it */

enum { SIDE = 64, COLOURS = 3, BYTES = SIDE * SIDE * COLOURS };

typedef struct {
    uint8_t *pixels; /* [count, SIDE, SIDE, COLOURS] */
    uint32_t *labels;
    size_t count;
} pictures;

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "folders: %s: %s\n", which, what);
    exit(EXIT_FAILURE);
}

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0)
        fail(mnist_error_message(error), mnist_status_name(status));
}

static void *memory(void *old, size_t bytes)
{
    void *new = realloc(old, bytes);
    if (new == NULL)
        fail("not enough memory", "pictures");
    return new;
}

/* The pixels of a PNG file, `[height, width, 3]`, which the caller frees. Transparent pixels become black. */
static uint8_t *read_png(const char *path, size_t *width, size_t *height)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    const png_color black = {0, 0, 0};
    if (!png_image_begin_read_from_file(&image, path))
        fail(image.message, path);
    image.format = PNG_FORMAT_RGB;
    uint8_t *pixels = memory(NULL, PNG_IMAGE_SIZE(image));
    if (!png_image_finish_read(&image, &black, pixels, 0, NULL))
        fail(image.message, path);
    *width = image.width;
    *height = image.height;
    return pixels;
}

/* libjpeg's default for a damaged file is to print a message and exit, which is acceptable here. */
static uint8_t *read_jpeg(const char *path, size_t *width, size_t *height)
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("cannot be opened", path);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg);
    *width = jpeg.output_width;
    *height = jpeg.output_height;
    uint8_t *pixels = memory(NULL, *width * *height * COLOURS);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = pixels + jpeg.output_scanline * *width * COLOURS;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
    fclose(file);
    return pixels;
}

/* Scales an image of any size to SIDE x SIDE; each pixel is the mean of the area that it covers. */
static void resize(const uint8_t *from, size_t width, size_t height, uint8_t *to)
{
    for (size_t i = 0; i < BYTES; i++) {
        const size_t c = i % COLOURS, x = i / COLOURS % SIDE, y = i / COLOURS / SIDE;
        const size_t left = x * width / SIDE, top = y * height / SIDE;
        size_t right = (x + 1) * width / SIDE, bottom = (y + 1) * height / SIDE, sum = 0;
        right += right == left; /* if the image is smaller than SIDE */
        bottom += bottom == top;
        for (size_t row = top; row < bottom; row++)
            for (size_t column = left; column < right; column++)
                sum += from[(row * width + column) * COLOURS + c];
        to[i] = (uint8_t)(sum / ((right - left) * (bottom - top)));
    }
}

/* Adds a file to `to`; returns whether it is an image. */
static int add(pictures *to, const char *path, uint32_t label)
{
    const char *end = strrchr(path, '.');
    size_t width, height;
    uint8_t *whole;
    if (end != NULL && strcasecmp(end, ".png") == 0)
        whole = read_png(path, &width, &height);
    else if (end != NULL && (strcasecmp(end, ".jpg") == 0 || strcasecmp(end, ".jpeg") == 0))
        whole = read_jpeg(path, &width, &height);
    else
        return 0;
    to->pixels = memory(to->pixels, (to->count + 1) * BYTES);
    to->labels = memory(to->labels, (to->count + 1) * sizeof *to->labels);
    resize(whole, width, height, to->pixels + to->count * BYTES);
    to->labels[to->count++] = label;
    free(whole);
    return 1;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Reads all classes; returns their number. */
static uint32_t read_folder(const char *folder, pictures *train, pictures *test)
{
    struct dirent **classes, **files;
    char path[4096];
    uint32_t label = 0;
    const int folders = scandir(folder, &classes, is_visible, alphasort);
    if (folders < 0)
        fail("is no folder that can be read", folder);
    for (int i = 0; i < folders; free(classes[i++])) {
        snprintf(path, sizeof path, "%s/%s", folder, classes[i]->d_name);
        const int count = scandir(path, &files, is_visible, alphasort);
        size_t taken = 0;
        for (int j = 0; j < count; free(files[j++])) {
            snprintf(path, sizeof path, "%s/%s/%s", folder, classes[i]->d_name, files[j]->d_name);
            taken += (size_t)add(taken % 5 == 4 ? test : train, path, label);
        }
        if (count >= 0)
            free(files);
        if (taken > 0)
            printf("%s: %zu pictures, class %u\n", classes[i]->d_name, taken, (unsigned)label++);
    }
    free(classes);
    return label;
}

static mnist_dataset *dataset(pictures *from, const char *folder, mnist_error *error)
{
    const size_t dims[] = {from->count, SIDE, SIDE, COLOURS};
    const mnist_array x = {from->pixels, MNIST_DTYPE_U8, 4, dims}, y = {from->labels, MNIST_DTYPE_U32, 1, dims};
    mnist_dataset *data;
    if (from->count == 0)
        fail("has too few pictures in its folders: five of a class at least", folder);
    check(mnist_dataset_new(&x, &y, NULL, &data, error), error);
    check(mnist_dataset_normalize(data, 255.0f, error), error);
    free(from->pixels);
    free(from->labels);
    return data;
}

/* Trains on the images in a folder; returns the test accuracy. */
static double learn(const char *folder, size_t epochs, mnist_error *error)
{
    pictures read = {0}, kept = {0};
    const uint32_t classes = read_folder(folder, &read, &kept);
    mnist_dataset *train = dataset(&read, folder, error), *test = dataset(&kept, folder, error);
    mnist_model *model;
    mnist_metrics metrics;
    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.batch_size = 16;
    fit.epochs = epochs;
    fit.verbose = 2;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, SIDE, SIDE, COLOURS), *x = input;
    for (size_t filters = 16; filters <= 64; filters *= 2)
        x = mnist_max_pooling2d(mnist_conv2d(x, filters, 3, MNIST_ACTIVATION_RELU), 2);
    x = mnist_dense(mnist_global_average_pooling2d(x), classes, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "folders", &model, error), error);
    check(mnist_model_compile(model, NULL, error), error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    mnist_graph_free(graph);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    return metrics.accuracy;
}

/* ---- Images for --test: vertical and horizontal stripes, alternately PNG and JPEG, of several sizes. */

static void write_jpeg(const char *path, uint8_t *pixels, size_t side)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        fail("cannot be written", path);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)side;
    jpeg.input_components = COLOURS;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (size_t y = 0; y < side; y++) {
        JSAMPROW row = pixels + y * side * COLOURS;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

static void draw_files(const char *folder)
{
    static uint8_t pixels[150 * 150 * COLOURS];
    char path[4096];
    mkdir(folder, 0777);
    for (size_t i = 0; i < 200; i++) {
        const size_t horizontal = i % 2, side = 50 + i / 2;
        const double waves = 3 + (double)(i * 7 % 11), phase = (double)(i * 13 % 17);
        for (size_t p = 0; p < side * side * COLOURS; p++) {
            const size_t x = p / COLOURS % side, y = p / COLOURS / side;
            const double wave = sin(6.283185307179586 * waves * (double)(horizontal ? y : x) / (double)side + phase);
            pixels[p] = (uint8_t)(100 + 60 * wave + (double)((p * 7919 + i * 104729) % 61));
        }
        snprintf(path, sizeof path, "%s/%s", folder, horizontal ? "horizontal" : "vertical");
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s/%03zu.%s", folder, horizontal ? "horizontal" : "vertical", i, i / 2 % 2 ? "png" : "jpg");
        png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB};
        image.width = image.height = (png_uint_32)side;
        if (i / 2 % 2 == 0)
            write_jpeg(path, pixels, side);
        else if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
            fail(image.message, path);
    }
}

int main(int argc, char **argv)
{
    const int test = argc == 3 && strcmp(argv[1], "--test") == 0;
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: folders FOLDER [EPOCHS]\n       folders --test FOLDER\n");
        return EXIT_FAILURE;
    }
    const char *folder = test ? argv[2] : argv[1];
    mnist_error *error = mnist_error_new();
    if (test)
        draw_files(folder);
    const double accuracy = learn(folder, argc == 3 && !test ? strtoul(argv[2], NULL, 10) : 10, error);
    printf("test accuracy: %.3f\n", accuracy);
    mnist_error_free(error);
    return test && accuracy < 0.9 ? EXIT_FAILURE : EXIT_SUCCESS;
}
