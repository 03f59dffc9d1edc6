/* A valid object of each type, created again whenever a call may have changed it, and checks that an object is unchanged. */

#ifndef OBJECTS_H
#define OBJECTS_H

#include "kinds.h"

/* KERNEL: the number of elements of the last layer's kernel. */
enum { IMAGES = 12, PIXELS = 64, CLASSES = 10, KERNEL = 72 * CLASSES, VARIANTS = 3 };

static const char *folder;

/* The objects. Tensors: the input, the flattened one, the output. */
static struct {
    mnist_error *error;
    mnist_npz *npz;
    mnist_dataset *dataset, *targets, *table; /* with labels; with targets and weights; with names of classes */
    mnist_graph *graph;
    mnist_tensor *tensors[VARIANTS];
    mnist_model *model;
    mnist_history *history;
} good;

/* The model as mnist_model_config writes it. */
static char network[4096];

/* The number of threads of a model. */
static size_t threads = 1;

/* Their initial state. */
static struct {
    float probabilities[CLASSES], pixels[IMAGES][PIXELS];
    char *saved; /* the model's file */
    size_t size;
} first;

static void must(mnist_status status, const char *what)
{
    if (status != MNIST_OK)
        give_up("cannot make", what, mnist_status_name(status));
}

/* The path of a file in the folder; valid until the eighth call after this one. */
static char *in_folder(const char *name)
{
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A file's bytes, which the caller frees; NULL if the file does not exist. */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    *size = 0;
    if (file == NULL || bytes == NULL) {
        free(bytes);
        return NULL;
    }
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        give_up("cannot write", path, "");
}

static mnist_dataset *new_dataset(void)
{
    static const size_t dims[3] = {IMAGES, 8, 8};
    uint8_t pixels[IMAGES * PIXELS], labels[IMAGES];
    mnist_dataset *data = NULL;
    for (int i = 0; i < IMAGES * PIXELS; i++)
        pixels[i] = (uint8_t)(i * 7 % 251);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = (uint8_t)(i % CLASSES);
    must(mnist_dataset_from_u8(pixels, dims, 3, labels, &data, NULL), "a dataset");
    must(mnist_dataset_normalize(data, 255.0f, NULL), "a dataset");
    return data;
}

/* The same images with targets and weights. */
static mnist_dataset *new_targets(void)
{
    static const size_t dims[3] = {IMAGES, 8, 8};
    static uint8_t pixels[IMAGES * PIXELS];
    static float floats[IMAGES];
    const mnist_array x = {pixels, MNIST_DTYPE_U8, 3, dims}, y = {floats, MNIST_DTYPE_F32, 1, dims};
    mnist_dataset *data = NULL;
    must(mnist_dataset_new(&x, &y, &y, &data, NULL), "a dataset with targets");
    return data;
}

/* A table whose labels are names, and whose samples have channels. */
static mnist_dataset *new_table(void)
{
    static const size_t dims[3] = {2, 2, 2};
    mnist_dataset *data = NULL;
    must(mnist_dataset_from_csv(in_folder("named.csv"), "0", &data, NULL), "a table");
    must(mnist_dataset_reshape(data, dims, 3, NULL), "a table");
    return data;
}

static mnist_graph *new_graph(mnist_tensor **tensors)
{
    mnist_graph *graph = mnist_graph_new();
    tensors[0] = mnist_input(graph, 8, 8, 1);
    tensors[1] = mnist_flatten(mnist_conv2d(tensors[0], 2, 3, MNIST_ACTIVATION_RELU));
    tensors[2] = mnist_dense(tensors[1], CLASSES, MNIST_ACTIVATION_SOFTMAX);
    must(mnist_graph_check(graph, NULL), "a graph");
    return graph;
}

static mnist_model *new_model(void)
{
    mnist_model *model = NULL;
    mnist_tensor *tensors[VARIANTS];
    mnist_graph *graph = new_graph(tensors);
    must(mnist_model_new(tensors[0], tensors[2], NULL, &model, NULL), "a model");
    must(mnist_model_set_threads(model, threads, NULL), "a model");
    must(mnist_model_compile(model, NULL, NULL), "a model");
    mnist_graph_free(graph);
    return model;
}

static mnist_history *new_history(void)
{
    mnist_history *history = NULL;
    mnist_fit_options options;
    mnist_model *model = new_model();
    mnist_dataset *data = new_dataset();
    mnist_fit_options_init(&options, sizeof options);
    options.epochs = 3; /* early stopping skips the last one and gives a reason */
    options.callbacks_config = "[{class_name: 'EarlyStopping', config: {monitor: 'loss', min_delta: 100}}]";
    options.verbose = 0;
    must(mnist_model_fit(model, data, &options, &history, NULL), "a history");
    mnist_dataset_free(data);
    mnist_model_free(model);
    return history;
}

/* An error with a message. */
static mnist_error *new_error(void)
{
    mnist_error *error = mnist_error_new();
    mnist_graph_check(NULL, error);
    return error;
}

static mnist_npz *new_npz(void)
{
    mnist_npz *npz = NULL;
    must(mnist_npz_open(in_folder("arrays.npz"), &npz, NULL), "an archive");
    return npz;
}

/* A new object of that type, for the caller to free; for a tensor also its graph. */
static void *new_object(const char *type, mnist_graph **graph)
{
    mnist_tensor *tensors[VARIANTS];
    if (strcmp(type, "mnist_error") == 0)
        return new_error();
    if (strcmp(type, "mnist_npz") == 0)
        return new_npz();
    if (strcmp(type, "mnist_dataset") == 0)
        return new_dataset();
    if (strcmp(type, "mnist_model") == 0)
        return new_model();
    if (strcmp(type, "mnist_history") == 0)
        return new_history();
    if (strcmp(type, "mnist_graph") == 0)
        return new_graph(tensors);
    if (strcmp(type, "mnist_tensor") == 0) {
        *graph = new_graph(tensors);
        return tensors[0];
    }
    give_up("type", type, "add how it is made to new_object, remake and object in tests/c/hostile/objects.h");
    return NULL;
}

/* The valid object of that type. */
static void *object(const char *type, int variant)
{
    if (strcmp(type, "mnist_tensor") == 0)
        return good.tensors[variant];
    return strcmp(type, "mnist_error") == 0     ? (void *)good.error
           : strcmp(type, "mnist_npz") == 0     ? (void *)good.npz
           : strcmp(type, "mnist_dataset") == 0 ? (void *)(variant == 0 ? good.dataset : variant == 1 ? good.targets : good.table)
           : strcmp(type, "mnist_model") == 0   ? (void *)good.model
           : strcmp(type, "mnist_history") == 0 ? (void *)good.history
           : strcmp(type, "mnist_graph") == 0   ? (void *)good.graph
                                                : new_object(type, NULL);
}

/* Forgets one of the other datasets, which a test has freed. */
static void forget_dataset(int variant)
{
    if (variant == 1)
        good.targets = NULL;
    if (variant == 2)
        good.table = NULL;
}

/* Creates the valid object of that type again; `alive`: the old one must be freed. */
static void remake(const char *type, int alive)
{
    if (strcmp(type, "mnist_dataset") == 0) {
        mnist_dataset_free(good.targets); /* NULL initially, and after a test has freed it */
        mnist_dataset_free(good.table);
        good.targets = new_targets();
        good.table = new_table();
    }
#define REMAKE(name)                                                                                                    \
    if (strcmp(type, "mnist_" #name) == 0) {                                                                            \
        if (alive)                                                                                                      \
            mnist_##name##_free(good.name);                                                                             \
        good.name = new_object(type, NULL);                                                                             \
        return;                                                                                                         \
    }
    REMAKE(error)
    REMAKE(npz)
    REMAKE(dataset)
    REMAKE(model)
    REMAKE(history)
#undef REMAKE
    if (alive)
        mnist_graph_free(good.graph);
    good.graph = new_graph(good.tensors);
}

/* Whether the model equals the first one, to the last bit, by comparing their files. */
static int model_is_as_saved(void)
{
    size_t size;
    const char *path = in_folder("compared.model");
    must(mnist_model_save(good.model, path, NULL), "a copy of the model");
    char *bytes = read_file(path, &size);
    const int same = bytes != NULL && size == first.size && memcmp(bytes, first.saved, size) == 0;
    free(bytes);
    return same;
}

/* Whether valid calls return their initial results. */
static int all_is_well(void)
{
    float probabilities[CLASSES], pixels[PIXELS];
    uint32_t label;
    if (mnist_model_predict(good.model, first.pixels[0], 1, probabilities, CLASSES, NULL) != MNIST_OK)
        return 0;
    if (memcmp(probabilities, first.probabilities, sizeof probabilities) != 0 || mnist_npz_len(good.npz) != 6)
        return 0;
    for (size_t i = 0; i < IMAGES; i++) {
        if (mnist_dataset_image(good.dataset, i, pixels, PIXELS, &label, NULL) != MNIST_OK || label != i % CLASSES)
            return 0;
        if (memcmp(pixels, first.pixels[i], sizeof pixels) != 0)
            return 0;
    }
    if (mnist_error_status(good.error) != MNIST_ERROR_INVALID_ARGUMENT || !strstr(mnist_error_message(good.error), "`graph`"))
        return 0;
    return mnist_dataset_len(good.dataset) == IMAGES && mnist_dataset_shape(good.dataset, NULL, 0) == 3
           && mnist_history_epochs(good.history) == 2 && mnist_graph_check(good.graph, NULL) == MNIST_OK;
}

static void keep(void *buffer, const char *text, size_t len)
{
    if (len < sizeof network)
        memcpy(buffer, text, len + 1);
}

static void make_objects(void)
{
    static const char *const types[] = {"error", "npz", "dataset", "graph", "model", "history"};
    char name[32];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(name, sizeof name, "mnist_%s", types[i]);
        remake(name, 0);
    }
    must(mnist_model_config(good.model, keep, network, NULL), "the network's description");
    for (size_t i = 0; i < IMAGES; i++)
        must(mnist_dataset_image(good.dataset, i, first.pixels[i], PIXELS, NULL, NULL), "pixels");
    must(mnist_model_predict(good.model, first.pixels[0], 1, first.probabilities, CLASSES, NULL), "probabilities");
    must(mnist_model_save(good.model, in_folder("whole.model"), NULL), "a file");
    must(mnist_model_save_onnx(good.model, in_folder("good.onnx"), NULL), "a file");
    first.saved = read_file(in_folder("whole.model"), &first.size);
}

static void free_objects(void)
{
    mnist_history_free(good.history);
    mnist_model_free(good.model);
    mnist_graph_free(good.graph);
    mnist_dataset_free(good.dataset);
    mnist_dataset_free(good.targets);
    mnist_dataset_free(good.table);
    mnist_npz_free(good.npz);
    mnist_error_free(good.error);
    free(first.saved);
}

#endif
