/* Concurrent calls while a model trains: callbacks, MNIST_ERROR_BUSY, and cancelling, which stops the fit within one batch. */

#include "expect.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

static mnist_model *model;
static mnist_dataset *data;

/* Output is appended to a text. */
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
    /* Const functions may be called from here; the others return MNIST_ERROR_BUSY. */
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

static int32_t stop_in_third_epoch(void *user_data, const mnist_progress *progress)
{
    (void)user_data;
    return progress->epoch == 2;
}

/* A fit that was stopped says where, and by what. */
static void stopped(const char *message, mnist_status got)
{
    expect_status(__LINE__, "fit", got, MNIST_CANCELLED, message);
    TRUE(strcmp(mnist_error_message(error), message) == 0);
}

static void stopping(void)
{
    int batches = 0;
    mnist_metrics metrics;
    mnist_history *history = NULL;
    mnist_fit_options options = quiet();
    options.batch_size = 4;
    options.epochs = 100;
    options.user_data = &batches;
    options.on_batch_end = stop_at_third;
    stopped("epoch 1: after step 3 of 16: the fit was stopped by on_batch_end",
            mnist_model_fit(model, data, &options, &history, error));
    TRUE(batches == 3 && mnist_history_epochs(history) == 1);
    mnist_history_free(history);
    batches = 0;
    options.on_batch_end = cancel_at_second;
    stopped("epoch 1: after step 2 of 16: the fit was stopped by mnist_model_cancel",
            mnist_model_fit(model, data, &options, NULL, error));
    TRUE(batches == 2);

    /* Between two epochs. */
    options.on_batch_end = NULL;
    options.on_epoch_begin = stop_in_third_epoch;
    stopped("epoch 3: before step 1 of 16: the fit was stopped by on_epoch_begin",
            mnist_model_fit(model, data, &options, NULL, error));
    options.on_epoch_begin = NULL;
    options.on_epoch_end = stop_in_third_epoch;
    stopped("epoch 3: after step 16 of 16: the fit was stopped by on_epoch_end",
            mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_evaluate(model, data, NULL, &metrics, error)); /* and the message is gone */
    TRUE(strcmp(mnist_error_message(error), "") == 0);
}

/* A fit that ends only when it is cancelled. */
static int batches, epochs_ended; /* its progress, counted on its thread */
static int batches_when_cancelled;
static mnist_status came_to;

static int32_t count_batch(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    set(&batches, get(&batches) + 1);
    return 0;
}

static int32_t count_epoch(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    set(&epochs_ended, get(&epochs_ended) + 1);
    return 0;
}

static void *fit_for_ever(void *validation)
{
    mnist_fit_options options = quiet();
    options.batch_size = 7;
    options.epochs = SIZE_MAX;
    options.validation_data = validation;
    options.on_batch_end = count_batch;
    options.on_epoch_end = count_epoch;
    came_to = mnist_model_fit(model, data, &options, NULL, NULL);
    return NULL;
}

static pthread_t start(mnist_dataset *validation, int wanted)
{
    pthread_t trainer;
    set(&batches, 0);
    set(&epochs_ended, 0);
    set(&batches_when_cancelled, -1);
    TRUE(pthread_create(&trainer, NULL, fit_for_ever, validation) == 0);
    while (get(&batches) < wanted)
        sched_yield();
    return trainer;
}

/* After the flag is set only the current batch is completed. */
static void cancel(void)
{
    mnist_model_cancel(model);
    set(&batches_when_cancelled, get(&batches));
}

static void on_signal(int number)
{
    (void)number;
    cancel();
}

static void ended(pthread_t trainer)
{
    TRUE(pthread_join(trainer, NULL) == 0 && came_to == MNIST_CANCELLED);
    TRUE(batches_when_cancelled >= 0 && batches - batches_when_cancelled <= 1);
    if (batches - batches_when_cancelled > 1)
        fprintf(stderr, "  %d batches after it was cancelled at %d\n", batches - batches_when_cancelled,
                batches_when_cancelled);
}

static void pause_for(long nanoseconds)
{
    const struct timespec pause = {0, nanoseconds};
    nanosleep(&pause, NULL);
}

static void busy(void)
{
    const pthread_t trainer = start(NULL, 1);
    FAILS(BUSY, "model", mnist_model_fit(model, data, NULL, NULL, error));
    FAILS(BUSY, "model", mnist_model_set_threads(model, 1, error));
    FAILS(BUSY, "model", mnist_model_compile(model, NULL, error));
    FAILS(BUSY, "model", mnist_model_load_weights(model, "none", error));
    cancel();
    ended(trainer);
}

/* From this thread, and from a signal handler on the training thread or on this one. */
static void cancelling(void)
{
    for (int i = 0; i < 150; i++) {
        const pthread_t trainer = start(NULL, 1 + i % 23);
        pause_for(i * 10007 % 300000);
        switch (i % 3) {
        case 0:
            cancel();
            break;
        case 1:
            TRUE(pthread_kill(trainer, SIGUSR1) == 0);
            break;
        default:
            TRUE(raise(SIGUSR1) == 0);
        }
        while (get(&batches_when_cancelled) < 0)
            sched_yield();
        ended(trainer);
    }
}

/* Also during a validation of hundreds of batches. */
static void cancelling_a_validation(void)
{
    mnist_dataset *validation = noise(20000, 8);
    const pthread_t trainer = start(validation, 10); /* the epoch's last */
    pause_for(1000000);
    cancel();
    ended(trainer);
    TRUE(batches == 10 && epochs_ended == 0);
    mnist_dataset_free(validation);
}

/* Without a running fit it has no effect, also not on the next fit. */
static void cancelling_nothing(void)
{
    mnist_fit_options options = quiet();
    mnist_model_cancel(model);
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
}

int main(void)
{
    error = mnist_error_new();
    data = noise(64, 8);
    model = network(8, 4, 16);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    TRUE(sigaction(SIGUSR1, &action, NULL) == 0);
    WORKS(mnist_model_compile(model, NULL, error));
    callbacks();
    stopping();
    busy();
    cancelling();
    cancelling_a_validation();
    cancelling_nothing();
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
