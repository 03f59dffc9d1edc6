/* Valid and wrong values for each kind of argument, and the required results. */

#ifndef VALUES_H
#define VALUES_H

#include "callbacks.h"
#include "objects.h"

/* Parameters for which the header allows NULL. NULL options are the defaults everywhere. */
static const char *const may_be_null[][2] = {
    {"mnist_load_data", "path"},      /* Keras's cache */
    {"mnist_model_new", "name"},      /* "model" */
    {"mnist_model_fit", "out"},       /* no history requested */
    {"mnist_dataset_image", "label"}, /* no label requested */
    {"mnist_layer", "config"},        /* {} */
    {"mnist_merge", "config"},
    {"mnist_model_set_trainable", "layer"}, /* all layers */
    {"mnist_model_copy_weights", "copied"}, /* no number requested */
    {"mnist_dataset_from_csv", "label_column"}, /* samples to predict */
    {"mnist_dataset_new", "y"},             /* no labels or targets */
    {"mnist_dataset_new", "sample_weight"}, /* all weights equal */
    {"mnist_model_save_memory", "buffer"},  /* for a capacity of 0 */
    {"mnist_model_save_onnx_memory", "buffer"},
    {"mnist_model_save_weights_memory", "buffer"},
    {"mnist_model_save_keras_memory", "buffer"},
    {"mnist_model_save_c_memory", "buffer"},
};

/* Valid text for parameters that accept only certain texts. */
static const struct {
    const char *function; /* NULL: any function */
    const char *name, *text;
} good_texts[] = {
    {"mnist_merge", "class_name", "Add"},
    {NULL, "class_name", "ReLU"},
    {NULL, "config", "{name: 'one', trainable: true}"},
    {NULL, "layer", "conv2d"},
    {NULL, "prefix", "digits"},
    {NULL, "placement", "__attribute__((aligned(16)))"},
    {NULL, "qualifier", "__flash"},
    {NULL, "label_column", "label"},
    {NULL, "identity", "noise, version 1"},
    {NULL, "map", "{conv: 'conv2d', 'fc.weight': 'dense/kernel', 'fc.bias': 'dense/bias'}"},
    {NULL, "json", network},
    {NULL, "optimizer_config", "{class_name: 'SGD', config: {momentum: 0.5}}"},
    {NULL, "loss_config", "'sparse_categorical_crossentropy'"},
    {NULL, "metrics_config", "[]"},
    {NULL, "callbacks_config", "['TerminateOnNaN']"},
};

static const char *good_text(const char *function, const struct place *place)
{
    for (size_t i = 0; i < sizeof good_texts / sizeof *good_texts; i++)
        if ((!good_texts[i].function || strcmp(good_texts[i].function, function) == 0)
            && strcmp(good_texts[i].name, place->name) == 0)
            return good_texts[i].text;
    return NULL;
}

/* The required result of a call. */
enum must { MAY_WORK, MUST_WORK, MUST_FAIL };

/* A wrong value, or an unusual valid one. */
struct wrong {
    const char *what;
    enum must must;
    int named;         /* the message names the parameter or field */
    value value;       /* unless it is an object: */
    const char *type;  /* the valid object of this type, looked up just before the call */
    int variant, freed;
    int tail;          /* of a struct: a byte after the fields that the library knows */
};

enum { MOST_WRONG = 512, ROOM = 16 << 10, INPUT = 1 << 20, MOST_OBJECTS = 1024, MOST_ARRAYS = 32 };

/* Input arrays, larger than any valid call requires. */
static union {
    size_t sizes[INPUT / sizeof(size_t)];
    float floats[INPUT / sizeof(float)];
    uint8_t bytes[INPUT];
    char misaligned[INPUT];
} input_sizes, input_floats, input_bytes, input_figure, wrong_input[3];

static char *long_text;

static void make_arrays(void)
{
    for (size_t i = 0; i < INPUT / sizeof(size_t); i++)
        input_sizes.sizes[i] = i == 0 ? 4 : i < 3 ? 8 : 1;
    for (size_t i = 0; i < INPUT / sizeof(float); i++)
        input_floats.floats[i] = (float)(i % 17) / 16;
    for (size_t i = 0; i < INPUT; i++)
        input_bytes.bytes[i] = (uint8_t)(i % CLASSES);
    for (size_t i = 0; i < 64; i++) /* a light digit on a dark background, 32 x 32 */
        input_figure.bytes[32 * (12 + i / 8) + 12 + i % 8] = 255;
    long_text = malloc(8000);
    memset(long_text, 'x', 7999);
    long_text[7999] = '\0';
}

/* The invalid files are unchanged, and the file to be written does not exist. */
static void make_files(void)
{
    size_t size;
    char *npz = read_file(in_folder("arrays.npz"), &size), *idx;
    write_file(in_folder("garbage"), "\x93 PK\3\4 no file of any kind \xff\0\0\0\0", 32);
    write_file(in_folder("empty"), "", 0);
    write_file(in_folder("cut.npz"), npz, size / 2);
    write_file(in_folder("copy.npz"), npz, size);
    idx = read_file(in_folder("images.idx"), &size);
    write_file(in_folder("cut.idx"), idx, size / 2);
    write_file(in_folder("copy.idx"), idx, size);
    write_file(in_folder("cut.model"), first.saved, first.size / 2);
    write_file(in_folder("copy.model"), first.saved, first.size);
    char *onnx = read_file(in_folder("good.onnx"), &size);
    write_file(in_folder("cut.onnx"), onnx, size / 2);
    write_file(in_folder("copy.onnx"), onnx, size);
    free(onnx);
    remove(in_folder("new"));
    remove(in_folder("in two\nlines"));
    free(npz);
    free(idx);
}

static int is_path(const struct place *place)
{
    return strstr(place->name, "path") != NULL;
}

/* Whether it is the capacity of an output. */
static int is_room(const struct place *place)
{
    return strstr(place->name, "capacity") != NULL;
}

/* The number of candidates for a valid value, with likely ones first. */
static size_t candidates(const struct place *place)
{
    switch (place->kind) {
    case OBJECT:
    case OBJECTS:
        return strcmp(place->type, "mnist_tensor") == 0 || strcmp(place->type, "mnist_dataset") == 0 ? VARIANTS : 1;
    case TEXT:
        return 6;
    case NUMBER:
        return 6;
    case CONSTANT:
        return place->count;
    case IN:
        return strcmp(place->type, "size_t") == 0 ? 2 : 1;
    default:
        return 1;
    }
}

/* An array of objects, long enough for any valid call, all the same. */
static void *many_objects(const char *type, int variant)
{
    static void *objects[MOST_OBJECTS];
    for (size_t i = 0; i < MOST_OBJECTS; i++)
        objects[i] = object(type, variant);
    return objects;
}

/* Samples, or as many labels, or weights. */
static mnist_array *good_array(const struct place *place)
{
    static mnist_array samples = {.dtype = MNIST_DTYPE_U8, .rank = 3}, labels = {.dtype = MNIST_DTYPE_U8, .rank = 1};
    samples.data = labels.data = input_bytes.bytes;
    samples.dims = labels.dims = input_sizes.sizes;
    return strcmp(place->name, "x") == 0 ? &samples : &labels;
}

/* A progress that was not passed to a callback; one whose metrics are not the library's. */
static mnist_progress some_progress, wrong_progress;

/* A candidate for a function; `output`: memory for an output, `options`: an initialized struct. */
static value candidate(const char *function, const struct place *place, size_t i, void *output, void *options)
{
    static char *const paths[] = {"new", "arrays.npz", "images.idx", "labels.idx", "whole.model", "table.csv"};
    static char *const words[] = {"images", "labels", "loss", "dense/kernel", "a word", "another one"};
    static const uint64_t numbers[] = {1, 0, 3, KERNEL, 32, 1024};
    switch (place->kind) {
    case OBJECT:
        return (value){.p = object(place->type, (int)i)};
    case OBJECTS:
        return (value){.p = many_objects(place->type, (int)i)};
    case ARRAY:
        return (value){.p = good_array(place)};
    case PROGRESS:
        return (value){.p = &some_progress};
    case OUT_OBJECT:
    case OUT:
        return (value){.p = output};
    case IN:
        if (strcmp(place->type, "size_t") == 0)
            return (value){.p = input_sizes.sizes + i}; /* the size of a dataset, and of one of its images */
        if (strcmp(place->type, "float") == 0)
            return (value){.p = input_floats.floats};
        if (strcmp(place->name, "data") == 0 && strstr(function, "_memory"))
            return (value){.p = first.saved};
        if (strcmp(place->type, "uint8_t") == 0)
            return (value){.p = strcmp(place->name, "grey") == 0 ? input_figure.bytes : input_bytes.bytes};
        give_up("array of", place->type, "add a good one to make_arrays and candidate in tests/c/hostile/values.h");
        break;
    case TEXT:
        if (strcmp(function, "mnist_model_load_weights_mapped") == 0 && is_path(place))
            return (value){.p = in_folder("torch.safetensors")};
        if (strcmp(function, "mnist_model_load_onnx") == 0)
            return (value){.p = in_folder("good.onnx")};
        if (good_text(function, place))
            return (value){.p = (void *)good_text(function, place)};
        return (value){.p = is_path(place) ? in_folder(paths[i]) : words[i]};
    case OPTIONS:
        return (value){.p = options};
    case CONSTANT:
        return (value){.u = (uint64_t)place->members[i]};
    case REAL:
        return (value){.d = 0.5};
    case FUNCTION:
        return (value){.f = good_callback(place->type)};
    case USER_DATA:
        return (value){.p = user_data};
    case STRUCT_SIZE:
    case NUMBER:
        break;
    }
    if (strcmp(place->name, "len") == 0 && strstr(function, "_memory"))
        return (value){.u = first.size};
    if (strcmp(place->name, "rank") == 0 && i % 2 == 0)
        i = 2 - i % 4; /* 3 first */
    return (value){.u = numbers[is_room(place) ? 5 - i : i]};
}

/* Adds to the list: a description, the required result, whether the message names the parameter, the value, and more. */
#define ADD(text, outcome, ...) (list[n++] = (struct wrong){.what = text, .must = outcome, __VA_ARGS__})

static size_t wrong_objects(const struct place *place, int argument, struct wrong *list)
{
    static uint64_t no_object[16] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const char *const types[] = {"mnist_error",   "mnist_npz",   "mnist_dataset", "mnist_graph",
                                        "mnist_tensor", "mnist_model", "mnist_history"};
    size_t n = 0;
    ADD("NULL", argument ? MUST_FAIL : MAY_WORK, 1, {.p = NULL});
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], place->type) != 0)
            ADD(types[i], MUST_FAIL, 1, {0}, .type = types[i]);
    ADD("bytes that are no object", MUST_FAIL, 1, {.p = no_object});
    ADD("a pointer to the middle of something", MUST_FAIL, 1, {.p = (char *)no_object + 3});
    ADD("a freed one", MUST_FAIL, 1, {0}, .type = place->type, .freed = 1);
    for (int i = 0; i < (int)candidates(place); i++)
        ADD("another one", MAY_WORK, 0, {0}, .type = place->type, .variant = i);
    return n;
}

static size_t wrong_many_objects(struct wrong *list)
{
    static uint64_t no_object[16] = {1, 2, 3, 4, 5, 6, 7, 8};
    static void *none[MOST_OBJECTS], *wild[MOST_OBJECTS];
    size_t n = 0;
    for (size_t i = 0; i < MOST_OBJECTS; i++)
        wild[i] = i % 2 ? (void *)((char *)no_object + 3) : (void *)no_object;
    ADD("NULL", MUST_FAIL, 1, {.p = NULL});
    ADD("misaligned", MUST_FAIL, 1, {.p = (char *)wild + 1});
    ADD("an array of NULL", MUST_FAIL, 1, {.p = none});
    ADD("an array of no objects", MUST_FAIL, 1, {.p = wild});
    return n;
}

/* Each of its fields wrong, one at a time, and every type. */
static size_t wrong_array(const struct place *place, struct wrong *list)
{
    static size_t sizes[3][4] = {{0, 0, 0, 0}, {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX}, {4, SIZE_MAX / 2 + 1, 8, 1}};
    static mnist_array arrays[MOST_ARRAYS];
    const mnist_array *good = good_array(place);
    size_t n = 0, used = 0;
#define ARRAY_WITH(text, outcome, field, wrong)                                                                         \
    do {                                                                                                                \
        arrays[used] = good ? *good : (mnist_array){input_floats.floats, MNIST_DTYPE_F32, 1, input_sizes.sizes};        \
        arrays[used].field = wrong;                                                                                     \
        ADD(text, good ? outcome : MUST_FAIL, 1, {.p = &arrays[used++]});                                               \
    } while (0)
    ADD("NULL", MUST_FAIL, 1, {.p = NULL});
    ADD("misaligned", MUST_FAIL, 1, {.p = (char *)arrays + 1});
    for (uint32_t dtype = MNIST_DTYPE_U8; dtype <= MNIST_DTYPE_U64; dtype++)
        ARRAY_WITH("another type", MAY_WORK, dtype, dtype);
    ARRAY_WITH("type 0", MUST_FAIL, dtype, 0);
    ARRAY_WITH("the next type", MUST_FAIL, dtype, MNIST_DTYPE_U64 + 1);
    ARRAY_WITH("type UINT32_MAX", MUST_FAIL, dtype, UINT32_MAX);
    ARRAY_WITH("rank 0", MUST_FAIL, rank, 0);
    ARRAY_WITH("rank 5", MUST_FAIL, rank, 5);
    ARRAY_WITH("rank SIZE_MAX", MUST_FAIL, rank, SIZE_MAX);
    ARRAY_WITH("no sizes", MUST_FAIL, dims, NULL);
    ARRAY_WITH("misaligned sizes", MUST_FAIL, dims, (const size_t *)(const void *)(input_sizes.misaligned + 1));
    for (size_t i = 0; i < 3; i++)
        ARRAY_WITH("other sizes", i < 2 || (good && good->rank > 1) ? MUST_FAIL : MAY_WORK, dims, sizes[i]);
    ARRAY_WITH("no numbers", MUST_FAIL, data, NULL);
    ARRAY_WITH("misaligned numbers", MUST_FAIL, data, input_bytes.misaligned + 1);
    arrays[used - 1].dtype = MNIST_DTYPE_I32;
#undef ARRAY_WITH
    return n;
}

/* `reads`: the path is of a file that is read, not written. */
static size_t wrong_texts(const struct place *place, int argument, int reads, struct wrong *list)
{
    const enum must path = is_path(place) ? MUST_FAIL : MAY_WORK, read = is_path(place) && reads ? MUST_FAIL : MAY_WORK;
    size_t n = 0;
    ADD("NULL", argument ? MUST_FAIL : MAY_WORK, 1, {.p = NULL});
    ADD("empty", path, 1, {.p = ""});
    ADD("not UTF-8", MUST_FAIL, 1, {.p = "\xff\xfe"});
    ADD("UTF-8 that ends too soon", MUST_FAIL, 1, {.p = "a\xc3"});
    ADD("a folder", path, 0, {.p = (void *)folder});
    ADD("in no folder", path, 0, {.p = "no-such-folder/x"});
    ADD("in a file", path, 0, {.p = "/etc/passwd/x"});
    ADD("far too long", path, 0, {.p = long_text});
    static char *const files[] = {"new",         "garbage", "empty",    "cut.npz",   "cut.idx",
                                  "cut.model", "cut.onnx", "in two\nlines"};
    static char *const kinds[] = {"copy.npz", "copy.idx", "copy.model", "copy.onnx"};
    enum { FILES = sizeof files / sizeof *files, KINDS = sizeof kinds / sizeof *kinds };
    static char texts[FILES + KINDS][1024];
    for (size_t i = 0; i < FILES + KINDS; i++) {
        const char *name = i < FILES ? files[i] : kinds[i - FILES];
        snprintf(texts[i], sizeof texts[i], "%s/%s", folder, name);
        ADD(name, i < FILES ? read : MAY_WORK, 0, {.p = texts[i]});
    }
    if (!argument && good_text("", place))
        ADD("a good one", MUST_WORK, 0, {.p = (void *)good_text("", place)});
    return n;
}

/* One rank, and what no rank can be. */
static size_t wrong_communicators(struct wrong *list)
{
    static mnist_communicator of[7];
    size_t n = 0;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        mnist_communicator_init(&of[i], sizeof of[i]);
        of[i].allgather = allgather, of[i].broadcast = broadcast;
    }
    of[1].allgather = NULL, of[2].broadcast = NULL, of[3].size = 0, of[4].rank = 1, of[5].rank = -1, of[6].size = INT32_MAX;
    ADD("one rank", MUST_WORK, 0, {.p = &of[0]});
    for (size_t i = 1; i < sizeof of / sizeof *of; i++)
        ADD("no communicator", MUST_FAIL, 1, {.p = &of[i]});
    return n;
}

static size_t wrong_sizes(const struct options *options, struct wrong *list)
{
    size_t n = 0;
    for (size_t size = 0; size < options->size + 24; size++) {
        const int whole = size % sizeof(size_t) == 0;
        if (size == options->size)
            continue;
        ADD("a size", whole && size > options->size ? MUST_WORK : whole && size ? MAY_WORK : MUST_FAIL, 0, {.u = size});
        if (size > options->size)
            ADD("a size, and something unknown", MUST_FAIL, 0, {.u = size}, .tail = 1);
    }
    ADD("a struct of 4,104 bytes", MUST_FAIL, 1, {.u = 4104});
    ADD("SIZE_MAX", MUST_FAIL, 1, {.u = SIZE_MAX});
    ADD("SIZE_MAX / 2 + 1", MUST_FAIL, 1, {.u = SIZE_MAX / 2 + 1});
    return n;
}

static size_t wrong_numbers(const struct place *place, struct wrong *list)
{
    const uint64_t all = place->size == 8 ? UINT64_MAX : UINT32_MAX;
    /* Too small capacities (one element when more are written), and huge ones. */
    const enum must room = is_room(place) ? MUST_FAIL : MAY_WORK;
    size_t n = 0;
    ADD("0", MAY_WORK, 0, {.u = 0});
    ADD("1", room, 1, {.u = 1});
    ADD("the largest one, or -1", room, 0, {.u = all});
    ADD("the largest one / 2 + 1, or the smallest one", room, 0, {.u = all / 2 + 1});
    if (place->size == 4) /* for a size_t this would be an array shorter than declared, which cannot be detected */
        ADD("the largest one / 2", MAY_WORK, 0, {.u = all / 2});
    return n;
}

static size_t wrong_constants(const struct place *place, struct wrong *list)
{
    int64_t most = 0;
    size_t n = 0;
    for (size_t i = 0; i < place->count; i++) {
        ADD("a constant", MAY_WORK, 0, {.u = (uint64_t)place->members[i]});
        most = place->members[i] > most ? place->members[i] : most;
    }
    ADD("0", MAY_WORK, 0, {.u = 0});
    ADD("the next constant", MUST_FAIL, 1, {.u = (uint64_t)(most + 1)});
    ADD("an unknown constant", MUST_FAIL, 1, {.u = 0x40000000});
    ADD("UINT32_MAX", MUST_FAIL, 1, {.u = UINT32_MAX});
    return n;
}

static size_t wrong_reals(const struct place *place, struct wrong *list)
{
    size_t n = 0;
    ADD("NaN", MUST_FAIL, 1, {.d = NAN});
    ADD("infinity", MUST_FAIL, 1, {.d = INFINITY});
    ADD("-infinity", MUST_FAIL, 1, {.d = -INFINITY});
    ADD("-1", place->size == sizeof(double) ? MUST_FAIL : MAY_WORK, 1, {.d = -1});
    ADD("0", MAY_WORK, 0, {.d = 0});
    ADD("1", MAY_WORK, 0, {.d = 1});
    ADD("the largest one", MAY_WORK, 0, {.d = place->size == sizeof(double) ? 1.7e308 : 3.4e38});
    ADD("the smallest one", MAY_WORK, 0, {.d = place->size == sizeof(double) ? 5e-324 : 1e-45});
    return n;
}

static size_t wrong_arrays(const struct place *place, int argument, struct wrong *list)
{
    const int unwanted = strcmp(place->name, "class_weight") == 0; /* if it is NULL */
    size_t n = 0;
    ADD("NULL", unwanted ? MUST_WORK : MUST_FAIL, 1, {.p = NULL});
    if (place->size > 1)
        ADD("misaligned", MUST_FAIL, 1, {.p = input_bytes.misaligned + 1});
    if (strcmp(place->type, "size_t") == 0) {
        for (size_t i = 0; i < 16; i++) {
            wrong_input[0].sizes[i] = 0;
            wrong_input[1].sizes[i] = SIZE_MAX;
            wrong_input[2].sizes[i] = i == 1 ? SIZE_MAX / 2 + 1 : 1;
        }
        for (int i = 0; i < 3; i++)
            ADD("sizes of no array", argument || i == 0 ? MUST_FAIL : MAY_WORK, 0, {.p = wrong_input[i].sizes});
    } else if (strcmp(place->type, "float") == 0) {
        for (size_t i = 0; i < INPUT / sizeof(float); i++)
            wrong_input[0].floats[i] = i % 2 ? NAN : -INFINITY;
        ADD("NaN and infinity", MAY_WORK, 0, {.p = wrong_input[0].floats});
    } else {
        memset(wrong_input[0].bytes, 255, INPUT);
        ADD("255", MAY_WORK, 0, {.p = wrong_input[0].bytes});
    }
    return n;
}

/* All wrong values of a parameter or field; `options`: the struct of a field, NULL for a parameter. */
static size_t wrong_values(const struct place *place, const struct options *options, int reads, struct wrong *list)
{
    const int argument = options == NULL;
    size_t n = 0;
    switch (place->kind) {
    case OBJECT:
        return wrong_objects(place, argument, list);
    case OBJECTS:
        return wrong_many_objects(list);
    case ARRAY:
        return wrong_array(place, list);
    case PROGRESS:
        wrong_progress.metrics = (const mnist_progress_metrics *)input_bytes.bytes;
        ADD("NULL", MUST_FAIL, 1, {.p = NULL});
        ADD("misaligned", MUST_FAIL, 1, {.p = (char *)&some_progress + 1});
        ADD("metrics that are no object", MUST_FAIL, 0, {.p = &wrong_progress});
        return n;
    case OUT_OBJECT:
    case OUT:
        ADD("NULL", argument ? MUST_FAIL : MUST_WORK, 1, {.p = NULL}); /* NULL turns an option off */
        return n;
    case IN:
        return wrong_arrays(place, argument, list);
    case TEXT:
        return wrong_texts(place, argument, reads, list);
    case OPTIONS:
        ADD("NULL", strcmp(place->name, "source") == 0 ? MUST_FAIL : MUST_WORK, 1, {.p = NULL}); /* the defaults */
        ADD("an object", MUST_FAIL, 1, {0}, .type = "mnist_dataset");
        return n + (strcmp(place->type, "mnist_communicator") == 0 ? wrong_communicators(list + n) : 0);
    case STRUCT_SIZE:
        return wrong_sizes(options, list);
    case NUMBER:
        return wrong_numbers(place, list);
    case CONSTANT:
        return wrong_constants(place, list);
    case REAL:
        return wrong_reals(place, list);
    case FUNCTION:
        for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++)
            if (strcmp(callbacks[i].type, place->type) == 0 && !callbacks[i].good)
                ADD(callbacks[i].what, callbacks[i].needed ? MUST_FAIL : MUST_WORK, callbacks[i].needed,
                    {.f = callbacks[i].function});
        return n;
    case USER_DATA:
        ADD("NULL", MUST_WORK, 0, {.p = NULL});
        ADD("a wild pointer", MUST_WORK, 0, {.p = (void *)UINTPTR_MAX});
        return n;
    }
    return n;
}

#endif
