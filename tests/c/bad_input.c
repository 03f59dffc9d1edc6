/* Invalid input and its error messages: bad_input FOLDER, which contains the damaged files. Each call must fail with the
 * expected status and a message that names the file, byte, tensor, argument or layer. (hostile/ calls every function with
 * every kind of wrong argument, including NULL.) */

#include "expect.h"

static char path_text[2][1024];

/* The path of a file in the folder. */
static const char *in(int which, const char *folder, const char *name)
{
    snprintf(path_text[which], sizeof path_text[which], "%s/%s", folder, name);
    return path_text[which];
}

static mnist_dataset *images(const float *pixels, size_t n, size_t side, const uint8_t *labels)
{
    const size_t dims[4] = {n, side, side, 1};
    mnist_dataset *data = NULL;
    WORKS(mnist_dataset_from_f32(pixels, dims, 4, labels, &data, error));
    return data;
}

static void files(const char *folder)
{
    mnist_dataset *a = NULL, *b = NULL;
    mnist_npz *npz = NULL;
    FAILS(NOT_FOUND, "nowhere.npz", mnist_load_data(in(0, folder, "nowhere.npz"), &a, &b, error));
    FAILS(IO, folder, mnist_load_data(folder, &a, &b, error));
    FAILS(FORMAT, "empty: ", mnist_load_data(in(0, folder, "empty"), &a, &b, error));
    FAILS(FORMAT, "empty: ", mnist_npz_open(in(0, folder, "empty"), &npz, error));
    FAILS(INVALID_ARGUMENT, "`path`: is empty", mnist_npz_open("", &npz, error));
    FAILS(INVALID_ARGUMENT, "UTF-8", mnist_npz_open("\xff\xfe", &npz, error));
    FAILS(IO, folder, mnist_npz_open(folder, &npz, error));
    FAILS(NOT_FOUND, "in two\\nlines: ", mnist_npz_open("in two\nlines", &npz, error)); /* a message is one line */
#define ARCHIVE(name) in(0, folder, name), "images", "labels", &a, error
    FAILS(FORMAT, "truncated.npz: member images: the array is longer than its member", mnist_dataset_from_npz(ARCHIVE("truncated.npz")));
    FAILS(UNSUPPORTED, "member images: wrong dtype", mnist_dataset_from_npz(ARCHIVE("dtype.npz")));
    FAILS(FORMAT, "found 1099511627776", mnist_dataset_from_npz(ARCHIVE("huge.npz")));
    FAILS(SHAPE, "different lengths: expected 3 labels", mnist_dataset_from_npz(ARCHIVE("lengths.npz")));
    FAILS(NOT_FOUND, "`pictures`", mnist_dataset_from_npz(in(0, folder, "good.npz"), "pictures", "labels", &a, error));
    FAILS(NOT_FOUND, "good.npz: no such array: expected one of images, labels", mnist_dataset_from_npz_pair(in(0, folder, "good.npz"), "images", in(1, folder, "good.npz"), "label", &a, error));
    FAILS(FORMAT, "images.idx: the wrong kind of file: expected an npz archive", mnist_dataset_from_npz_pair(in(0, folder, "good.npz"), "images", in(1, folder, "images.idx"), "labels", &a, error));
    FAILS(SHAPE, "lengths.npz: images and labels of different lengths", mnist_dataset_from_npz_pair(in(0, folder, "good.npz"), "images", in(1, folder, "lengths.npz"), "labels", &a, error));
#define IDX(x, y) mnist_dataset_from_idx(in(0, folder, x), in(1, folder, y), &a, error)
    FAILS(FORMAT, "magic.idx: byte 0: wrong magic number", IDX("magic.idx", "labels.idx"));
    FAILS(FORMAT, "byte ", IDX("count.idx", "labels.idx"));
    FAILS(FORMAT, "labels.idx: byte 0: wrong magic number", IDX("labels.idx", "labels.idx"));
    FAILS(SHAPE, "different lengths", IDX("images.idx", "more.idx"));
    FAILS(NOT_FOUND, "none.idx", IDX("none.idx", "labels.idx"));
    FAILS(FORMAT, "empty: byte 0", IDX("empty", "labels.idx"));
    FAILS(IO, folder, mnist_dataset_from_idx(folder, in(1, folder, "labels.idx"), &a, error));
    TRUE(a == NULL && b == NULL && npz == NULL);
    WORKS(IDX("images.idx", "labels.idx"));
    TRUE(mnist_dataset_len(a) == 3);
    mnist_dataset_free(a);
    WORKS(mnist_dataset_from_npz(ARCHIVE("fortran.npz")));
    TRUE(mnist_dataset_len(a) == 3);
    mnist_dataset_free(a);
    a = NULL;
}

/* Images stored as rows, with labels in another archive, and the shape set afterwards. */
static void rows(const char *folder)
{
    mnist_dataset *data = NULL;
    size_t dims[4] = {2, 3, 1, 1};
    float pixels[6];
    WORKS(mnist_dataset_from_npz_pair(in(0, folder, "row.npz"), "images", in(1, folder, "good.npz"), "labels", &data, error));
    TRUE(mnist_dataset_shape(data, dims + 2, 2) == 2 && dims[2] == 3 && dims[3] == 6);
    FAILS(SHAPE, "`dims`: another number of pixels than an image has: expected sizes whose product is 6, found [2, 3, 3]",
          mnist_dataset_reshape(data, dims, 3, error));
    FAILS(SHAPE, "`rank`: images of a wrong rank: expected 1, 2 or 3, found 0", mnist_dataset_reshape(data, dims, 0, error));
    FAILS(SHAPE, "`rank`", mnist_dataset_reshape(data, dims, SIZE_MAX, error));
    FAILS(INVALID_ARGUMENT, "`dims`", mnist_dataset_reshape(data, NULL, 2, error));
    FAILS(SHAPE, "no height and width", mnist_dataset_expand_dims(data, error));
    TRUE(mnist_dataset_shape(data, NULL, 0) == 2);
    WORKS(mnist_dataset_reshape(data, dims, 2, error));
    TRUE(mnist_dataset_shape(data, dims, 4) == 3 && dims[0] == 3 && dims[1] == 2 && dims[2] == 3);
    WORKS(mnist_dataset_image(data, 2, pixels, 6, NULL, error));
    TRUE(pixels[0] == 12 && pixels[5] == 17);
    mnist_dataset_free(data);
}

/* A failed call leaves its outputs unchanged. */
static void datasets(mnist_npz *npz)
{
    mnist_dataset *data = noise(20, 5), *a = NULL;
    size_t dims[4] = {7, 7, 7, 7}, number = 7;
    uint32_t labels[10] = {77};
    float pixels[25] = {7};
    uint8_t bytes[4] = {0};

    FAILS(INVALID_ARGUMENT, "`capacity`: too small: expected 3 or more, found 2",
          mnist_npz_shape(npz, "images", dims, 2, &number, error));
    FAILS(NOT_FOUND, "`pictures`", mnist_npz_shape(npz, "pictures", dims, 4, &number, error));
    FAILS(INVALID_ARGUMENT, "`capacity`", mnist_dataset_unique_labels(data, labels, 1, &number, error));
    FAILS(INVALID_ARGUMENT, "`capacity`", mnist_dataset_image(data, 0, pixels, 24, labels, error));
    FAILS(INVALID_ARGUMENT, "`i`: no such image: expected below 20, found 20",
          mnist_dataset_image(data, 20, pixels, 25, labels, error));
    TRUE(dims[0] == 7 && dims[1] == 7 && number == 7 && labels[0] == 77 && pixels[0] == 7);
    TRUE(mnist_npz_name(npz, 99) == NULL && strcmp(mnist_error_message(NULL), "") == 0);
    TRUE(mnist_dataset_shape(data, NULL, 4) == 3);
    TRUE(mnist_dataset_shape(data, dims, 2) == 3 && dims[0] == 20 && dims[1] == 5 && dims[2] == 7);

    FAILS(INVALID_ARGUMENT, "`start` and `len`", mnist_dataset_slice(data, 15, 6, &a, error));
    FAILS(INVALID_ARGUMENT, "`start` and `len`", mnist_dataset_slice(data, SIZE_MAX, 2, &a, error));
    FAILS(INVALID_ARGUMENT, "`start` and `len`", mnist_dataset_slice(data, 3, 0, &a, error));
    FAILS(INVALID_ARGUMENT, "`divisor`", mnist_dataset_normalize(data, 0.0f, error));
    FAILS(INVALID_ARGUMENT, "`divisor`", mnist_dataset_normalize(data, NAN, error));
    FAILS(INVALID_ARGUMENT, "`divisor`", mnist_dataset_normalize(data, INFINITY, error));
    WORKS(mnist_dataset_expand_dims(data, error));
    FAILS(SHAPE, "found [20, 5, 5, 1]", mnist_dataset_expand_dims(data, error));
#define MEMORY(rank, x, y, z) dims[0] = x, dims[1] = y, dims[2] = z, mnist_dataset_from_u8(bytes, dims, rank, bytes, &a, error)
    FAILS(SHAPE, "`rank`", (MEMORY(2, 1, 1, 1)));
    FAILS(SHAPE, "`rank`", (MEMORY(SIZE_MAX, 1, 1, 1)));
    FAILS(SHAPE, "`dims`", (MEMORY(3, 1, 0, 1)));
    FAILS(SHAPE, "`dims`", (MEMORY(3, 1, SIZE_MAX, 2)));
    FAILS(INVALID_ARGUMENT, "`pixels`", (MEMORY(3, 1, SIZE_MAX, 1)));
    TRUE(a == NULL);
    mnist_dataset_free(data);
}

static void pictures(void)
{
    static uint8_t grey[40 * 30];
    float pixels[785] = {7};
    memset(grey, 200, sizeof grey);
    FAILS(INVALID_ARGUMENT, "`grey`: no digit found", mnist_image_prepare(grey, 40, 30, 255.0f, pixels, 785, error));
    TRUE(strstr(mnist_error_message(error), "found levels from 200 to 200") != NULL);
    for (size_t y = 10; y < 30; y++)
        grey[y * 30 + 12] = grey[y * 30 + 13] = 193;
    FAILS(INVALID_ARGUMENT, "found levels from 193 to 200", mnist_image_prepare(grey, 40, 30, 255.0f, pixels, 785, error));
    for (size_t y = 10; y < 30; y++)
        grey[y * 30 + 12] = grey[y * 30 + 13] = 100;
#define SIZE(height, width) mnist_image_prepare(grey, height, width, 255.0f, pixels, 785, error)
    FAILS(INVALID_ARGUMENT, "`height`: out of range: expected 1 to 16384, found 0", SIZE(0, 30));
    FAILS(INVALID_ARGUMENT, "`width`: out of range", SIZE(40, 0));
    FAILS(INVALID_ARGUMENT, "`height`: out of range", SIZE(16385, 1));
    FAILS(INVALID_ARGUMENT, "`width`: out of range", SIZE(1, SIZE_MAX));
    FAILS(INVALID_ARGUMENT, "`divisor`", mnist_image_prepare(grey, 40, 30, 0.0f, pixels, 785, error));
    FAILS(INVALID_ARGUMENT, "`divisor`", mnist_image_prepare(grey, 40, 30, NAN, pixels, 785, error));
    FAILS(INVALID_ARGUMENT, "`capacity`: too small: expected 784 or more, found 783",
          mnist_image_prepare(grey, 40, 30, 255.0f, pixels, 783, error));
    TRUE(pixels[0] == 7);
    pixels[784] = 7;
    WORKS(mnist_image_prepare(grey, 40, 30, 255.0f, pixels, 785, error));
    TRUE(pixels[0] == 0 && pixels[784] == 7 && pixels[14 * 28 + 14] == 1);
}

static void networks(void)
{
    mnist_model *model = NULL;
    mnist_graph *graph = mnist_graph_new(), *other = mnist_graph_new();
    mnist_tensor *x = mnist_input(graph, 4, 4, 1);
    mnist_tensor *y = mnist_dense(mnist_flatten(mnist_conv2d(x, 8, 5, MNIST_ACTIVATION_RELU)), 10, 0);
    TRUE(y == NULL);
    FAILS(SHAPE, "layer conv2d: the kernel does not fit", mnist_model_new(x, y, NULL, &model, error));
    FAILS(SHAPE, "layer conv2d: the kernel does not fit", mnist_graph_check(graph, error));
    mnist_graph_free(graph);

    graph = mnist_graph_new();
    x = mnist_input(graph, 4, 4, 1);
    y = mnist_dense(mnist_dense(mnist_flatten(x), 5, MNIST_ACTIVATION_SOFTMAX), 10, MNIST_ACTIVATION_SOFTMAX);
    WORKS(mnist_model_new(x, y, NULL, &model, error)); /* a softmax is allowed anywhere */
    mnist_model_free(model);
    model = NULL;
    mnist_graph_free(graph);

    graph = mnist_graph_new();
    x = mnist_input(graph, 4, 4, 1);
    TRUE(mnist_dense(mnist_flatten(x), 5, 77) == NULL);
    TRUE(mnist_conv2d(x, 0, 3, 0) == NULL); /* the first failure is reported */
    FAILS(INVALID_ARGUMENT, "found 77", mnist_model_new(x, x, NULL, &model, error));
    mnist_graph_free(graph);

    graph = mnist_graph_new();
    x = mnist_input(graph, 4, 4, 1);
    y = mnist_flatten(x);
    FAILS(INVALID_ARGUMENT, "both are NULL", mnist_model_new(NULL, NULL, NULL, &model, error));
    FAILS(INVALID_ARGUMENT, "another graph", mnist_model_new(mnist_input(other, 4, 4, 1), y, NULL, &model, error));
    FAILS(INVALID_ARGUMENT, "`name`", mnist_model_new(x, y, "\xc3", &model, error));
    TRUE(mnist_dense(y, SIZE_MAX, 0) == NULL);
    FAILS(SHAPE, "layer dense: too many elements", mnist_model_new(x, y, NULL, &model, error));
    TRUE(model == NULL);
    mnist_graph_free(graph);
    mnist_graph_free(other);
}

/* Pixels that become infinite when they are divided. Frees the data. */
static void made_infinite(mnist_model *model, mnist_dataset *data, const char *place)
{
    mnist_metrics metrics = {7, 7};
    mnist_fit_options options = quiet();
    WORKS(mnist_dataset_normalize(data, 1e-37f, error));
    FAILS(INVALID_ARGUMENT, place, mnist_model_fit(model, data, &options, NULL, error));
    TRUE(strstr(mnist_error_message(error), "found inf") != NULL);
    FAILS(INVALID_ARGUMENT, place, mnist_model_evaluate(model, data, NULL, &metrics, error));
    TRUE(metrics.loss == 7);
    mnist_dataset_free(data);
}

static void fits(const mnist_dataset *data, mnist_model *model)
{
    mnist_history *history = NULL;
    mnist_fit_options options = quiet();
    mnist_compile_options compile;
    FAILS(STATE, "fit before compile", mnist_model_fit(model, data, &options, &history, error));

    mnist_compile_options_init(&compile, sizeof compile);
#define COMPILE(field, bad, needle)                                                                                     \
    do {                                                                                                                \
        mnist_compile_options changed = compile;                                                                        \
        changed.field = bad;                                                                                            \
        FAILS(INVALID_ARGUMENT, needle, mnist_model_compile(model, &changed, error));                                   \
    } while (0)
    COMPILE(optimizer, 99, "`optimizer`");
    COMPILE(loss, 0, "`loss`");
    COMPILE(loss, MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS, "layer dense_1");
    COMPILE(metrics, 6, "`metrics`");
    COMPILE(learning_rate, NAN, "`learning_rate`");
    COMPILE(learning_rate, -1.0, "`learning_rate`");
    COMPILE(beta_1, 1.0, "`beta_1`");
    COMPILE(beta_2, -0.1, "`beta_2`");
    COMPILE(epsilon, 0.0, "`epsilon`");
    struct {
        mnist_compile_options known;
        uint64_t added;
    } newer = {compile, 0}; /* as in a later version of the header */
    newer.known.struct_size = sizeof newer;
    WORKS(mnist_model_compile(model, &newer.known, error));
    newer.added = 1;
    FAILS(UNSUPPORTED, "argument `options`", mnist_model_compile(model, &newer.known, error));
    WORKS(mnist_model_compile(model, NULL, error));

#define FIT(field, bad, needle)                                                                                         \
    do {                                                                                                                \
        mnist_fit_options changed = options;                                                                            \
        changed.field = bad;                                                                                            \
        FAILS(INVALID_ARGUMENT, needle, mnist_model_fit(model, data, &changed, &history, error));                       \
    } while (0)
    FIT(batch_size, 0, "`batch_size`");
    FIT(epochs, 0, "`epochs`");
    FIT(verbose, 3, "`verbose`");
    FIT(validation_split, 1.0, "`validation_split`");
    FIT(validation_split, -0.5, "`validation_split`");
    FIT(validation_split, NAN, "`validation_split`");
    FIT(struct_size, 3, "`struct_size`");

    float pixels[2 * 64] = {0};
    uint8_t labels[2] = {1, 9};
    mnist_dataset *small = images(pixels, 2, 6, labels);
    FAILS(SHAPE, "expected [8, 8, 1], found [6, 6, 1]", mnist_model_fit(model, small, &options, &history, error));
    mnist_dataset_free(small);
    labels[1] = 10;
    mnist_dataset *past = images(pixels, 2, 8, labels);
    FAILS(INVALID_ARGUMENT, "label 1: a label that is not below the number of classes: expected below 10, found 10",
          mnist_model_fit(model, past, &options, &history, error));
    options.validation_data = past;
    FAILS(INVALID_ARGUMENT, "`validation_data`", mnist_model_fit(model, data, &options, &history, error));
    options.validation_data = NULL;
    mnist_metrics metrics;
    FAILS(INVALID_ARGUMENT, "label 1", mnist_model_evaluate(model, past, NULL, &metrics, error));
    mnist_dataset_free(past);
    labels[1] = 3;
    pixels[64 + 8 * 2 + 5] = NAN;
    mnist_dataset *hole = images(pixels, 2, 8, labels);
    FAILS(INVALID_ARGUMENT, "image 1: pixel [2, 5, 0]: ", mnist_model_fit(model, hole, &options, &history, error));
    TRUE(strstr(mnist_error_message(error), "NaN") != NULL);
    mnist_dataset_free(hole);
    pixels[64 + 8 * 2 + 5] = 3e30f;
    made_infinite(model, images(pixels, 2, 8, labels), "image 1: pixel [2, 5, 0]: ");
    mnist_dataset *bytes = NULL, *dark = NULL;
    static const uint8_t grey[2 * 64] = {[64 + 63] = 200};
    const size_t dims[3] = {2, 8, 8};
    WORKS(mnist_dataset_from_u8(grey, dims, 3, labels, &bytes, error));
    WORKS(mnist_dataset_slice(bytes, 0, 1, &dark, error));
    made_infinite(model, bytes, "image 1: pixel [7, 7, 0]: ");
    WORKS(mnist_dataset_normalize(dark, 1e-37f, error)); /* 255 would become infinite, but no pixel is 255 */
    WORKS(mnist_model_evaluate(model, dark, NULL, &metrics, error));
    mnist_dataset_free(dark);
    TRUE(history == NULL);

    mnist_evaluate_options evaluate;
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    evaluate.batch_size = 0;
    FAILS(INVALID_ARGUMENT, "`batch_size`", mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    uint64_t confusion[101] = {7};
    evaluate.confusion = confusion;
    FAILS(INVALID_ARGUMENT, "`options.confusion_capacity`: too small: expected 100 or more, found 0",
          mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    evaluate.confusion_capacity = 99;
    FAILS(INVALID_ARGUMENT, "found 99", mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    evaluate.confusion_capacity = 101;
    evaluate.verbose = 3;
    FAILS(INVALID_ARGUMENT, "`verbose`", mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    TRUE(confusion[0] == 7 && confusion[1] == 0);
    FAILS(INVALID_ARGUMENT, "`threads`", mnist_model_set_threads(model, SIZE_MAX, error));
    FAILS(INVALID_ARGUMENT, "`capacity`", mnist_model_predict(model, pixels, 2, pixels, 19, error));
    FAILS(INVALID_ARGUMENT, "`count`", mnist_model_predict(model, pixels, SIZE_MAX, pixels, 19, error));
    FAILS(INVALID_ARGUMENT, "`capacity`", mnist_model_predict_dataset(model, data, pixels, 19, error));

    /* No images need no arrays. */
    WORKS(mnist_model_predict(model, NULL, 0, NULL, 0, error));
    WORKS(mnist_model_predict(model, pixels, 0, NULL, 10, error));
    FAILS(INVALID_ARGUMENT, "`images`: is NULL", mnist_model_predict(model, NULL, 1, pixels, 10, error));
    FAILS(INVALID_ARGUMENT, "`probabilities`: is NULL", mnist_model_predict(model, pixels, 1, NULL, 10, error));
    FAILS(INVALID_ARGUMENT, "`model`", mnist_model_predict(NULL, NULL, 0, NULL, 0, error));
}

static void weights(const char *folder, mnist_model *model)
{
    mnist_model *another = network(8, 3, 5);
    char path[1024];
    snprintf(path, sizeof path, "%s/another.safetensors", folder);
    WORKS(mnist_model_save_weights(another, path, error));
    FAILS(SHAPE, "another.safetensors: tensor conv2d/kernel: wrong shape", mnist_model_load_weights(model, path, error));
    mnist_model_free(another);
    FAILS(FORMAT, "cut.safetensors", mnist_model_load_weights(model, in(0, folder, "cut.safetensors"), error));
    FAILS(FORMAT, "empty: ", mnist_model_load_weights(model, in(0, folder, "empty"), error));
    FAILS(NOT_FOUND, "none", mnist_model_load_weights(model, in(0, folder, "none"), error));
    FAILS(IO, folder, mnist_model_load_weights(model, folder, error));
    FAILS(IO, folder, mnist_model_save_weights(model, folder, error));
    FAILS(NOT_FOUND, "no-folder", mnist_model_save_weights(model, in(0, folder, "no-folder/w"), error));
}

static void named_weights(mnist_model *model)
{
    size_t dims[4] = {7, 7, 7, 7}, rank = 7;
    float values[640] = {7};
    FAILS(NOT_FOUND, "`name`: the model has no such weight: expected one of conv2d/kernel, ",
          mnist_model_weight_shape(model, "conv2d", dims, 4, &rank, error));
    FAILS(NOT_FOUND, "found ``", mnist_model_get_weight(model, "", values, 640, error));
    FAILS(NOT_FOUND, "found `dense/kernels`", mnist_model_set_weight(model, "dense/kernels", values, 640, error));
    FAILS(INVALID_ARGUMENT, "UTF-8", mnist_model_get_weight(model, "\xc3", values, 640, error));
    FAILS(INVALID_ARGUMENT, "`capacity`: too small: expected 4 or more, found 3",
          mnist_model_weight_shape(model, "conv2d/kernel", dims, 3, &rank, error));
    FAILS(INVALID_ARGUMENT, "`capacity`: too small: expected 16 or more, found 15",
          mnist_model_get_weight(model, "dense/bias", values, 15, error));
    FAILS(INVALID_ARGUMENT, "`capacity`", mnist_model_get_weight(model, "dense/bias", values, 0, error));
    FAILS(SHAPE, "weight dense/bias: another number of values than the weight's: expected 16 for [16], found 15",
          mnist_model_set_weight(model, "dense/bias", values, 15, error));
    FAILS(SHAPE, "weight dense/bias", mnist_model_set_weight(model, "dense/bias", values, 17, error));
    FAILS(SHAPE, "weight dense/bias", mnist_model_set_weight(model, "dense/bias", values, 0, error));
    FAILS(INVALID_ARGUMENT, "`values`", mnist_model_set_weight(model, "dense/bias", values, SIZE_MAX, error));
    TRUE(dims[0] == 7 && rank == 7 && values[0] == 7);
}

static void models(const char *folder, mnist_model *model)
{
    mnist_model *made = NULL;
#define LOAD(name) mnist_model_load(in(0, folder, name), &made, error)
    FAILS(FORMAT, "cut.safetensors: tensor conv2d/kernel: the file ends inside it", LOAD("cut.safetensors"));
    FAILS(FORMAT, "empty: the file is empty: expected a safetensors file", LOAD("empty"));
    FAILS(NOT_FOUND, "none: ", LOAD("none"));
    FAILS(IO, folder, mnist_model_load(folder, &made, error));
    FAILS(INVALID_ARGUMENT, "UTF-8", mnist_model_load("\xff\xfe", &made, error));
    FAILS(FORMAT, "another.safetensors: metadata format: not a whole model", LOAD("another.safetensors"));
    FAILS(UNSUPPORTED, "newer.model: metadata version: the file is newer than this library: expected `1` to `2`, found `3`",
          LOAD("newer.model"));
    FAILS(UNSUPPORTED, "newer.model: metadata version", mnist_model_load_weights(model, in(0, folder, "newer.model"), error));
    FAILS(FORMAT, "text.model: metadata model: not JSON", LOAD("text.model"));
    FAILS(NOT_FOUND, "huge.model: tensor dense/kernel: missing tensor: expected F32 [1048576, 1024]", LOAD("huge.model"));
    FAILS(IO, folder, mnist_model_save(model, folder, error));
    FAILS(NOT_FOUND, "no-folder", mnist_model_save(model, in(0, folder, "no-folder/w"), error));
    TRUE(made == NULL);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    error = mnist_error_new();
    mnist_dataset *data = noise(64, 8);
    mnist_model *model = network(8, 4, 16);
    mnist_history *history = NULL;
    mnist_npz *npz = NULL;
    float before[640], after[640];
    double loss;

    files(argv[1]);
    rows(argv[1]);
    networks();
    pictures();
    WORKS(mnist_model_predict_dataset(model, data, before, 640, error));
    fits(data, model);
    weights(argv[1], model);
    named_weights(model);
    models(argv[1], model);
    WORKS(mnist_model_predict_dataset(model, data, after, 640, error));
    TRUE(memcmp(before, after, sizeof before) == 0); /* failed calls have changed nothing */

    /* A fit still works after all that. */
    mnist_fit_options options = quiet();
    options.epochs = 20;
    WORKS(mnist_model_fit(model, data, &options, &history, error));
    TRUE(mnist_history_epochs(history) == 20);
    WORKS(mnist_history_get(history, "loss", 19, &loss, error));
    TRUE(loss < 2.3);
    FAILS(NOT_FOUND, "`val_loss`", mnist_history_get(history, "val_loss", 0, &loss, error));
    FAILS(NOT_FOUND, "`speed`", mnist_history_get(history, "speed", 0, &loss, error));
    FAILS(INVALID_ARGUMENT, "`epoch`", mnist_history_get(history, "loss", 20, &loss, error));
    WORKS(mnist_npz_open(in(0, argv[1], "good.npz"), &npz, error));
    datasets(npz);

    mnist_npz_free(npz);
    mnist_history_free(history);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
