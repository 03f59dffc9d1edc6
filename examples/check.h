/* Error handling of the shorter examples: print the message and exit. */

#ifndef CHECK_H
#define CHECK_H

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>

/* A negative status is a failure, and `error` has the message. With a positive one the call has done its work. */
static inline void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "%s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

#endif
