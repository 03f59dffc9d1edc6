/* Datasets: their sources, what belongs to each sample, the operations on them, and that a failed call creates none. */

#define _GNU_SOURCE

#include "expect.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 6, FEATURES = 4 };

static float samples[N * FEATURES];
static const size_t flat[2] = {N, FEATURES};

static mnist_array array(const void *numbers, mnist_dtype dtype, size_t rank, const size_t *sizes)
{
    return (mnist_array){numbers, dtype, rank, sizes};
}

/* A dataset of the samples with the other arguments; NULL if the call fails. */
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
    NOT_MADE(INVALID_ARGUMENT, "argument `sample_weight`: sample 2: not a valid sample weight: expected 0 or more", &y, &w);
    w = array(bad, MNIST_DTYPE_F32, 2, by_2);
    NOT_MADE(SHAPE, "argument `sample_weight`: not one number for each sample", &y, &w);

    data = MADE(NULL, NULL);
    FAILS(INVALID_ARGUMENT, "the dataset has neither labels nor targets", mnist_dataset_labels(data, labels, N, error));
    WORKS(mnist_dataset_image(data, 3, one, FEATURES, NULL, error));
    TRUE(memcmp(one, samples + 3 * FEATURES, sizeof one) == 0);
    mnist_dataset_free(data);
}

/* Calls that need labels fail; the others work. */
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

/* The model after a fit of two epochs with this dataset. */
static mnist_status fitted(const mnist_dataset *data, const char *checkpoint, int resume, float *weights, size_t *len)
{
    mnist_model *model = network(8, 2, 4);
    mnist_fit_options options = quiet();
    options.batch_size = 7;
    options.epochs = 2;
    options.validation_split = 0.25;
    options.checkpoint_path = checkpoint;
    options.resume = resume;
    WORKS(mnist_model_compile(model, NULL, error));
    const mnist_status status = mnist_model_fit(model, data, &options, NULL, error);
    mnist_error *none = mnist_error_new();
    if (mnist_model_predict_dataset(model, data, weights, *len, none) != MNIST_OK)
        *len = 0;
    mnist_error_free(none);
    mnist_model_free(model);
    return status;
}

enum { SAMPLES = 40, PIXELS = 64 };

/* The source: an image of `noise`, by its index. */
static struct {
    float pixels[SAMPLES][PIXELS];
    uint32_t labels[SAMPLES];
    int calls, bad, wrong_label;
    int fork; /* whether to fork */
} kept;

static int32_t fetch(void *user, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    TRUE(user == &kept && count > 0 && targets == NULL);
    kept.calls++;
    if (kept.fork && fork() == 0)
        return 0; /* the child: its call must end with an error */
    for (size_t i = 0; i < count; i++) {
        if ((int)indices[i] == kept.bad)
            return 5;
        memcpy(x + PIXELS * i, kept.pixels[indices[i]], sizeof kept.pixels[0]);
        labels[i] = (int)indices[i] == kept.wrong_label ? 10 : kept.labels[indices[i]];
    }
    return 0;
}

static mnist_source source_of(const char *identity)
{
    static const size_t sizes[2] = {8, 8};
    mnist_source source;
    mnist_source_init(&source, sizeof source);
    source.len = SAMPLES;
    source.rank = 2;
    source.dims = sizes;
    source.fetch = fetch;
    source.user = &kept;
    source.identity = identity;
    return source;
}

static void sources(void)
{
    static float here[SAMPLES * 10], there[SAMPLES * 10];
    static const size_t none[2] = {8, 0};
    mnist_dataset *memory = noise(SAMPLES, 8), *data = NULL, *nameless = NULL, *part = NULL;
    mnist_source source = source_of("noise");
    mnist_metrics metrics[2];
    float found[PIXELS];
    uint32_t label;
    size_t len = SAMPLES * 10;
    kept.bad = kept.wrong_label = -1;
    for (size_t i = 0; i < SAMPLES; i++)
        WORKS(mnist_dataset_image(memory, i, kept.pixels[i], PIXELS, &kept.labels[i], error));
    WORKS(mnist_dataset_from_source(&source, &data, error));
    TRUE(kept.calls == 0 && mnist_dataset_len(data) == SAMPLES && mnist_dataset_dtype(data) == MNIST_DTYPE_F32);

    /* The same bits for every way to provide the samples. */
    for (int changed = 0; changed < 2; changed++) {
        WORKS(fitted(memory, NULL, 0, here, &len));
        WORKS(fitted(data, NULL, 0, there, &len));
        TRUE(len == SAMPLES * 10 && memcmp(here, there, sizeof here) == 0);
        mnist_model *model = network(8, 2, 4);
        WORKS(mnist_model_evaluate(model, memory, NULL, &metrics[0], error));
        WORKS(mnist_model_evaluate(model, data, NULL, &metrics[1], error));
        TRUE(memcmp(&metrics[0], &metrics[1], sizeof metrics[0]) == 0);
        mnist_model_free(model);
        mnist_dataset *both[2] = {memory, data};
        float mean[2], deviation[2];
        for (int i = 0; i < 2; i++) {
            WORKS(mnist_dataset_shuffle(both[i], 3, error));
            WORKS(mnist_dataset_transpose(both[i], error));
            WORKS(mnist_dataset_statistics(both[i], &mean[i], &deviation[i], 1, error));
            WORKS(mnist_dataset_standardize(both[i], &mean[i], &deviation[i], 1, error));
        }
        TRUE(memcmp(mean, mean + 1, sizeof *mean) == 0 && memcmp(deviation, deviation + 1, sizeof *mean) == 0);
    }
    WORKS(mnist_dataset_slice(data, 5, 3, &part, error));
    WORKS(mnist_dataset_image(memory, 6, here, PIXELS, &label, error));
    WORKS(mnist_dataset_image(part, 1, found, PIXELS, &kept.labels[0], error));
    TRUE(memcmp(here, found, sizeof found) == 0 && label == kept.labels[0]);
    FAILS(INVALID_ARGUMENT, "a source's labels and targets", mnist_dataset_labels(data, kept.labels, SAMPLES, error));
    mnist_dataset_free(part);
    mnist_dataset_free(memory);
    mnist_dataset_free(data);

    /* An error of the source is reported and ends the call. */
    WORKS(mnist_dataset_from_source(&source, &data, error));
    kept.bad = 3;
    expect_status(__LINE__, "fit", fitted(data, NULL, 0, here, &len), MNIST_ERROR_IO, "of the source: the source failed to give samples: expected 0, found 5");
    kept.bad = -1;
    kept.wrong_label = 4;
    expect_status(__LINE__, "fit", fitted(data, NULL, 0, here, &len), MNIST_ERROR_INVALID_ARGUMENT, "sample 4 of the source: a label that is not below the number of classes");
    kept.wrong_label = -1;
    kept.pixels[9][11] = INFINITY;
    expect_status(__LINE__, "fit", fitted(data, NULL, 0, here, &len), MNIST_ERROR_INVALID_ARGUMENT, "sample 9 of the source: pixel [1, 3, 0]");
    kept.pixels[9][11] = 0;

    /* Checkpoints recognize a source by its identity. */
    len = SAMPLES * 10;
    WORKS(fitted(data, "checkpoint", 0, here, &len));
    WORKS(fitted(data, "checkpoint", 1, there, &len));
    TRUE(memcmp(here, there, sizeof here) == 0);
    source.identity = "other noise";
    WORKS(mnist_dataset_from_source(&source, &nameless, error));
    expect_status(__LINE__, "resume", fitted(nameless, "checkpoint", 1, here, &len), MNIST_ERROR_INVALID_ARGUMENT, "fingerprint");
    mnist_dataset_free(nameless);
    source.identity = NULL;
    WORKS(mnist_dataset_from_source(&source, &nameless, error));
    expect_status(__LINE__, "resume", fitted(nameless, "checkpoint", 1, here, &len), MNIST_ERROR_INVALID_ARGUMENT, "without an identity");
    mnist_dataset_free(nameless);

    /* A child that is forked in the source. */
    kept.fork = 1;
    const pid_t parent = getpid();
    const mnist_status status = fitted(data, NULL, 0, here, &len);
    if (getpid() != parent)
        _exit(status != MNIST_ERROR_STATE && len != 0); /* the fit has failed there, or the prediction */
    kept.fork = 0;
    TRUE(status == MNIST_OK);
    for (int ended; wait(&ended) > 0;)
        TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    mnist_dataset_free(data);

    FAILS(INVALID_ARGUMENT, "argument `source`: is NULL", mnist_dataset_from_source(NULL, &data, error));
    source.fetch = NULL;
    FAILS(INVALID_ARGUMENT, "field `fetch` of argument `source`: is NULL", mnist_dataset_from_source(&source, &data, error));
    source.fetch = fetch;
    source.dims = none;
    FAILS(SHAPE, "argument `source`: sizes that are 0", mnist_dataset_from_source(&source, &data, error));
    source.rank = 4;
    FAILS(SHAPE, "rank", mnist_dataset_from_source(&source, &data, error));
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    TRUE(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void tables(void)
{
    mnist_dataset *data = NULL;
    uint32_t labels[3];
    size_t shape[2];
    float pixels[4];
    write_text("train.csv", "label,pixel0,pixel1,pixel2,pixel3\n9,0,1,2,255\n300,4,5,6,7\n");
    WORKS(mnist_dataset_from_csv("train.csv", "label", &data, error));
    TRUE(mnist_dataset_shape(data, shape, 2) == 2 && shape[0] == 2 && shape[1] == 4);
    TRUE(mnist_dataset_dtype(data) == MNIST_DTYPE_U8 && mnist_dataset_class_name(data, 0) == NULL);
    WORKS(mnist_dataset_labels(data, labels, 2, error));
    TRUE(labels[0] == 9 && labels[1] == 300);
    WORKS(mnist_dataset_reshape(data, (const size_t[]){2, 2}, 2, error));
    WORKS(mnist_dataset_transpose(data, error));
    WORKS(mnist_dataset_image(data, 0, pixels, 4, labels, error));
    TRUE(pixels[0] == 0 && pixels[1] == 2 && pixels[2] == 1 && pixels[3] == 255);
    mnist_dataset_free(data);
    FAILS(NOT_FOUND, "train.csv: line 1: no such column: expected one of label, pixel0",
          mnist_dataset_from_csv("train.csv", "lable", &data, error));
    write_text("iris.csv", "5.1,setosa\r\n6,virginica\r\n4.9,setosa\r\n\r\n");
    WORKS(mnist_dataset_from_csv("iris.csv", "1", &data, error));
    WORKS(mnist_dataset_labels(data, labels, 3, error));
    TRUE(labels[0] == 0 && labels[1] == 1 && labels[2] == 0 && mnist_dataset_class_name(data, 2) == NULL);
    TRUE(strcmp(mnist_dataset_class_name(data, 1), "virginica") == 0);
    mnist_dataset_free(data);
    FAILS(FORMAT, "iris.csv: line 2: column 1 (setosa): not a number: expected a finite number, found `virginica`",
          mnist_dataset_from_csv("iris.csv", NULL, &data, error));
    FAILS(FORMAT, "is empty", (write_text("empty.csv", ""), mnist_dataset_from_csv("empty.csv", NULL, &data, error)));
}

/* Operations that make no sense for a dataset are refused and change nothing. */
static void transforms(void)
{
    const mnist_array x = array(samples, MNIST_DTYPE_F32, 2, flat);
    float mean[4], deviation[4], one[4];
    mnist_dataset *data = NULL;
    WORKS(mnist_dataset_new(&x, NULL, NULL, &data, error));
    FAILS(SHAPE, "the images have no height and width", mnist_dataset_transpose(data, error));
    FAILS(SHAPE, "the images have no channels", mnist_dataset_channels_last(data, error));
    FAILS(SHAPE, "argument `len`: neither one number", mnist_dataset_statistics(data, mean, deviation, 3, error));
    FAILS(SHAPE, "expected 1 or 4, found 2", mnist_dataset_standardize(data, mean, deviation, 2, error));
    WORKS(mnist_dataset_statistics(data, mean, deviation, 4, error));
    TRUE(mean[0] == 1.25f && mean[3] == 1.625f && fabsf(deviation[1] - 0.85391256f) < 1e-6f);
    WORKS(mnist_dataset_standardize(data, mean, deviation, 4, error));
    WORKS(mnist_dataset_image(data, 0, one, 4, NULL, error));
    TRUE(one[2] == (samples[2] - mean[2]) / deviation[2]);
    WORKS(mnist_dataset_reshape(data, (const size_t[]){2, 1, 2}, 3, error));
    WORKS(mnist_dataset_channels_last(data, error));
    WORKS(mnist_dataset_image(data, 0, one, 4, NULL, error));
    TRUE(one[1] == (samples[2] - mean[2]) / deviation[2]);
    mnist_dataset_free(data);
}

int main(void)
{
    error = mnist_error_new();
    for (size_t i = 0; i < N * FEATURES; i++)
        samples[i] = (float)i / 8;
    targets();
    labels_and_weights();
    to_predict();
    transforms();
    tables();
    sources();
    return report();
}
