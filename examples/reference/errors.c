/* Status and errors: what a call that fails says, and how a program reads it.
 *
 *     errors */

#include <mnist.h>

#include <stdio.h>

int main(void)
{
    printf("libmnist %s\n", mnist_version());

    /* One object for the text of all errors, handed to each call as its last argument. */
    mnist_error *error = mnist_error_new();

    /* Below 0: the call has failed, and changed nothing. The message says why. */
    mnist_npz *npz;
    mnist_status status = mnist_npz_open("no/such.npz", &npz, error);
    if (status < 0)
        printf("%s: %s\n", mnist_status_name(status), mnist_error_message(error));

    /* The object remembers the status of the last call that it was given to. */
    if (mnist_error_status(error) == MNIST_ERROR_NOT_FOUND)
        puts("a download may help");

    mnist_error_free(error);
    return status == MNIST_ERROR_NOT_FOUND ? 0 : 1;
}
