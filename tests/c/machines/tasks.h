/* The fits that every number of ranks must come to the same bits in. */
#ifndef TASKS_H
#define TASKS_H

#include "task.h"

/* Three dense layers whose weights are divided among the ranks, and others. */
static const golden_layer LARGE[] = {{"Conv2D", "{filters: 17, kernel_size: 3, activation: 'relu'}", 0},
                                     {"Flatten", NULL, 0},
                                     {"Dense", "{units: 40, activation: 'relu'}", 0},
                                     {"Dropout", "{rate: 0.2}", 0},
                                     {"Dense", "{units: 700, activation: 'tanh'}", 0},
                                     {"Dense", "{units: 128}", 0},
                                     {"LayerNormalization", NULL, 0},
                                     {"Reshape", "{target_shape: [4, 4, 8]}", 0},
                                     {"Conv2DTranspose", "{filters: 3, kernel_size: 2, strides: 2}", 0},
                                     {"Flatten", NULL, 0},
                                     CLASSES,
                                     {0}};

/* Every layer, optimizer, loss and metric; `try_all`: with all numbers of ranks and threads. */
static void every_kind(void (*run)(const task *, int try_all))
{
    task t = {0};
    t.odd = -1, t.epochs = 2;
    for (const golden_network *n = NETWORKS; n->name != NULL; n++) {
        t.name = n->name, t.layers = n->layers, t.optimizer = n->optimizer, t.batch = n->batch;
        memcpy(t.shape, n->shape, sizeof t.shape);
        t.samples = 4 * n->batch + 1, t.metrics = "['accuracy']";
        run(&t, 1);
        t.batch = 37, t.samples = 60; /* groups of two samples, the last group has one; then a batch of 11 samples */
        run(&t, 1);
    }
    const size_t wide[3] = {12, 13, 2};
    t.name = "large", t.layers = LARGE, t.batch = 35, t.samples = 100;
    memcpy(t.shape, wide, sizeof wide);
    static const char *const ways[] = {"'Adam'", "{class_name: 'Adam', config: {global_clipnorm: 0.1}}", "'SGD'",
                                       "{class_name: 'Adam', config: {use_ema: true}}"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        t.optimizer = ways[i];
        t.callbacks = "[{class_name: 'EarlyStopping', config: {patience: 1, restore_best_weights: true}},"
                      "{class_name: 'ReduceLROnPlateau', config: {patience: 1, min_delta: 10}}]";
        t.epochs = 4;
        run(&t, 1);
    }
    t.callbacks = NULL, t.epochs = 2;
    memcpy(t.shape, SMALL_SHAPE, sizeof t.shape);
    t.batch = 8, t.samples = 30, t.layers = SMALL;
    for (const char *const *optimizer = OPTIMIZERS; *optimizer != NULL; optimizer++) {
        t.name = t.optimizer = *optimizer;
        run(&t, 0);
    }
    t.optimizer = "'Adam'", t.name = "metrics of labels", t.metrics = LABEL_METRICS;
    run(&t, 0);
    t.layers = SMALL_SIGMOID, t.metrics = TARGET_METRICS;
    for (const char *const *loss = LOSSES; *loss != NULL; loss++) {
        t.name = t.loss = *loss;
        run(&t, 0);
    }
}

/* A small fit. */
static task small(void)
{
    task t = {0};
    t.name = "small", t.layers = HALVES, t.optimizer = "'Adam'", t.odd = 1;
    memcpy(t.shape, HALVES_SHAPE, sizeof t.shape);
    t.batch = 8, t.epochs = 3, t.samples = 50;
    return t;
}

/* A longer one with checkpoints, and a layer whose weights are divided. */
static task long_fit(const char *checkpoint)
{
    task t = small();
    t.odd = -1, t.layers = LARGE, t.epochs = 40, t.checkpoint = checkpoint, t.checkpoint_batches = 3;
    t.shape[0] = 12, t.shape[1] = 13, t.shape[2] = 2;
    return t;
}

#endif
