/* Read-only calls on a model while it trains; each result is reduced to a hash of all its bits. */

#ifndef ASKING_H
#define ASKING_H

#include "expect.h"
#include "hash.h"

enum question { PREDICT, PREDICT_DATASET, EVALUATE, SUMMARY, WEIGHTS, WHOLE, QUESTIONS };

/* The number of images: more than the library runs through the network at once. */
#define PROBES 40

/* Replaces fsync, also for the library: the many files here need not survive a crash. */
int fsync(int file)
{
    (void)file;
    return 0;
}

static uint64_t hash_of_file(const char *path)
{
    static const size_t block = 1 << 16;
    unsigned char *bytes = malloc(block);
    uint64_t sum = HASH_OF_NOTHING;
    FILE *file = fopen(path, "rb");
    TRUE(file != NULL);
    for (size_t len; file && (len = fread(bytes, 1, block, file)) > 0;)
        sum = hash(sum, bytes, len);
    if (file)
        fclose(file);
    free(bytes);
    return sum;
}

static void add_to_hash(void *sum, const char *text, size_t len)
{
    *(uint64_t *)sum = hash(*(uint64_t *)sum, text, len);
}

/* The result of a call with `probes`, a dataset of PROBES images 8 x 8; `path` is a file to use. */
static uint64_t ask(const mnist_model *model, enum question question, const mnist_dataset *probes, const char *path)
{
    float images[PROBES * 64], p[PROBES * 10];
    mnist_metrics metrics;
    mnist_status status = MNIST_OK;
    uint64_t sum = HASH_OF_NOTHING;
    switch (question) {
    case PREDICT:
        for (size_t i = 0; i < PROBES; i++)
            TRUE(mnist_dataset_image(probes, i, images + 64 * i, 64, NULL, NULL) == MNIST_OK);
        status = mnist_model_predict(model, images, PROBES, p, PROBES * 10, NULL);
        sum = hash(sum, p, sizeof p);
        break;
    case PREDICT_DATASET:
        status = mnist_model_predict_dataset(model, probes, p, PROBES * 10, NULL);
        sum = hash(sum, p, sizeof p);
        break;
    case EVALUATE:
        status = mnist_model_evaluate(model, probes, NULL, &metrics, NULL);
        sum = hash(sum, &metrics, sizeof metrics);
        break;
    case SUMMARY:
        status = mnist_model_summary(model, add_to_hash, &sum, NULL);
        break;
    case WEIGHTS:
        status = mnist_model_save_weights(model, path, NULL);
        sum = hash_of_file(path);
        break;
    default:
        status = mnist_model_save(model, path, NULL);
        sum = hash_of_file(path);
        break;
    }
    TRUE(status == MNIST_OK);
    return sum;
}

#endif
