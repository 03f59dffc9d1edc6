/* The confusion matrix: its counts, their agreement with the accuracy and with predict, and which calls fill it. */

#include "expect.h"

#define SAMPLES 203

static int argmax(const float *row)
{
    int best = 0;
    for (int i = 1; i < 10; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

/* The expected matrix, computed from the predictions. */
static void count_all(const mnist_model *model, const mnist_dataset *data, uint64_t *counts)
{
    static float p[SAMPLES * 10], pixels[64];
    memset(counts, 0, 100 * sizeof *counts);
    WORKS(mnist_model_predict_dataset(model, data, p, SAMPLES * 10, error));
    for (size_t i = 0; i < SAMPLES; i++) {
        uint32_t label;
        WORKS(mnist_dataset_image(data, i, pixels, 64, &label, error));
        counts[label * 10 + (uint32_t)argmax(p + i * 10)]++;
    }
}

static void agrees(const mnist_model *model, const mnist_dataset *data, size_t batch_size)
{
    uint64_t expected[100], counts[102], sum = 0, right = 0;
    mnist_metrics metrics, without;
    mnist_evaluate_options options;
    mnist_evaluate_options_init(&options, sizeof options);
    TRUE(options.confusion == NULL && options.confusion_capacity == 0);
    options.batch_size = batch_size;
    WORKS(mnist_model_evaluate(model, data, &options, &without, error));
    memset(counts, 0xff, sizeof counts); /* must be overwritten, without writing past the end */
    options.confusion = counts;
    options.confusion_capacity = 102;
    WORKS(mnist_model_evaluate(model, data, &options, &metrics, error));
    count_all(model, data, expected);
    TRUE(memcmp(counts, expected, sizeof expected) == 0);
    TRUE(counts[100] == UINT64_MAX && counts[101] == UINT64_MAX);
    for (size_t i = 0; i < 100; i++) {
        sum += counts[i];
        right += i % 11 == 0 ? counts[i] : 0;
    }
    TRUE(sum == SAMPLES && (double)right / (double)sum == metrics.accuracy);
    TRUE(memcmp(&metrics, &without, sizeof metrics) == 0);
}

/* A program built with an older, shorter options struct. */
static void older_options(const mnist_model *model, const mnist_dataset *data)
{
    mnist_metrics metrics;
    mnist_evaluate_options options;
    mnist_evaluate_options_init(&options, sizeof options);
    options.struct_size = offsetof(mnist_evaluate_options, confusion);
    options.confusion = (uint64_t *)data; /* beyond its struct, and ignored */
    options.confusion_capacity = SIZE_MAX;
    WORKS(mnist_model_evaluate(model, data, &options, &metrics, error));
    TRUE(mnist_dataset_len(data) == SAMPLES);
}

int main(void)
{
    error = mnist_error_new();
    mnist_dataset *data = noise(SAMPLES, 8);
    mnist_model *model = network(8, 4, 16);
    mnist_fit_options options = quiet();
    agrees(model, data, 32);
    WORKS(mnist_model_compile(model, NULL, error));
    options.epochs = 15;
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    agrees(model, data, 1);
    agrees(model, data, 50);
    agrees(model, data, 1000);
    older_options(model, data);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
