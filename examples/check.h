/* What the shorter examples do with what a call returns. */

#ifndef CHECK_H
#define CHECK_H

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>

/* Below 0 the call has failed, and the program ends. Above 0 it has done its work, but not all of it: a fit that was stopped,
 * or has diverged. Either way `error` tells where and why. */
static inline void check(mnist_status status, const mnist_error *error)
{
    if (status != 0)
        fprintf(stderr, "%s\n", mnist_error_message(error));
    if (status < 0)
        exit(EXIT_FAILURE);
}

#endif
