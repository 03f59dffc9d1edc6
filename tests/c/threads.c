/* Who may do what at the same time: callbacks, cancel, busy, predict while another thread trains. */

#include "expect.h"

#include <pthread.h>
#include <signal.h>

static mnist_model *model;
static mnist_dataset *data;
static volatile int running, finished;

/* Writes go into a text. */
static char text[1 << 16];
static void collect(void *user_data, const char *piece, size_t len)
{
    size_t used = strlen(text);
    TRUE(user_data == text && piece[len] == '\0' && strlen(piece) == len);
    if (used + len < sizeof text)
        memcpy(text + used, piece, len + 1);
}

struct seen {
    int begins, batches, ends;
};

static int32_t on_begin(void *user_data, const mnist_progress *progress)
{
    TRUE(progress->batch == 0 && isnan(progress->loss) && isnan(progress->val_loss));
    ((struct seen *)user_data)->begins++;
    return 0;
}

static int32_t on_batch(void *user_data, const mnist_progress *progress)
{
    float pixels[64] = {0}, p[10];
    struct seen *seen = user_data;
    seen->batches++;
    TRUE(progress->batches == 3 && progress->epochs == 2 && progress->loss > 0 && isnan(progress->val_loss));
    /* Const functions may be called from here, the others are told to wait. */
    mnist_error *mine = mnist_error_new();
    TRUE(mnist_model_predict(model, pixels, 1, p, 10, mine) == MNIST_OK);
    TRUE(mnist_model_compile(model, NULL, mine) == MNIST_ERROR_BUSY);
    TRUE(mnist_model_fit(model, data, NULL, NULL, mine) == MNIST_ERROR_BUSY);
    mnist_error_free(mine);
    return 0;
}

static int32_t on_end(void *user_data, const mnist_progress *progress)
{
    TRUE(progress->batch == 2 && progress->val_loss > 0 && progress->val_accuracy >= 0 && progress->seconds >= 0);
    ((struct seen *)user_data)->ends++;
    return 0;
}

static void callbacks(void)
{
    struct seen seen = {0, 0, 0};
    mnist_history *history = NULL;
    mnist_fit_options options = quiet();
    double value;
    options.epochs = 2;
    options.batch_size = 20;
    options.validation_split = 0.25; /* 48 of 64 samples are left: 20, 20, 8 */
    options.verbose = 2;
    options.write = collect;
    options.write_data = text;
    options.on_epoch_begin = on_begin;
    options.on_batch_end = on_batch;
    options.on_epoch_end = on_end;
    options.user_data = &seen;
    WORKS(mnist_model_fit(model, data, &options, &history, error));
    TRUE(seen.begins == 2 && seen.batches == 6 && seen.ends == 2);
    TRUE(strncmp(text, "Epoch 1/2\n3/3 - ", 16) == 0 && strstr(text, "s - loss: ") && strstr(text, " - val_accuracy: "));
    WORKS(mnist_history_get(history, "val_accuracy", 1, &value, error));
    mnist_history_free(history);
}

static int32_t stop_at_third(void *user_data, const mnist_progress *progress)
{
    ++*(int *)user_data;
    return progress->batch == 2;
}

static int32_t cancel_at_second(void *user_data, const mnist_progress *progress)
{
    ++*(int *)user_data;
    if (progress->batch == 1)
        mnist_model_cancel(model);
    return 0;
}

static void stopping(void)
{
    int batches = 0;
    mnist_history *history = NULL;
    mnist_fit_options options = quiet();
    options.batch_size = 4;
    options.epochs = 100;
    options.user_data = &batches;
    options.on_batch_end = stop_at_third;
    TRUE(mnist_model_fit(model, data, &options, &history, error) == MNIST_CANCELLED);
    TRUE(batches == 3 && mnist_history_epochs(history) == 1);
    mnist_history_free(history);
    batches = 0;
    options.on_batch_end = cancel_at_second;
    TRUE(mnist_model_fit(model, data, &options, NULL, error) == MNIST_CANCELLED);
    TRUE(batches == 2);
}

static int32_t note_running(void *user_data, const mnist_progress *progress)
{
    (void)user_data, (void)progress;
    running = 1;
    return 0;
}

static void *fit_for_long(void *unused)
{
    mnist_fit_options options = quiet();
    options.epochs = 1000000;
    options.on_batch_end = note_running;
    TRUE(mnist_model_fit(model, data, &options, NULL, NULL) == MNIST_CANCELLED);
    finished = 1;
    return unused;
}

static void *use(void *unused)
{
    float probabilities[640];
    mnist_metrics metrics;
    mnist_error *mine = mnist_error_new();
    for (int i = 0; i < 20; i++) {
        float sum = 0;
        TRUE(mnist_model_predict_dataset(model, data, probabilities, 640, mine) == MNIST_OK);
        for (int j = 0; j < 10; j++)
            sum += probabilities[j];
        TRUE(sum > 0.999f && sum < 1.001f);
        TRUE(mnist_model_evaluate(model, data, NULL, &metrics, mine) == MNIST_OK);
    }
    TRUE(mnist_model_compile(model, NULL, mine) == MNIST_ERROR_BUSY);
    mnist_error_free(mine);
    return unused;
}

static void on_signal(int number)
{
    (void)number;
    mnist_model_cancel(model);
}

static void beside_a_fit(int by_signal)
{
    pthread_t trainer, users[4];
    running = finished = 0;
    pthread_create(&trainer, NULL, fit_for_long, NULL);
    while (!running)
        ;
    FAILS(BUSY, "model", mnist_model_fit(model, data, NULL, NULL, error));
    FAILS(BUSY, "model", mnist_model_set_threads(model, 1, error));
    for (int i = 0; i < 4; i++)
        pthread_create(&users[i], NULL, use, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(users[i], NULL);
    TRUE(!finished);
    if (by_signal)
        raise(SIGINT);
    else
        mnist_model_cancel(model);
    pthread_join(trainer, NULL);
}

int main(void)
{
    error = mnist_error_new();
    data = noise(64, 8);
    model = network(8, 4, 16);
    signal(SIGINT, on_signal);
    WORKS(mnist_model_compile(model, NULL, error));
    callbacks();
    stopping();
    beside_a_fit(0);
    beside_a_fit(1);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
