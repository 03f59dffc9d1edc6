/* Samples that are generated on request, more of them than memory can hold.
 *
 *     source memory COUNT WEIGHTS           trains on COUNT samples in memory, and saves the weights
 *     source PREFETCH COUNT WEIGHTS         the same with a source, in little address space
 *     source wrong                          sources that fail, return NaN, and wait */

#include "expect.h"

#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10 };

/* Pixel `i` of a sample: a hash of both indices (the finalizer of MurmurHash3). */
static uint8_t pixel(uint64_t sample, uint64_t i)
{
    uint64_t x = sample * PIXELS + i;
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
    return (uint8_t)(x >> 56);
}

static uint32_t label(uint64_t sample)
{
    return pixel(sample, 0) / 26;
}

static int32_t make(void *user, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    (void)user, (void)targets;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < PIXELS; j++)
            x[i * PIXELS + j] = (float)pixel(indices[i], j) / 255.0f;
        labels[i] = label(indices[i]);
    }
    return 0;
}

static mnist_dataset *in_memory(size_t count)
{
    const size_t dims[3] = {count, SIDE, SIDE};
    uint8_t *pixels = malloc(count * PIXELS), *labels = malloc(count);
    mnist_dataset *data = NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < PIXELS; j++)
            pixels[i * PIXELS + j] = pixel(i, j);
        labels[i] = (uint8_t)label(i);
    }
    WORKS(mnist_dataset_from_u8(pixels, dims, 3, labels, &data, error));
    WORKS(mnist_dataset_normalize(data, 255.0f, error));
    free(pixels);
    free(labels);
    return data;
}

static mnist_dataset *from_source(size_t count, mnist_fetch_fn fetch, void *user)
{
    const size_t dims[2] = {SIDE, SIDE};
    mnist_dataset *data = NULL;
    mnist_source source;
    mnist_source_init(&source, sizeof source);
    source.len = count;
    source.rank = 2;
    source.dims = dims;
    source.fetch = fetch;
    source.user = user;
    WORKS(mnist_dataset_from_source(&source, &data, error));
    return data;
}

static mnist_model *small(void)
{
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *x = mnist_input(graph, SIDE, SIDE, 1);
    mnist_tensor *y = mnist_dense(mnist_dense(mnist_flatten(x), 4, MNIST_ACTIVATION_RELU), CLASSES, MNIST_ACTIVATION_SOFTMAX);
    mnist_model *model = NULL;
    WORKS(mnist_model_new(x, y, NULL, &model, error));
    WORKS(mnist_model_compile(model, NULL, error));
    mnist_graph_free(graph);
    return model;
}

static int trains(const char *prefetch, size_t count, const char *weights)
{
    const int memory = strcmp(prefetch, "memory") == 0;
    if (!memory) {
        const struct rlimit little = {512u << 20, 512u << 20};
        TRUE(setrlimit(RLIMIT_AS, &little) == 0);
    }
    mnist_dataset *data = memory ? in_memory(count) : from_source(count, make, NULL);
    mnist_model *model = small();
    mnist_fit_options options = quiet();
    options.batch_size = 512;
    options.validation_split = 1.0 / 64;
    options.prefetch = memory ? 0 : (size_t)atoi(prefetch);
    mnist_history *history = NULL;
    double loss = 0, val_loss = 0;
    WORKS(mnist_model_fit(model, data, &options, &history, error));
    WORKS(mnist_history_get(history, "loss", 0, &loss, error));
    WORKS(mnist_history_get(history, "val_loss", 0, &val_loss, error));
    WORKS(mnist_model_save_weights(model, weights, error));
    printf("loss %.17g, on others %.17g\n", loss, val_loss);
    mnist_history_free(history);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return failures;
}

/* The fault at sample 70: an error, a NaN, a label out of range, or a long wait. */
enum { ERROR, NOT_A_NUMBER, LABEL, WAIT };

static int waiting;

static int32_t make_wrong(void *user, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    const int how = *(int *)user;
    make(NULL, indices, count, x, labels, targets);
    for (size_t i = 0; i < count; i++) {
        if (indices[i] != 70)
            continue;
        if (how == ERROR)
            return 7;
        if (how == NOT_A_NUMBER)
            x[i * PIXELS + 5] = NAN;
        if (how == LABEL)
            labels[i] = CLASSES;
        if (how == WAIT) {
            const struct timespec while_it_takes = {0, 200000000};
            set(&waiting, 1);
            nanosleep(&while_it_takes, NULL);
        }
    }
    return 0;
}

static void *cancel(void *model)
{
    while (!get(&waiting))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    mnist_model_cancel(model);
    return NULL;
}

static void wrong(void)
{
    static const char *const needles[] = {"70", "70", "70", ""};
    for (size_t prefetch = 0; prefetch < 4; prefetch++)
        for (int how = ERROR; how <= WAIT; how++) {
            mnist_model *model = small();
            mnist_dataset *data = from_source(100, make_wrong, &how), *good = from_source(40, make, NULL);
            mnist_fit_options options = quiet();
            options.batch_size = 16;
            options.shuffle = 0;
            options.prefetch = prefetch;
            pthread_t thread;
            set(&waiting, 0);
            if (how == WAIT)
                TRUE(pthread_create(&thread, NULL, cancel, model) == 0);
            if (how == WAIT) {
                options.epochs = 100000;
                TRUE(mnist_model_fit(model, data, &options, NULL, error) == MNIST_CANCELLED);
                pthread_join(thread, NULL);
            } else if (how == ERROR) {
                FAILS(IO, needles[how], mnist_model_fit(model, data, &options, NULL, error));
            } else {
                FAILS(INVALID_ARGUMENT, needles[how], mnist_model_fit(model, data, &options, NULL, error));
            }
            /* The model is intact: it has learned from the batches before, and can be trained further. */
            float kernel[PIXELS * 4];
            int finite = 1;
            WORKS(mnist_model_get_weight(model, "dense/kernel", kernel, PIXELS * 4, error));
            for (size_t i = 0; i < PIXELS * 4; i++)
                finite &= isfinite(kernel[i]) != 0;
            TRUE(finite);
            options.epochs = 1;
            WORKS(mnist_model_fit(model, good, &options, NULL, error));
            mnist_metrics found;
            if (how == ERROR)
                FAILS(IO, "70", mnist_model_evaluate(model, data, NULL, &found, error));
            WORKS(mnist_model_evaluate(model, good, NULL, &found, error));
            mnist_dataset_free(data);
            mnist_dataset_free(good);
            mnist_model_free(model);
        }
}

int main(int argc, char **argv)
{
    error = mnist_error_new();
    if (argc == 4)
        trains(argv[1], (size_t)strtoul(argv[2], NULL, 10), argv[3]);
    else if (argc == 2 && strcmp(argv[1], "wrong") == 0)
        wrong();
    else
        return 2;
    return report();
}
