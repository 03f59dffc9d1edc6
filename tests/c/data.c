/* Datasets: what they are made of, what belongs to each sample, and that a call that fails makes none. */

#include "expect.h"

enum { N = 6, FEATURES = 4 };

static float samples[N * FEATURES];
static const size_t flat[2] = {N, FEATURES};

static mnist_array array(const void *numbers, mnist_dtype dtype, size_t rank, const size_t *sizes)
{
    return (mnist_array){numbers, dtype, rank, sizes};
}

/* A dataset of the samples and what is given besides; NULL when it cannot be made. */
static mnist_dataset *made(int line, const mnist_array *y, const mnist_array *weight, mnist_status status, const char *needle)
{
    const mnist_array x = array(samples, MNIST_DTYPE_F32, 2, flat);
    mnist_dataset *data = NULL;
    expect_status(line, "mnist_dataset_new", mnist_dataset_new(&x, y, weight, &data, error), status, needle);
    expect_true(line, "made or not", (data != NULL) == (status == MNIST_OK));
    return data;
}
#define MADE(y, weight) made(__LINE__, y, weight, MNIST_OK, "")
#define NOT_MADE(status, needle, y, weight) (void)made(__LINE__, y, weight, MNIST_ERROR_##status, needle)

static void targets(void)
{
    static const double column[N] = {0.5, -1, 2, 3, 4, 5}, wrong[N + 1] = {0};
    static const uint8_t one_hot[N * 3] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const size_t by_3[2] = {N, 3}, by_1[2] = {N, 1}, images[4] = {N, 2, 2, 1}, more[1] = {N + 1}, none[2] = {N, 0};
    float found[N * FEATURES];
    uint32_t labels[N];
    size_t shape[3] = {7, 7, 7};
    mnist_array y = array(column, MNIST_DTYPE_F64, 1, by_1);
    mnist_dataset *data = MADE(&y, NULL);
    TRUE(mnist_dataset_target_shape(data, shape, 3) == 1 && shape[0] == 1 && shape[1] == 7);
    WORKS(mnist_dataset_targets(data, found, N, error));
    TRUE(found[0] == 0.5f && found[1] == -1.0f && found[5] == 5.0f);
    FAILS(INVALID_ARGUMENT, "argument `capacity`: too small: expected 6 or more", mnist_dataset_targets(data, found, N - 1, error));
    FAILS(INVALID_ARGUMENT, "the dataset has targets, not labels", mnist_dataset_labels(data, labels, N, error));
    FAILS(INVALID_ARGUMENT, "the dataset has targets, not labels", mnist_dataset_image(data, 0, found, 4, labels, error));
    WORKS(mnist_dataset_image(data, 0, found, 4, NULL, error));
    size_t count;
    FAILS(INVALID_ARGUMENT, "the dataset has targets, not labels", mnist_dataset_unique_labels(data, NULL, 0, &count, error));

    mnist_dataset *slice = NULL;
    WORKS(mnist_dataset_slice(data, 2, 3, &slice, error));
    mnist_dataset_free(data);
    WORKS(mnist_dataset_targets(slice, found, 3, error));
    TRUE(found[0] == 2.0f && found[2] == 4.0f);
    mnist_dataset_free(slice);

    y = array(one_hot, MNIST_DTYPE_U8, 2, by_3);
    data = MADE(&y, NULL);
    WORKS(mnist_dataset_targets(data, found, N * 3, error));
    TRUE(mnist_dataset_target_shape(data, shape, 3) == 1 && shape[0] == 3 && found[4] == 1.0f && found[5] == 0.0f);
    mnist_dataset_free(data);

    y = array(samples, MNIST_DTYPE_F32, 4, images);
    data = MADE(&y, NULL);
    TRUE(mnist_dataset_target_shape(data, shape, 2) == 3 && shape[0] == 2 && shape[1] == 2);
    WORKS(mnist_dataset_targets(data, found, N * FEATURES, error));
    TRUE(memcmp(found, samples, sizeof samples) == 0);
    mnist_dataset_free(data);

    y = array(wrong, MNIST_DTYPE_F64, 1, more);
    NOT_MADE(SHAPE, "argument `y`: samples and targets of different lengths", &y, NULL);
    y = array(wrong, MNIST_DTYPE_F64, 2, none);
    NOT_MADE(SHAPE, "argument `y`: sizes that are 0", &y, NULL);
    y = array(one_hot, MNIST_DTYPE_U8, 1, more);
    NOT_MADE(SHAPE, "argument `y`: images and labels of different lengths", &y, NULL);
    static const int32_t negative[N] = {0, 1, -1};
    y = array(negative, MNIST_DTYPE_I32, 1, flat);
    NOT_MADE(INVALID_ARGUMENT, "argument `y`: label 2: a label is out of range", &y, NULL);
}

static void labels_and_weights(void)
{
    static const int64_t many[N] = {0, 300, 70000, 4294967295, 1, 0};
    static const size_t by_1[2] = {N, 1}, by_2[2] = {N / 2, 2};
    static const uint8_t weight[N] = {0, 1, 2, 0, 1, 255};
    static const float bad[N] = {1, 1, -0.5f, 1, 1, 1};
    uint32_t labels[N];
    float found[N], one[FEATURES];
    const mnist_array y = array(many, MNIST_DTYPE_I64, 2, by_1);
    mnist_array w = array(weight, MNIST_DTYPE_U8, 1, flat);
    mnist_dataset *data = MADE(&y, &w);
    WORKS(mnist_dataset_labels(data, labels, N, error));
    TRUE(labels[1] == 300 && labels[2] == 70000 && labels[3] == UINT32_MAX);
    TRUE(mnist_dataset_target_shape(data, NULL, 0) == 0);
    FAILS(INVALID_ARGUMENT, "the dataset has labels, not targets", mnist_dataset_targets(data, found, N, error));
    WORKS(mnist_dataset_weights(data, found, N, error));
    TRUE(found[0] == 0.0f && found[2] == 2.0f && found[5] == 255.0f);
    mnist_dataset_free(data);

    data = MADE(&y, NULL);
    WORKS(mnist_dataset_weights(data, found, N, error));
    TRUE(found[0] == 1.0f && found[5] == 1.0f);
    FAILS(INVALID_ARGUMENT, "argument `capacity`", mnist_dataset_weights(data, found, N - 1, error));
    mnist_dataset_free(data);

    w = array(bad, MNIST_DTYPE_F32, 1, flat);
    NOT_MADE(INVALID_ARGUMENT, "argument `sample_weight`: sample 2: no weight of a sample: expected 0 or more", &y, &w);
    w = array(bad, MNIST_DTYPE_F32, 2, by_2);
    NOT_MADE(SHAPE, "argument `sample_weight`: not one number for each sample", &y, &w);

    data = MADE(NULL, NULL);
    FAILS(INVALID_ARGUMENT, "the dataset has neither labels nor targets", mnist_dataset_labels(data, labels, N, error));
    WORKS(mnist_dataset_image(data, 3, one, FEATURES, NULL, error));
    TRUE(memcmp(one, samples + 3 * FEATURES, sizeof one) == 0);
    mnist_dataset_free(data);
}

/* What needs labels says so; what needs none does its work. */
static void to_predict(void)
{
    mnist_model *model = network(8, 2, 4);
    mnist_dataset *all = noise(12, 8), *data = NULL;
    static float pixels[12 * 64], labelled[120], bare[120];
    static const size_t sizes[3] = {12, 8, 8};
    const mnist_fit_options options = quiet();
    mnist_metrics metrics;
    for (size_t i = 0; i < 12; i++)
        WORKS(mnist_dataset_image(all, i, pixels + 64 * i, 64, NULL, error));
    const mnist_array x = array(pixels, MNIST_DTYPE_F32, 3, sizes);
    WORKS(mnist_dataset_new(&x, NULL, NULL, &data, error));
    WORKS(mnist_model_predict_dataset(model, all, labelled, 120, error));
    WORKS(mnist_model_predict_dataset(model, data, bare, 120, error));
    TRUE(memcmp(labelled, bare, sizeof bare) == 0);
    WORKS(mnist_model_compile(model, NULL, error));
    FAILS(INVALID_ARGUMENT, "argument `dataset`: the dataset has neither labels nor targets: expected labels",
          mnist_model_fit(model, data, &options, NULL, error));
    FAILS(INVALID_ARGUMENT, "neither labels nor targets", mnist_model_evaluate(model, data, NULL, &metrics, error));
    mnist_dataset_free(all);
    mnist_dataset_free(data);
    mnist_model_free(model);
}

int main(void)
{
    error = mnist_error_new();
    for (size_t i = 0; i < N * FEATURES; i++)
        samples[i] = (float)i / 8;
    targets();
    labels_and_weights();
    to_predict();
    return report();
}
