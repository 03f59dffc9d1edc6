/* Shared by the tests of whole models: a fit to interrupt, and its files. */

#ifndef MODELS_H
#define MODELS_H

#include "expect.h"
#include "folder.h"

static mnist_dataset *data;

static mnist_model *compiled(void)
{
    mnist_model *model = network(8, 4, 16);
    WORKS(mnist_model_set_threads(model, 1, error));
    WORKS(mnist_model_compile(model, NULL, error));
    return model;
}

/* The fit that the tests interrupt: 3 epochs of 8 batches. */
static mnist_fit_options three_epochs(void)
{
    mnist_fit_options options = quiet();
    options.batch_size = 6;
    options.validation_split = 0.25;
    options.epochs = 3;
    options.seed = 9;
    return options;
}

/* Two equal models remain equal: both are trained further and saved to `a` and `b`. */
static inline void go_on_alike(mnist_model *one, mnist_model *other, const char *a, const char *b)
{
    const mnist_fit_options options = three_epochs();
    WORKS(mnist_model_fit(one, data, &options, NULL, error));
    WORKS(mnist_model_fit(other, data, &options, NULL, error));
    WORKS(mnist_model_save(one, in(a), error));
    WORKS(mnist_model_save(other, in(b), error));
    TRUE(same_files(in(a), in(b)));
}

/* The result of the uninterrupted fit, in the file "whole". */
static inline void uninterrupted(void)
{
    mnist_model *model = compiled();
    mnist_fit_options options = three_epochs();
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_save(model, in("whole"), error));
    mnist_model_free(model);
}

/* A fit that resumes from `path` must reach the same weights, moments and history. */
static inline void ends_the_same(const char *path)
{
    mnist_model *model = compiled();
    mnist_history *history = NULL;
    mnist_fit_options options = three_epochs();
    options.checkpoint_path = path;
    options.resume = 1;
    WORKS(mnist_model_fit(model, data, &options, &history, error));
    TRUE(mnist_history_epochs(history) == 3);
    WORKS(mnist_model_save(model, in("resumed"), error));
    TRUE(same_files(in("whole"), in("resumed")));
    mnist_history_free(history);
    mnist_model_free(model);
}

#endif
