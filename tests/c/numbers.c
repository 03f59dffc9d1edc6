/* NaN and infinity: a fit that diverges reports where and restores finite weights. The host's floating-point settings
 * neither change a result nor are changed. The argument is a folder for files. */

#include "expect.h"
#include "folder.h"

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

enum { SIDE = 8, PIXELS = SIDE * SIDE, STEPS = 300 };

static mnist_model *small(void)
{
    mnist_model *model = network(SIDE, 2, 8);
    WORKS(mnist_model_set_threads(model, 1, error));
    return model;
}

/* Whether the weights have the same bits, by comparing files. */
static int same_weights(const mnist_model *a, const mnist_model *b)
{
    WORKS(mnist_model_save_weights(a, in("a"), error));
    WORKS(mnist_model_save_weights(b, in("b"), error));
    return file_size(in("a")) > 1000 && same_files(in("a"), in("b"));
}

static void compile(mnist_model *model, double learning_rate)
{
    mnist_compile_options options;
    mnist_compile_options_init(&options, sizeof options);
    options.learning_rate = learning_rate;
    WORKS(mnist_model_compile(model, &options, error));
}

static void diverges(const char *needle, mnist_status got)
{
    expect_status(__LINE__, "fit", got, MNIST_DIVERGED, needle);
    TRUE(strstr(mnist_error_message(error), "expected a finite number, found ") != NULL);
}

static void a_learning_rate_that_is_too_large(void)
{
    mnist_model *model = small(), *untouched = small();
    mnist_dataset *data = noise(128, SIDE);
    mnist_history *history = NULL;
    mnist_metrics metrics;
    double loss = NAN;
    mnist_fit_options options = quiet();
    options.epochs = 3;
    compile(model, 1e30);
    diverges("epoch 1: step 2: layer conv2d_1: output: ", mnist_model_fit(model, data, &options, &history, error));
    TRUE(strstr(mnist_error_message(error), "last good weights") != NULL);
    TRUE(mnist_history_epochs(history) == 1);
    WORKS(mnist_history_get(history, "loss", 0, &loss, error));
    TRUE(isfinite(loss));
    TRUE(same_weights(model, untouched));
    WORKS(mnist_model_evaluate(model, data, NULL, &metrics, error));
    TRUE(isfinite(metrics.loss));
    mnist_history_free(history);
    /* Like Keras: the fit continues to the end, and the weights are lost. */
    options.terminate_on_nan = 0;
    diverges("epoch 1: step 2: layer conv2d_1: output: ", mnist_model_fit(model, data, &options, &history, error));
    TRUE(mnist_history_epochs(history) == 3);
    WORKS(mnist_history_get(history, "loss", 2, &loss, error));
    TRUE(isnan(loss));
    WORKS(mnist_model_evaluate(model, data, NULL, &metrics, error));
    TRUE(!isfinite(metrics.loss));
    mnist_history_free(history);
    /* A step alone tells as much. */
    compile(untouched, 1e30);
    WORKS(mnist_model_train_on_batch(untouched, data, &metrics, error));
    diverges("epoch 1: step 1: layer ", mnist_model_train_on_batch(untouched, data, &metrics, error));
    mnist_model_free(model);
    mnist_model_free(untouched);
    mnist_dataset_free(data);
}

/* One image per step; the last one has a pixel that makes every sum overflow. */
static mnist_dataset *one_bad_image(void)
{
    static float pixels[STEPS * PIXELS];
    static uint8_t labels[STEPS];
    const size_t dims[3] = {STEPS, SIDE, SIDE};
    mnist_dataset *data = NULL;
    uint32_t state = 7;
    for (size_t i = 0; i < STEPS * PIXELS; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (float)(state >> 24) / 255.0f;
    }
    for (size_t i = 0; i < STEPS; i++)
        labels[i] = (uint8_t)(i % 10);
    for (size_t i = 0; i < PIXELS; i++)
        pixels[(STEPS - 1) * PIXELS + i] = 3e38f;
    WORKS(mnist_dataset_from_f32(pixels, dims, 3, labels, &data, error));
    return data;
}

struct seen {
    const mnist_model *model;
    float probe[PIXELS], answers[STEPS][10];
    size_t steps;
};

static int32_t note(void *user_data, const mnist_progress *progress)
{
    struct seen *seen = user_data;
    TRUE(progress->batch == seen->steps && isfinite(progress->loss));
    TRUE(mnist_model_predict(seen->model, seen->probe, 1, seen->answers[seen->steps++], 10, NULL) == MNIST_OK);
    return 0;
}

static void late_in_a_fit(void)
{
    static struct seen seen;
    float answer[10];
    size_t at = 0;
    mnist_model *model = small(), *loaded = NULL;
    mnist_dataset *data = one_bad_image(), *good = NULL;
    mnist_metrics metrics;
    mnist_fit_options options = quiet();
    const char *checkpoint = in("checkpoint");
    for (size_t i = 0; i < PIXELS; i++)
        seen.probe[i] = (float)i / PIXELS;
    seen.model = model;
    options.batch_size = 1;
    options.shuffle = 0;
    options.user_data = &seen;
    options.on_batch_end = note;
    options.checkpoint_path = checkpoint;
    options.checkpoint_batches = 50;
    compile(model, 0.001);
    diverges("epoch 1: step 300: layer conv2d: output: ", mnist_model_fit(model, data, &options, NULL, error));
    TRUE(seen.steps == STEPS - 1);
    /* The model has the weights of one of the 128 steps before. */
    WORKS(mnist_model_predict(model, seen.probe, 1, answer, 10, error));
    while (at < seen.steps && memcmp(answer, seen.answers[at], sizeof answer) != 0)
        at++;
    TRUE(at < seen.steps && seen.steps - at <= 128);
    /* The file is from before, too. */
    WORKS(mnist_model_load(checkpoint, &loaded, error));
    WORKS(mnist_model_predict(loaded, seen.probe, 1, answer, 10, error));
    TRUE(memcmp(answer, seen.answers[249], sizeof answer) == 0);
    WORKS(mnist_dataset_slice(data, 0, STEPS - 1, &good, error));
    WORKS(mnist_model_evaluate(model, good, NULL, &metrics, error));
    TRUE(isfinite(metrics.loss));
    options.on_batch_end = NULL;
    options.checkpoint_path = NULL;
    options.checkpoint_batches = 0;
    WORKS(mnist_model_fit(model, good, &options, NULL, error));
    mnist_model_free(loaded);
    mnist_model_free(model);
    mnist_dataset_free(data);
    mnist_dataset_free(good);
}

static void weights_that_are_none(void)
{
    const float infinite = INFINITY;
    mnist_model *model = small(), *same = small();
    mnist_dataset *data = noise(64, SIDE);
    mnist_fit_options options = quiet();
    WORKS(mnist_model_save_weights(model, in("w"), error));
    TRUE(file_size(in("w")) > 1000);
    FILE *file = fopen(in("w"), "r+b");
    TRUE(file && fseek(file, -(long)sizeof infinite, SEEK_END) == 0);
    TRUE(fwrite(&infinite, sizeof infinite, 1, file) == 1);
    fclose(file);
    WORKS(mnist_model_load_weights(model, in("w"), error));
    WORKS(mnist_model_load_weights(same, in("w"), error));
    compile(model, 0.001);
    diverges("epoch 1: step 1: layer dense", mnist_model_fit(model, data, &options, NULL, error));
    TRUE(strstr(mnist_error_message(error), "found inf") && !strstr(mnist_error_message(error), "good weights"));
    TRUE(same_weights(model, same));
    mnist_model_free(model);
    mnist_model_free(same);
    mnist_dataset_free(data);
}

#ifdef __x86_64__
/* A whole fit under settings that would change every bit, and raise a signal at the first rounding. */
static void settings_of_the_host(void)
{
    enum { FLUSH = 0x8040, TOWARD_ZERO = 0x6000, FLAGS = 0x3f };
    const unsigned standard = _mm_getcsr();
    mnist_model *models[2] = {small(), small()};
    mnist_dataset *sets[2] = {NULL, NULL};
    mnist_metrics metrics[2];
    mnist_fit_options options = quiet();
    for (int i = 0; i < 2; i++) {
        compile(models[i], 0.001);
        _mm_setcsr(i == 0 ? standard : FLUSH | TOWARD_ZERO); /* no exception is masked: each raises a signal */
        const unsigned before = _mm_getcsr();
        sets[i] = noise(64, SIDE);
        mnist_status status = mnist_model_set_threads(models[i], 2, error);
        if (status == MNIST_OK)
            status = mnist_model_fit(models[i], sets[i], &options, NULL, error);
        if (status == MNIST_OK)
            status = mnist_model_evaluate(models[i], sets[i], NULL, &metrics[i], error);
        const unsigned after = _mm_getcsr();
        _mm_setcsr(standard);
        WORKS(status);
        TRUE((before & ~FLAGS) == (after & ~FLAGS));
    }
    TRUE(memcmp(&metrics[0], &metrics[1], sizeof metrics[0]) == 0);
    TRUE(same_weights(models[0], models[1]));
    for (int i = 0; i < 2; i++) {
        mnist_model_free(models[i]);
        mnist_dataset_free(sets[i]);
    }
}
#endif

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    folder = arguments[1];
    error = mnist_error_new();
    a_learning_rate_that_is_too_large();
    late_in_a_fit();
    weights_that_are_none();
#ifdef __x86_64__
    settings_of_the_host();
#endif
    return report();
}
