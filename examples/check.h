/* What the shorter examples do when a call fails: say why, and end. */

#ifndef CHECK_H
#define CHECK_H

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>

/* A negative status is a failure, whose text is in `error`. A positive one is news: the call has done its work. */
static inline void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "%s\n", mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

#endif
