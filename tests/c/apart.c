/* Models that train at the same time, each in its own thread, on the same data: each must end with the same bits as alone. */

#include "asking.h"

#include <pthread.h>

#define MODELS 4

static const char *folder;
static mnist_dataset *data;

struct work {
    size_t filters, threads, batch;
    uint64_t seed;
    mnist_model *model;
    uint64_t weights, whole, predicted; /* the results */
};

static void prepare(struct work *to, const struct work *from)
{
    *to = *from;
    to->model = network(8, to->filters, 24);
}

static void *train(void *of)
{
    struct work *work = of;
    char path[1024];
    mnist_model *model = work->model;
    mnist_fit_options options = quiet();
    options.batch_size = work->batch;
    options.seed = work->seed;
    options.epochs = 12;
    options.validation_split = 0.2;
    snprintf(path, sizeof path, "%s/%zu-%zu", folder, work->filters, work->threads);
    TRUE(mnist_model_set_threads(model, work->threads, NULL) == MNIST_OK);
    TRUE(mnist_model_compile(model, NULL, NULL) == MNIST_OK);
    TRUE(mnist_model_fit(model, data, &options, NULL, NULL) == MNIST_OK);
    work->weights = ask(model, WEIGHTS, NULL, path);
    work->whole = ask(model, WHOLE, NULL, path);
    work->predicted = ask(model, PREDICT_DATASET, data, NULL);
    mnist_model_free(model);
    work->model = NULL;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    folder = argv[1];
    error = mnist_error_new();
    data = noise(PROBES, 8);
    /* The last one is large enough for Winograd's convolutions, and for a dense layer in two parts. */
    const struct work works[MODELS] = {{4, 1, 5, 1, NULL, 0, 0, 0},
                                       {4, 2, 5, 2, NULL, 0, 0, 0},
                                       {5, 2, 8, 3, NULL, 0, 0, 0},
                                       {20, 3, 32, 4, NULL, 0, 0, 0}};
    struct work alone[MODELS], together[MODELS];
    for (int i = 0; i < MODELS; i++) {
        prepare(&alone[i], &works[i]);
        train(&alone[i]);
    }
    TRUE(alone[0].weights != alone[1].weights); /* only the seed makes them differ */
    for (int round = 0; round < atoi(argv[2]); round++) {
        pthread_t threads[MODELS];
        for (int i = 0; i < MODELS; i++)
            prepare(&together[i], &works[i]);
        for (int i = 0; i < MODELS; i++)
            TRUE(pthread_create(&threads[i], NULL, train, &together[i]) == 0);
        for (int i = 0; i < MODELS; i++)
            TRUE(pthread_join(threads[i], NULL) == 0);
        for (int i = 0; i < MODELS; i++)
            TRUE(alone[i].weights == together[i].weights && alone[i].whole == together[i].whole
                 && alone[i].predicted == together[i].predicted);
    }
    mnist_dataset_free(data);
    return report();
}
