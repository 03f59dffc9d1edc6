/* Every call of the interface that opens a path, in a common form. tests/paths.rs compares this list with the header. */

#ifndef PATHS_H
#define PATHS_H

#include "models.h"

#include <unistd.h>

static mnist_model *model; /* compiled, with the network of the valid files */
static int steps;          /* of fits */

static mnist_status open_npz(const char *path)
{
    mnist_npz *npz = NULL;
    const mnist_status status = mnist_npz_open(path, &npz, error);
    mnist_npz_free(npz);
    return status;
}

static mnist_status load_data(const char *path)
{
    mnist_dataset *train = NULL, *test = NULL;
    const mnist_status status = mnist_load_data(path, &train, &test, error);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    return status;
}

static mnist_status from_npz(const char *path)
{
    mnist_dataset *loaded = NULL;
    const mnist_status status = mnist_dataset_from_npz(path, "x_train", "y_train", &loaded, error);
    mnist_dataset_free(loaded);
    return status;
}

static mnist_status from_pair(const char *images, const char *labels)
{
    mnist_dataset *loaded = NULL;
    const mnist_status status = mnist_dataset_from_npz_pair(images, "x_train", labels, "y_train", &loaded, error);
    mnist_dataset_free(loaded);
    return status;
}

static mnist_status images_from_pair(const char *path)
{
    return from_pair(path, in("arrays.npz"));
}

static mnist_status labels_from_pair(const char *path)
{
    return from_pair(in("arrays.npz"), path);
}

static mnist_status from_idx(const char *images, const char *labels)
{
    mnist_dataset *loaded = NULL;
    const mnist_status status = mnist_dataset_from_idx(images, labels, &loaded, error);
    mnist_dataset_free(loaded);
    return status;
}

static mnist_status images_from_idx(const char *path)
{
    return from_idx(path, in("labels.idx"));
}

static mnist_status labels_from_idx(const char *path)
{
    return from_idx(in("images.idx"), path);
}

static mnist_status from_csv(const char *path)
{
    mnist_dataset *loaded = NULL;
    const mnist_status status = mnist_dataset_from_csv(path, "label", &loaded, error);
    mnist_dataset_free(loaded);
    return status;
}

static mnist_status load_weights(const char *path)
{
    return mnist_model_load_weights(model, path, error);
}

static mnist_status load_mapped(const char *path)
{
    return mnist_model_load_weights_mapped(
        model, path, "{'0': 'conv2d', '1': 'conv2d_1', '2': 'dense', '3': 'dense_1'}", error);
}

/* The model's weights in PyTorch's form, all zero. */
static inline void write_state_dict(const char *path)
{
    static const struct {
        const char *name, *shape;
        size_t len;
    } tensors[] = {{"0.weight", "[4,1,3,3]", 36}, {"0.bias", "[4]", 4}, {"1.weight", "[8,4,3,3]", 288}, {"1.bias", "[8]", 8},
                   {"2.weight", "[16,128]", 2048}, {"2.bias", "[16]", 16}, {"3.weight", "[10,16]", 160}, {"3.bias", "[10]", 10}};
    char header[1024] = "{";
    size_t end = 0;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        const size_t start = end, at = strlen(header);
        end += tensors[i].len * sizeof(float);
        snprintf(header + at, sizeof header - at, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                 i ? "," : "", tensors[i].name, tensors[i].shape, start, end);
    }
    strcat(header, "}");
    FILE *file = fopen(path, "wb");
    for (size_t i = 0; i < 8; i++)
        putc((int)(strlen(header) >> 8 * i & 255), file);
    fputs(header, file);
    while (end-- > 0)
        putc(0, file);
    fclose(file);
}

static mnist_status save_weights(const char *path)
{
    return mnist_model_save_weights(model, path, error);
}

static mnist_status save_keras(const char *path)
{
    return mnist_model_save_keras(model, path, error);
}

static mnist_status save_onnx(const char *path)
{
    return mnist_model_save_onnx(model, path, error);
}

static mnist_status load_onnx(const char *path)
{
    mnist_model *loaded = NULL;
    const mnist_status status = mnist_model_load_onnx(path, &loaded, error);
    mnist_model_free(loaded);
    return status;
}

static mnist_status load_model(const char *path)
{
    mnist_model *loaded = NULL;
    const mnist_status status = mnist_model_load(path, &loaded, error);
    mnist_model_free(loaded);
    return status;
}

static mnist_status save_model(const char *path)
{
    return mnist_model_save(model, path, error);
}

static mnist_status save_c(const char *path)
{
    return mnist_model_save_c(model, path, "digits", error);
}

static mnist_status save_c_with(const char *path)
{
    return mnist_model_save_c_with(model, path, "digits", NULL, error);
}

static int32_t count_steps(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    steps++;
    return 0;
}

static mnist_status fit_with(const char *path, int resume)
{
    mnist_fit_options options = three_epochs();
    mnist_model *fresh = compiled();
    options.checkpoint_path = path;
    options.checkpoint_batches = 1;
    options.resume = resume;
    options.on_epoch_begin = count_steps;
    options.on_batch_end = count_steps;
    const mnist_status status = mnist_model_fit(fresh, data, &options, NULL, error);
    mnist_model_free(fresh);
    return status;
}

static mnist_status fit_to(const char *path)
{
    return fit_with(path, 0);
}

static mnist_status fit_from(const char *path)
{
    return fit_with(path, 1);
}

static const struct call {
    const char *place; /* function and parameter in the header */
    mnist_status (*run)(const char *path);
    int writes;
    const char *good; /* a valid file in the folder */
} calls[] = {
    {"mnist_npz_open path", open_npz, 0, "arrays.npz"},
    {"mnist_load_data path", load_data, 0, "arrays.npz"},
    {"mnist_dataset_from_npz path", from_npz, 0, "arrays.npz"},
    {"mnist_dataset_from_npz_pair images_path", images_from_pair, 0, "arrays.npz"},
    {"mnist_dataset_from_npz_pair labels_path", labels_from_pair, 0, "arrays.npz"},
    {"mnist_dataset_from_idx images_path", images_from_idx, 0, "images.idx"},
    {"mnist_dataset_from_idx labels_path", labels_from_idx, 0, "labels.idx"},
    {"mnist_dataset_from_csv path", from_csv, 0, "table.csv"},
    {"mnist_model_load_weights_mapped path", load_mapped, 0, "state_dict"},
    {"mnist_model_load_weights path", load_weights, 0, "weights"},
    {"mnist_model_load path", load_model, 0, "model"},
    {"mnist_model_load_onnx path", load_onnx, 0, "model.onnx"},
    {"mnist_model_save_weights path", save_weights, 1, "weights"},
    {"mnist_model_save path", save_model, 1, "model"},
    {"mnist_model_save_c path", save_c, 1, "model.c"},
    {"mnist_model_save_c_with path", save_c_with, 1, "model.c"},
    {"mnist_model_save_keras path", save_keras, 1, "model.keras"},
    {"mnist_model_save_onnx path", save_onnx, 1, "model.onnx"},
    {"mnist_fit_options checkpoint_path", fit_to, 1, "checkpoint"},
    {"mnist_fit_options checkpoint_path", fit_from, 1, "checkpoint"},
};
enum { CALLS = sizeof calls / sizeof *calls };

/* The call must fail with a message. A fit must not have begun. */
static void fails(int line, const struct call *call, const char *path, mnist_status status, const char *needle)
{
    steps = 0;
    expect_status(line, call->place, call->run(path), status, needle);
    expect_true(line, call->place, steps == 0);
}

/* All calls of one kind must fail. */
static inline void all_fail(int line, int writes, const char *path, mnist_status status, const char *needle)
{
    for (int i = 0; i < CALLS; i++)
        if (calls[i].writes == writes)
            fails(line, &calls[i], path, status, needle);
}
#define READS_FAIL(status, needle, path) all_fail(__LINE__, 0, path, MNIST_ERROR_##status, needle)
#define WRITES_FAIL(status, needle, path) all_fail(__LINE__, 1, path, MNIST_ERROR_##status, needle)

/* All calls must work with their valid files. */
static void all_work(int line)
{
    for (int i = 0; i < CALLS; i++)
        expect_status(line, calls[i].place, calls[i].run(in(calls[i].good)), MNIST_OK, "");
}
#define ALL_WORK() all_work(__LINE__)

/* The files; the caller has put arrays.npz, images.idx, labels.idx and table.csv there. */
static void begin(const char *where)
{
    folder = where;
    error = mnist_error_new();
    data = noise(64, 8);
    model = compiled();
    WORKS(save_weights(in("weights")));
    write_state_dict(in("state_dict"));
    WORKS(save_keras(in("model.keras")));
    WORKS(save_onnx(in("model.onnx")));
    WORKS(save_model(in("model")));
    WORKS(fit_to(in("checkpoint")));
#ifndef _WIN32
    alarm(300); /* ends a program that hangs */
#endif
}

static int end(void)
{
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}

#endif
