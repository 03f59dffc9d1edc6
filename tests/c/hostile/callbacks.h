/* Callbacks that are passed to the library: they do everything that callbacks are allowed to do. */

#ifndef CALLBACKS_H
#define CALLBACKS_H

#include "objects.h"

#include <pthread.h>
#include <unistd.h>

/* Their user data, which is never read. */
static void *const user_data = (void *)16;

/* The number of callbacks since the call began; a fit of many epochs or steps is stopped at the third one, or another one. */
static size_t called, stop_at = 3;

/* Whether they call pthread_testcancel, as many functions of the C library do. */
static int look_for_cancelling;

/* Whether this is a child that was forked inside a call, in which there must be no more callbacks. */
static int in_child;

static void look(void)
{
    if (look_for_cancelling)
        pthread_testcancel();
    if (in_child) {
        fprintf(stderr, "a child is called back\n");
        _exit(3);
    }
}

static void collect(void *user_data, const char *text, size_t len)
{
    (void)user_data;
    look();
    EXPECT(text[len] == '\0' && strlen(text) == len);
}

/* A write inside a write. */
static void look_around(void *user_data, const char *text, size_t len)
{
    float probabilities[CLASSES];
    mnist_error *error = mnist_error_new();
    collect(user_data, text, len);
    EXPECT(mnist_model_predict(good.model, first.pixels[0], 1, probabilities, CLASSES, error) == MNIST_OK);
    EXPECT(mnist_model_summary(good.model, collect, NULL, error) == MNIST_OK);
    mnist_error_free(error);
}

static int32_t go_on(void *user_data, const mnist_progress *progress)
{
    (void)user_data;
    look();
    return (progress->epochs > 1 || progress->batches > 1000) && ++called >= stop_at;
}

static int32_t stop(void *user_data, const mnist_progress *progress)
{
    (void)user_data, (void)progress;
    return INT32_MIN;
}

/* Makes allowed calls, also on the model that is being trained, and forbidden ones. */
static int32_t call_back(void *user_data, const mnist_progress *progress)
{
    float probabilities[CLASSES];
    mnist_metrics metrics;
    mnist_error *error = mnist_error_new();
    EXPECT(mnist_model_predict(good.model, first.pixels[0], 1, probabilities, CLASSES, error) == MNIST_OK);
    EXPECT(mnist_model_evaluate(good.model, good.dataset, NULL, &metrics, error) == MNIST_OK);
    EXPECT(mnist_model_save(good.model, in_folder("callback.model"), error) == MNIST_OK);
    EXPECT(mnist_model_compile(good.model, NULL, error) == MNIST_ERROR_BUSY);
    EXPECT(mnist_model_set_threads(good.model, 2, error) == MNIST_ERROR_BUSY);
    EXPECT(mnist_model_load_weights(good.model, in_folder("callback.model"), error) == MNIST_ERROR_BUSY);
    EXPECT(mnist_model_fit(good.model, good.dataset, NULL, NULL, error) == MNIST_ERROR_BUSY);
    mnist_history_free(new_history()); /* training another model is allowed */
    mnist_error_free(error);
    return go_on(user_data, progress);
}

/* A source that returns zeros for every request. */
static int32_t fetch(void *user_data, const uint64_t *indices, size_t count, float *x, uint32_t *labels, float *targets)
{
    (void)user_data, (void)indices;
    look();
    memset(x, 0, count * PIXELS * sizeof *x);
    if (labels)
        memset(labels, 0, count * sizeof *labels);
    if (targets)
        memset(targets, 0, count * sizeof *targets);
    return 0;
}

/* What the only rank sends, all have. */
static int32_t allgather(void *user_data, const void *send, size_t bytes, void *receive, const size_t *counts)
{
    (void)user_data;
    look();
    EXPECT(counts[0] == bytes);
    memcpy(receive, send, bytes);
    return 0;
}

static int32_t broadcast(void *user_data, void *data, size_t bytes, int32_t root)
{
    (void)user_data, (void)data, (void)bytes;
    look();
    EXPECT(root == 0);
    return 0;
}

static const struct {
    const char *type, *what;
    void (*function)(void);
    int good, needed;
} callbacks[] = {
    {"mnist_write_fn", "collects", (void (*)(void))collect, 1, 0},
    {"mnist_write_fn", "NULL", NULL, 0, 0},
    {"mnist_write_fn", "calls back", (void (*)(void))look_around, 0, 0},
    {"mnist_fetch_fn", "gives zeros", (void (*)(void))fetch, 1, 0},
    {"mnist_fetch_fn", "NULL", NULL, 0, 1},
    {"mnist_allgather_fn", "gives what there is", (void (*)(void))allgather, 1, 0},
    {"mnist_allgather_fn", "NULL", NULL, 0, 1},
    {"mnist_broadcast_fn", "gives what there is", (void (*)(void))broadcast, 1, 0},
    {"mnist_broadcast_fn", "NULL", NULL, 0, 1},
    {"mnist_callback", "goes on", (void (*)(void))go_on, 1, 0},
    {"mnist_callback", "NULL", NULL, 0, 0},
    {"mnist_callback", "stops", (void (*)(void))stop, 0, 0},
    {"mnist_callback", "calls back", (void (*)(void))call_back, 0, 0},
};

static void (*good_callback(const char *type))(void)
{
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++)
        if (strcmp(callbacks[i].type, type) == 0 && callbacks[i].good)
            return callbacks[i].function;
    give_up("callback", type, "add one to tests/c/hostile/callbacks.h");
    return NULL;
}

#endif
