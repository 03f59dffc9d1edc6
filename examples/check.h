/* Error handling of the shorter examples: print the message and exit. */

#ifndef CHECK_H
#define CHECK_H

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>

/* A negative status is a failure: print the message and exit. A positive one is a fit that was stopped or has diverged: print the
 * message, which says where and why, and continue. */
static inline void check(mnist_status status, const mnist_error *error)
{
    if (status != 0)
        fprintf(stderr, "%s\n", mnist_error_message(error));
    if (status < 0)
        exit(EXIT_FAILURE);
}

#endif
