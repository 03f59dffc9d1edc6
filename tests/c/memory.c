/* Models and weights in memory: memory FOLDER. The bytes equal those of a file. The buffer may have any address, and is not
 * used after the call. */

#include "models.h"

/* The bytes at an odd address in a block of their own, so that a memory checker detects reads past the end. */
typedef struct {
    unsigned char *block, *bytes;
    size_t len;
} copy;

static copy copy_of(const void *from, size_t len)
{
    copy made = {malloc(len + 1), NULL, len};
    made.bytes = made.block + 1;
    memcpy(made.bytes, from, len);
    return made;
}

/* No reference to it may be kept. */
static void spoil(copy *one)
{
    memset(one->block, 0xa5, one->len + 1);
    free(one->block);
}

static char *contents(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    *len = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

typedef mnist_status save_fn(const mnist_model *, void *, size_t, size_t *, mnist_error *);

/* Memory gets the bytes of the file, in the returned number; a buffer that is too small is unchanged. */
static void saves(const mnist_model *model, save_fn *save, const char *path)
{
    size_t len, needed = 0;
    char *file = contents(path, &len);
    unsigned char *room = malloc(len + 2);
    WORKS(save(model, NULL, 0, &needed, error));
    TRUE(needed == len);
    memset(room, 0x5a, len + 2);
    const size_t small[] = {1, 7, len / 2, len - 1};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        needed = 0;
        FAILS(INVALID_ARGUMENT, "`capacity`: too small: expected ", save(model, room, small[i], &needed, error));
        TRUE(needed == len);
    }
    for (size_t i = 0; i < len + 2; i++)
        if (room[i] != 0x5a)
            TRUE(!"what is too small was written to");
    WORKS(save(model, room + 1, len, &needed, error)); /* at an odd address */
    TRUE(needed == len && memcmp(room + 1, file, len) == 0 && room[0] == 0x5a && room[len + 1] == 0x5a);
    needed = 0;
    WORKS(save(model, room, len + 2, &needed, error));
    TRUE(needed == len && memcmp(room, file, len) == 0 && room[len + 1] == 0x5a);
    FAILS(INVALID_ARGUMENT, "`buffer`: is NULL", save(model, NULL, len, &needed, error));
    FAILS(INVALID_ARGUMENT, "`needed`: is NULL", save(model, room, len, NULL, error));
    free(room);
    free(file);
}

static mnist_status save_c_memory(const mnist_model *model, void *buffer, size_t capacity, size_t *needed, mnist_error *to)
{
    return mnist_model_save_c_memory(model, "digits", NULL, buffer, capacity, needed, to);
}

/* A model from memory equals the one from the file. */
static void round_trip(void)
{
    mnist_model *model = compiled(), *loaded = NULL;
    mnist_fit_options options = three_epochs();
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_save(model, in("model"), error));
    WORKS(mnist_model_save_weights(model, in("weights"), error));
    saves(model, mnist_model_save_memory, in("model"));
    saves(model, mnist_model_save_weights_memory, in("weights"));
    WORKS(mnist_model_save_keras(model, in("model.keras"), error));
    saves(model, mnist_model_save_keras_memory, in("model.keras"));
    WORKS(mnist_model_save_c(model, in("model.c"), "digits", error));
    saves(model, save_c_memory, in("model.c"));
    FAILS(INVALID_ARGUMENT, "`prefix`", mnist_model_save_c_memory(model, "0", NULL, NULL, 0, &(size_t){0}, error));
    WORKS(mnist_model_save_onnx(model, in("onnx"), error));
    saves(model, mnist_model_save_onnx_memory, in("onnx"));

    size_t len;
    char *file = contents(in("model"), &len);
    copy one = copy_of(file, len);
    WORKS(mnist_model_load_memory(one.bytes, one.len, &loaded, error));
    spoil(&one);
    WORKS(mnist_model_save(loaded, in("again"), error));
    TRUE(same_files(in("model"), in("again")));
    go_on_alike(model, loaded, "model", "again");
    mnist_model_free(loaded);

    /* An ONNX file is recognized by its content. */
    size_t onnx_len;
    char *onnx = contents(in("onnx"), &onnx_len);
    one = copy_of(onnx, onnx_len);
    WORKS(mnist_model_load_memory(one.bytes, one.len, &loaded, error));
    spoil(&one);
    free(onnx);
    WORKS(mnist_model_save_onnx(loaded, in("again"), error));
    mnist_model_free(loaded);
    WORKS(mnist_model_load(in("onnx"), &loaded, error));
    WORKS(mnist_model_save_onnx(loaded, in("onnx"), error));
    TRUE(same_files(in("onnx"), in("again")));
    mnist_model_free(loaded);
    FAILS(UNSUPPORTED, "weights alone are not read from an ONNX file", mnist_model_load_weights(model, in("onnx"), error));

    /* Weights from a weights file, and from a whole model. */
    mnist_model *other = network(8, 4, 16);
    one = copy_of(file, len);
    WORKS(mnist_model_load_weights_memory(other, one.bytes, one.len, error));
    spoil(&one);
    WORKS(mnist_model_save_weights(other, in("again"), error));
    TRUE(same_files(in("weights"), in("again")));
    free(file);
    mnist_model_free(other);
    mnist_model_free(model);
}

/* A tiny file, truncated at every length: an error, and the model is unchanged. */
static void truncated(void)
{
    mnist_graph *graph = mnist_graph_new();
    const size_t dims[] = {2};
    mnist_tensor *input = mnist_input_shape(graph, dims, 1);
    mnist_model *model = NULL, *loaded = NULL;
    size_t sizes[2] = {0, 0};
    WORKS(mnist_model_new(input, mnist_dense(input, 2, MNIST_ACTIVATION_SOFTMAX), NULL, &model, error));
    mnist_graph_free(graph);
    unsigned char whole[1 << 13], before[1 << 10], after[1 << 10];
    WORKS(mnist_model_save_memory(model, whole, sizeof whole, &sizes[0], error));
    WORKS(mnist_model_save_weights_memory(model, before, sizeof before, &sizes[1], error));
    TRUE(sizes[0] > sizes[1] && sizes[1] > 0);
    for (size_t len = 0; len < sizes[0]; len++) {
        copy one = copy_of(whole, len);
        FAILS(FORMAT, "argument `data`: ", mnist_model_load_memory(one.bytes, one.len, &loaded, error));
        FAILS(FORMAT, "argument `data`: ", mnist_model_load_weights_memory(model, one.bytes, one.len, error));
        spoil(&one);
    }
    for (size_t len = 0; len < sizes[1]; len++) {
        copy one = copy_of(before, len);
        FAILS(FORMAT, "argument `data`: ", mnist_model_load_weights_memory(model, one.bytes, one.len, error));
        spoil(&one);
    }
    WORKS(mnist_model_save_weights_memory(model, after, sizeof after, &sizes[1], error));
    TRUE(loaded == NULL && memcmp(before, after, sizes[1]) == 0);
    FAILS(FORMAT, "`data`: the file is empty", mnist_model_load_memory(NULL, 0, &loaded, error));
    FAILS(INVALID_ARGUMENT, "`data`: is NULL", mnist_model_load_memory(NULL, 1, &loaded, error));
    FAILS(FORMAT, "`data`: the wrong kind of file: expected a safetensors file, found a PNG picture",
          mnist_model_load_memory("\x89PNG\r\n\x1a\n", 8, &loaded, error));
    mnist_model_free(model);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    error = mnist_error_new();
    data = noise(64, 8);
    round_trip();
    truncated();
    mnist_dataset_free(data);
    return report();
}
