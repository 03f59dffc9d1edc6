/* Makes the networks of golden.h. */
#ifndef GOLDEN_CHAIN_H
#define GOLDEN_CHAIN_H

#include "golden.h"

#include <mnist.h>

#include <string.h>

/* The output of a chain of layers; a layer that joins also takes the tensor that was marked before it. */
static mnist_tensor *golden_chain(mnist_tensor *input, const golden_layer *layers)
{
    mnist_tensor *x = input, *marked = NULL;
    for (const golden_layer *layer = layers; layer->class_name != NULL; layer++) {
        if (strcmp(layer->class_name, "mark") == 0) {
            marked = x;
        } else if (layer->joins) {
            mnist_tensor *both[2] = {x, marked};
            x = mnist_merge(both, 2, layer->class_name, layer->config);
        } else {
            x = mnist_layer(x, layer->class_name, layer->config);
        }
    }
    return x;
}

#endif
