/* Fits in which one rank differs from the others, and the errors that all must get. */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H

#include "tasks.h"

static void other_seed(mnist_fit_options *fit) { fit->seed = 6; }
static void other_batch(mnist_fit_options *fit) { fit->batch_size = 7; }
static void other_epochs(mnist_fit_options *fit) { fit->epochs = 4; }
static void no_epochs(mnist_fit_options *fit) { fit->epochs = 0; }

static const golden_layer OTHER_LAYERS[] = {{"Flatten", NULL, 0}, CLASSES, {0}};

/* `expect` runs a task on 3 ranks, with the messages of the other ranks and of the odd one. */
static void every_difference(void (*expect)(const task *t, const char *others, const char *odd))
{
    const char *seed = "rank 1: key fit.plan.seed: differs from rank 0: expected 5, found 6";
    const char *batch = "rank 1: key fit.plan.batch_size: differs from rank 0: expected 8, found 7";
    const char *epochs = "rank 1: key fit.epochs: differs from rank 0: expected 3, found 4";
    const char *data = "rank 1: key fit.plan.data.fingerprint: differs from rank 0: ";
    const char *weights = "rank 1: key weights: differs from rank 0: ";
    const char *optimizer = "rank 1: key compile.optimizer.class_name: differs from rank 0: expected \"Adam\", found \"SGD\"";
    const char *network = "rank 1: key network.config.layers";
    task t = small();
    t.odd_layers = OTHER_LAYERS, expect(&t, network, network);
    t.odd_layers = NULL, t.change = other_seed, expect(&t, seed, seed);
    t.change = other_batch, expect(&t, batch, batch);
    t.change = other_epochs, expect(&t, epochs, epochs);
    t.change = no_epochs, expect(&t, "rank 1: failed: option `epochs`: no epochs", "option `epochs`: no epochs");
    t.change = NULL, t.data_seed = 1, expect(&t, data, data);
    t.data_seed = 0, t.weights_seed = 1, expect(&t, weights, weights);
    t.weights_seed = 0, t.odd_optimizer = "'SGD'", expect(&t, optimizer, optimizer);
}

#endif
