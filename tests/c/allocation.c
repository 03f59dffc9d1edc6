/* Refuses memory or threads to a program: allocation FOLDER THREADS once|on [FIRST LAST]. By default one request in thirteen is
 * refused (one in 29 with `on` or several threads); with MNIST_TEST_EACH_REQUEST in the environment, each.
 *
 * The library's allocation requests are counted. For each number n a child of this process runs a whole program in which
 * request n is refused ("once"), or request n and all later ones until the call returns ("on"). The call must return
 * MNIST_ERROR_OUT_OF_MEMORY with its outputs unchanged, or succeed without the memory. A second call must succeed, and the
 * program must end as usual. An abort ends the child and fails the test, except for the few requests during the start of a
 * thread for which Rust's std has no error path and does not use our allocator. */

#define _GNU_SOURCE

#include "folder.h"
#include "hash.h"
#include "refusing.h"

#include <mnist.h>

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static size_t threads;

/* The child's current position, in memory shared with its parent. */
static volatile size_t *at_step;

static int failures;

static void expect(int is, int line, const char *what, const char *step)
{
    if (!is) {
        failures++;
        fprintf(stderr, "line %d, request %d refused, step %s: not so: %s\n", line, refuse_first, step, what);
    }
}
#define TRUE(condition, step) expect(condition, __LINE__, #condition, step)

/* The outputs of calls: filled with a pattern before a step, and kept if it succeeds. */
static struct outputs {
    mnist_npz *npz;
    mnist_dataset *train, *test, *slice, *idx, *copy, *wide, *table, *source;
    mnist_model *model, *loaded;
    mnist_history *history;
    mnist_metrics metrics;
    size_t dims[3], rank, count;
    uint32_t labels[16], label;
    float pixels[64], p[10], all[400], layer[6];
    double value;
    size_t needed;
    mnist_graph *graph;
    mnist_tensor *ends[2];
} out, kept;

static mnist_error *error;
static mnist_graph *graph;
static mnist_tensor *input, *output;
static int batches; /* training steps that were executed */

static void no_text(void *nothing, const char *text, size_t len)
{
    (void)nothing, (void)text, (void)len;
}

/* Also used by the library: its many files need not survive a crash of the machine. */
int fsync(int file)
{
    (void)file;
    return 0;
}

static int32_t count_batch(void *nothing, const mnist_progress *progress)
{
    (void)nothing, (void)progress;
    batches++;
    return 0;
}

/* A call of the library, whose requests are counted. */
static mnist_status came_to;
#define CALL(call) (let_in(1), came_to = (call), let_in(0), came_to)
/* The same for a function that returns an object, or NULL when memory has run out. */
#define MAKE(object, call) CALL(((object) = (call)) != NULL ? MNIST_OK : MNIST_ERROR_OUT_OF_MEMORY)

static void let_in(int is)
{
    __atomic_store_n(&inside, is, __ATOMIC_SEQ_CST);
}

static mnist_status step_error(void)
{
    return MAKE(error, mnist_error_new());
}

static mnist_status step_npz(void)
{
    if (CALL(mnist_npz_open(in("data.npz"), &out.npz, error)) == MNIST_OK)
        kept.npz = out.npz;
    return came_to;
}

static mnist_status step_npz_shape(void)
{
    return CALL(mnist_npz_shape(kept.npz, "x_train", out.dims, 3, &out.rank, error));
}

/* An error's message needs memory, too. */
static mnist_status step_npz_wrong(void)
{
    if (CALL(mnist_npz_shape(kept.npz, "x_trian", out.dims, 3, &out.rank, error)) == MNIST_ERROR_NOT_FOUND)
        came_to = strstr(mnist_error_message(error), "x_trian") != NULL ? MNIST_OK : MNIST_ERROR_INTERNAL;
    return came_to;
}

static mnist_status step_load(void)
{
    if (CALL(mnist_load_data(in("data.npz"), &out.train, &out.test, error)) == MNIST_OK)
        kept.train = out.train, kept.test = out.test;
    return came_to;
}

static mnist_status step_idx(void)
{
    if (CALL(mnist_dataset_from_idx(in("images.idx.gz"), in("labels.idx"), &out.idx, error)) == MNIST_OK)
        kept.idx = out.idx;
    return came_to;
}

static mnist_status step_copy(void)
{
    static const float pixels[2 * 8 * 8] = {1.0f};
    static const uint8_t labels[2] = {3, 4};
    static const size_t dims[4] = {2, 8, 8, 1};
    if (CALL(mnist_dataset_from_f32(pixels, dims, 4, labels, &out.copy, error)) == MNIST_OK)
        kept.copy = out.copy;
    return came_to;
}

static mnist_status step_wide(void)
{
    static const double pixels[2 * 8] = {1.0};
    static const int64_t labels[2] = {3, 4};
    static const size_t dims[2] = {2, 8};
    const mnist_array x = {pixels, MNIST_DTYPE_F64, 2, dims}, y = {labels, MNIST_DTYPE_I64, 1, dims};
    if (CALL(mnist_dataset_new(&x, &y, NULL, &out.wide, error)) == MNIST_OK)
        kept.wide = out.wide;
    return came_to;
}

static mnist_status step_table(void)
{
    if (CALL(mnist_dataset_from_csv(in("table.csv"), "y", &out.table, error)) == MNIST_OK)
        kept.table = out.table;
    return came_to;
}

static int32_t fetch(void *user, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    (void)user, (void)targets;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < 64; j++)
            x[64 * i + j] = (float)(indices[i] + j) / 128;
        labels[i] = (uint32_t)indices[i] % 10;
    }
    return 0;
}

static mnist_status step_source(void)
{
    static const size_t dims[2] = {8, 8};
    mnist_source source;
    mnist_source_init(&source, sizeof source);
    source.len = 20;
    source.rank = 2;
    source.dims = dims;
    source.fetch = fetch;
    source.identity = "numbers";
    if (CALL(mnist_dataset_from_source(&source, &out.source, error)) == MNIST_OK)
        kept.source = out.source;
    return came_to;
}

static mnist_status step_shuffle(void)
{
    return CALL(mnist_dataset_shuffle(kept.source, 7, error));
}

static mnist_status step_transpose(void)
{
    return CALL(mnist_dataset_transpose(kept.source, error));
}

static mnist_status step_standardize(void)
{
    float mean, deviation;
    if (CALL(mnist_dataset_statistics(kept.source, &mean, &deviation, 1, error)) != MNIST_OK)
        return came_to;
    return CALL(mnist_dataset_standardize(kept.source, &mean, &deviation, 1, error));
}

static mnist_status step_predict_source(void)
{
    return CALL(mnist_model_predict_dataset(kept.model, kept.source, out.all, 400, error));
}

static mnist_status step_slice(void)
{
    if (CALL(mnist_dataset_slice(kept.train, 3, 20, &out.slice, error)) == MNIST_OK)
        kept.slice = out.slice;
    return came_to;
}

static mnist_status step_normalize(void)
{
    return CALL(mnist_dataset_normalize(kept.train, 255.0f, error));
}

static mnist_status step_normalize_test(void)
{
    return CALL(mnist_dataset_normalize(kept.test, 255.0f, error));
}

static mnist_status step_expand(void)
{
    return CALL(mnist_dataset_expand_dims(kept.slice, error));
}

static mnist_status step_labels(void)
{
    return CALL(mnist_dataset_unique_labels(kept.train, out.labels, 16, &out.count, error));
}

static mnist_status step_image(void)
{
    if (CALL(mnist_dataset_image(kept.test, 1, out.pixels, 64, &out.label, error)) == MNIST_OK)
        memcpy(kept.pixels, out.pixels, sizeof out.pixels);
    return came_to;
}

/* A graph remembers a failure: it is freed, and a new one is begun. */
static mnist_status step_graph(void)
{
    mnist_graph_free(graph);
    if (MAKE(graph, mnist_graph_new()) != MNIST_OK)
        return came_to;
    mnist_graph_set_seed(graph, 7);
    mnist_tensor *x = NULL;
    if (MAKE(input, mnist_input(graph, 8, 8, 1)) == MNIST_OK
        && MAKE(x, mnist_layer(input, "Conv2D", "{filters: 3, kernel_size: 3, activation: 'relu'}")) == MNIST_OK
        && MAKE(x, mnist_flatten(x)) == MNIST_OK && MAKE(x, mnist_dense(x, 6, MNIST_ACTIVATION_TANH)) == MNIST_OK
        && MAKE(output, mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX)) == MNIST_OK)
        return MNIST_OK;
    return mnist_graph_check(graph, NULL); /* which returns the reason */
}

static mnist_status step_model(void)
{
    if (CALL(mnist_model_new(input, output, "small", &out.model, error)) == MNIST_OK)
        kept.model = out.model;
    return came_to;
}

static mnist_status step_threads(void)
{
    return CALL(mnist_model_set_threads(kept.model, threads, error));
}

static mnist_status step_summary(void)
{
    return CALL(mnist_model_summary(kept.model, no_text, NULL, error));
}

static mnist_status step_compile(void)
{
    mnist_compile_options options;
    mnist_compile_options_init(&options, sizeof options);
    options.optimizer_config = "{class_name: 'RMSprop', config: {momentum: 0.5}}";
    options.loss_config = "'sparse_categorical_crossentropy'";
    options.metrics_config = "['accuracy']";
    return CALL(mnist_model_compile(kept.model, &options, error));
}

static mnist_status step_rate(void)
{
    if (CALL(mnist_model_set_learning_rate(kept.model, 0.002, error)) != MNIST_OK)
        return came_to;
    return CALL(mnist_model_get_learning_rate(kept.model, &out.value, error));
}

static char network[4096];

static void keep(void *nothing, const char *text, size_t len)
{
    (void)nothing;
    memcpy(network, text, len < sizeof network ? len + 1 : 0);
}

static mnist_status step_config(void)
{
    return CALL(mnist_model_config(kept.model, keep, NULL, error));
}

static mnist_status step_json(void)
{
    if (CALL(mnist_graph_from_json(network, &out.graph, &out.ends[0], &out.ends[1], error)) == MNIST_OK)
        kept.graph = out.graph;
    return came_to;
}

static mnist_status step_layer(void)
{
    return CALL(mnist_model_predict_layer(kept.model, "dense", kept.pixels, 1, out.layer, 6, error));
}

static mnist_status step_copy_weights(void)
{
    return CALL(mnist_model_copy_weights(kept.loaded, kept.model, &out.count, error));
}

static mnist_status step_trainable(void)
{
    return CALL(mnist_model_set_trainable(kept.loaded, "dense", 0, error));
}

static mnist_fit_options fit_for(size_t epochs)
{
    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.batch_size = 8;
    options.epochs = epochs;
    options.validation_split = 0.25;
    options.on_batch_end = count_batch;
    options.checkpoint_path = in("checkpoint");
    return options;
}

static mnist_status step_fit(void)
{
    mnist_fit_options options = fit_for(2);
    options.write = no_text;
    options.checkpoint_epochs = 1;
    if (CALL(mnist_model_fit(kept.model, kept.train, &options, &out.history, error)) == MNIST_OK)
        kept.history = out.history;
    return came_to;
}

static int32_t allgather(void *user, const void *send, size_t len, void *receive, const size_t *counts)
{
    (void)user, (void)counts;
    memcpy(receive, send, len);
    return 0;
}

static int32_t broadcast(void *user, void *data, size_t len, int32_t root)
{
    (void)user, (void)data, (void)len, (void)root;
    return 0;
}

/* Continues where the first fit has ended, as the only rank of a communicator. */
static mnist_status step_resume(void)
{
    mnist_communicator communicator;
    mnist_communicator_init(&communicator, sizeof communicator);
    communicator.allgather = allgather;
    communicator.broadcast = broadcast;
    mnist_fit_options options = fit_for(3);
    options.verbose = 0;
    options.resume = 1;
    options.communicator = &communicator;
    return CALL(mnist_model_fit(kept.model, kept.train, &options, NULL, error));
}

static mnist_status step_history(void)
{
    return CALL(mnist_history_get(kept.history, "val_loss", 1, &out.value, error));
}

static mnist_status step_evaluate(void)
{
    mnist_evaluate_options options;
    mnist_evaluate_options_init(&options, sizeof options);
    options.verbose = 1;
    options.write = no_text;
    if (CALL(mnist_model_evaluate(kept.model, kept.test, &options, &out.metrics, error)) == MNIST_OK)
        kept.metrics = out.metrics;
    return came_to;
}

static mnist_status step_predict(void)
{
    if (CALL(mnist_model_predict(kept.model, kept.pixels, 1, out.p, 10, error)) == MNIST_OK)
        memcpy(kept.p, out.p, sizeof out.p);
    return came_to;
}

static mnist_status step_predict_dataset(void)
{
    if (CALL(mnist_model_predict_dataset(kept.model, kept.train, out.all, 400, error)) == MNIST_OK)
        memcpy(kept.all, out.all, sizeof out.all);
    return came_to;
}

static mnist_status step_save_weights(void)
{
    return CALL(mnist_model_save_weights(kept.model, in("weights"), error));
}

static mnist_status step_save(void)
{
    return CALL(mnist_model_save(kept.model, in("model"), error));
}

static mnist_status step_save_c(void)
{
    return CALL(mnist_model_save_c(kept.model, in("model.c"), "digits", error));
}

static mnist_status step_save_c_with(void)
{
    mnist_c_options options;
    mnist_c_options_init(&options, sizeof options);
    options.weights = MNIST_WEIGHT_INT8;
    return CALL(mnist_model_save_c_with(kept.model, in("model.c"), "digits", &options, error));
}

static mnist_status step_save_keras(void)
{
    return CALL(mnist_model_save_keras(kept.model, in("model.keras"), error));
}

static mnist_status step_load_keras(void)
{
    mnist_model *loaded = NULL;
    const mnist_status status = CALL(mnist_model_load(in("model.keras"), &loaded, error));
    mnist_model_free(loaded);
    return status;
}

static mnist_status step_save_onnx(void)
{
    return CALL(mnist_model_save_onnx(kept.model, in("model.onnx"), error));
}

static mnist_status step_load_onnx(void)
{
    mnist_model *loaded = NULL;
    const mnist_status status = CALL(mnist_model_load_onnx(in("model.onnx"), &loaded, error));
    mnist_model_free(loaded);
    return status;
}

static mnist_status step_save_onnx_memory(void)
{
    return CALL(mnist_model_save_onnx_memory(kept.model, NULL, 0, &out.needed, error));
}

static mnist_status step_load_model(void)
{
    if (CALL(mnist_model_load(in("model"), &out.loaded, error)) == MNIST_OK)
        kept.loaded = out.loaded;
    return came_to;
}

static mnist_status step_load_weights(void)
{
    return CALL(mnist_model_load_weights(kept.loaded, in("weights"), error));
}

/* The same with memory instead of files. */
static unsigned char bytes[1 << 18];

static mnist_status step_save_memory(void)
{
    if (CALL(mnist_model_save_memory(kept.model, bytes, sizeof bytes, &out.needed, error)) == MNIST_OK)
        kept.needed = out.needed;
    return came_to;
}

static mnist_status step_save_weights_memory(void)
{
    return CALL(mnist_model_save_weights_memory(kept.model, NULL, 0, &out.needed, error));
}

static mnist_status step_save_keras_memory(void)
{
    return CALL(mnist_model_save_keras_memory(kept.model, NULL, 0, &out.needed, error));
}

static mnist_status step_save_c_memory(void)
{
    return CALL(mnist_model_save_c_memory(kept.model, "digits", NULL, NULL, 0, &out.needed, error));
}

static mnist_status step_load_memory(void)
{
    if (CALL(mnist_model_load_memory(bytes, kept.needed, &out.loaded, error)) == MNIST_OK)
        mnist_model_free(out.loaded);
    return came_to;
}

static mnist_status step_load_weights_memory(void)
{
    return CALL(mnist_model_load_weights_memory(kept.loaded, bytes, kept.needed, error));
}

static const struct step {
    const char *name;
    mnist_status (*take)(void);
} steps[] = {
#define STEP(name) {#name, step_##name}
    STEP(error),   STEP(npz),   STEP(npz_shape), STEP(npz_wrong), STEP(load),     STEP(idx),
    STEP(copy),    STEP(wide), STEP(table), STEP(source), STEP(shuffle), STEP(transpose), STEP(standardize), STEP(slice), STEP(normalize), STEP(normalize_test), STEP(expand), STEP(labels),   STEP(image),
    STEP(graph),   STEP(model), STEP(threads),   STEP(summary),   STEP(compile),  STEP(rate), STEP(fit),
    STEP(history), STEP(resume), STEP(evaluate), STEP(predict),   STEP(predict_dataset), STEP(predict_source), STEP(save_weights), STEP(save), STEP(save_c), STEP(save_c_with), STEP(save_keras), STEP(load_keras),
    STEP(save_onnx), STEP(load_onnx), STEP(save_onnx_memory), STEP(load_model), STEP(load_weights), STEP(save_memory), STEP(save_weights_memory), STEP(save_keras_memory), STEP(save_c_memory),
    STEP(load_memory), STEP(load_weights_memory), STEP(config), STEP(json), STEP(layer), STEP(copy_weights), STEP(trainable),
};
#define STEPS (sizeof steps / sizeof *steps)

static void free_all(void)
{
    mnist_npz_free(kept.npz);
    mnist_dataset_free(kept.train), mnist_dataset_free(kept.test), mnist_dataset_free(kept.slice);
    mnist_dataset_free(kept.idx), mnist_dataset_free(kept.copy), mnist_dataset_free(kept.wide);
    mnist_dataset_free(kept.table), mnist_dataset_free(kept.source);
    mnist_graph_free(graph), mnist_graph_free(kept.graph);
    mnist_model_free(kept.model), mnist_model_free(kept.loaded);
    mnist_history_free(kept.history);
    mnist_error_free(error);
    graph = NULL;
    memset(&kept, 0, sizeof kept);
}

static uint64_t hash_of_file(uint64_t before, const char *path)
{
    unsigned char bytes[4096];
    FILE *file = fopen(path, "rb");
    for (size_t len; file && (len = fread(bytes, 1, sizeof bytes, file)) > 0;)
        before = hash(before, bytes, len);
    if (file)
        fclose(file);
    return before;
}

/* Whether a failed step has left its outputs unchanged. */
static int untouched(void)
{
    const unsigned char *bytes = (const unsigned char *)&out;
    for (size_t i = 0; i < sizeof out; i++)
        if (bytes[i] != 0x5a)
            return 0;
    return 1;
}

/* The result of a program. */
struct end {
    uint64_t bits;
    int failed;    /* steps that returned OUT_OF_MEMORY */
    int disturbed; /* whether one of them was a fit that had already begun to train */
};

static struct end run(void)
{
    struct end end = {0xcbf29ce484222325u, 0, 0};
    remove(in("checkpoint")), remove(in("weights")), remove(in("model"));
    for (size_t i = 0; i < STEPS; i++) {
        const int before = refused;
        *at_step = i;
        batches = 0;
        memset(&out, 0x5a, sizeof out);
        mnist_status status = steps[i].take();
        if (status == MNIST_ERROR_OUT_OF_MEMORY && refused > before) {
            TRUE(untouched() || steps[i].take == step_error, steps[i].name);
            TRUE(error == NULL || mnist_error_status(error) == status || steps[i].take == step_graph, steps[i].name);
            end.failed++;
            end.disturbed |= batches > 0;
            refuse_first = 0; /* no more refusals */
            memset(&out, 0x5a, sizeof out);
            status = steps[i].take();
        }
        refuse_first = refused > 0 ? 0 : refuse_first;
        TRUE(status == MNIST_OK, steps[i].name);
        if (status != MNIST_OK) {
            fprintf(stderr, "  %s: %s\n", mnist_status_name(status), mnist_error_message(error));
            exit(3);
        }
    }
    end.bits = hash(end.bits, kept.p, sizeof kept.p);
    end.bits = hash(end.bits, kept.all, sizeof kept.all);
    end.bits = hash(end.bits, &kept.metrics, sizeof kept.metrics);
    free_all();
    end.bits = hash_of_file(hash_of_file(end.bits, in("weights")), in("model"));
    return end;
}

/* The number of entries of a folder whose names end in `end`. */
static int entries(const char *path, const char *end)
{
    int number = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const size_t len = strlen(entry->d_name);
        number += len >= strlen(end) && strcmp(entry->d_name + len - strlen(end), end) == 0;
    }
    if (dir)
        closedir(dir);
    return number;
}

/* Nothing is left behind: no thread, no open file, no temporary file. */
static void nothing_left(int files)
{
    const struct timespec moment = {0, 1000000};
    for (int i = 0; i < 1000 && entries("/proc/self/task", "") > 3; i++)
        nanosleep(&moment, NULL); /* a joined thread may still be listed for a moment */
    TRUE(entries("/proc/self/task", "") == 3, "end"); /* ., .. and this thread */
    TRUE(entries("/proc/self/fd", "") == files, "end");
    TRUE(entries(folder, ".tmp") == 0, "end");
}

enum { OUT_OF_MEMORY, DONE_WITHOUT, NOT_REACHED, WRONG };

static int child(uint64_t expected)
{
    const int files = entries("/proc/self/fd", "");
    alarm(60); /* ends a child that hangs */
    const struct end end = run();
    if (refused == 0)
        return NOT_REACHED;
    nothing_left(files);
    TRUE(end.disturbed || end.bits == expected, "end");
    refuse_first = 0;
    if (end.disturbed)
        TRUE(run().bits == expected, "end");
    return failures > 0 ? WRONG : end.failed > 0 ? OUT_OF_MEMORY : DONE_WITHOUT;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 6)
        return 2;
    folder = argv[1];
    threads = (size_t)atoi(argv[2]);
    const int more = strcmp(argv[3], "on") == 0, first = argc > 4 ? atoi(argv[4]) : 1;
    const int last = argc > 4 ? atoi(argv[5]) : 1000000;
    int came_to[4] = {0}, died = 0, died_starting = 0;
    at_step = mmap(NULL, sizeof *at_step, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    /* The result without refusals; in a child, because there must be no threads here. */
    int ends[2];
    uint64_t expected[2] = {0, 0};
    TRUE(pipe(ends) == 0, "main");
    for (int i = 0; i < 2; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            const uint64_t bits = run().bits;
            _exit(write(ends[1], &bits, sizeof bits) == sizeof bits ? 0 : 1);
        }
        TRUE(waitpid(pid, NULL, 0) == pid && read(ends[0], &expected[i], sizeof expected[i]) == sizeof expected[i], "main");
    }
    TRUE(expected[0] == expected[1], "main");

    /* Trying each request takes long, so only some are tried by default. Those of the other variants are nearly the same. */
    const int some = threads > 1 || more ? 29 : 13;
    const int stride = getenv("MNIST_TEST_EACH_REQUEST") ? 1 : some;
    for (int n = first; n <= last && came_to[NOT_REACHED] == 0; n += stride) {
        const pid_t pid = fork();
        int status = -1;
        if (pid == 0) {
            refuse_first = n;
            refuse_more = more;
            _exit(child(expected[0]));
        }
        TRUE(pid > 0 && waitpid(pid, &status, 0) == pid, "main");
        if (WIFEXITED(status) && WEXITSTATUS(status) <= WRONG) {
            came_to[WEXITSTATUS(status)]++;
        } else if (steps[*at_step].take == step_threads && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
            died_starting++;
        } else {
            died++;
            fprintf(stderr, "request %d refused, step %s: %s %d\n", n, steps[*at_step].name,
                    WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
    TRUE(died_starting <= (more ? 6 : 1) * (int)threads, "threads"); /* the thread's handle, and a few requests just before */
    printf("%zu threads, %s: %d out of memory, %d done without, %d wrong, %d died, %d in starting a thread\n", threads,
           argv[3], came_to[OUT_OF_MEMORY], came_to[DONE_WITHOUT], came_to[WRONG], died, died_starting);
    return died + came_to[WRONG] + failures > 0;
}
