/* Loads MNIST from Keras's cache, on a thread with a small stack, and says what came of it: the sizes, or the status and
 * the message. */

#include <mnist.h>

#include <pthread.h>
#include <stdio.h>

static int failed;

static void *load(void *unused)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train = NULL, *test = NULL;
    const mnist_status status = mnist_load_data(NULL, &train, &test, error);
    failed = status != MNIST_OK;
    if (failed)
        printf("%s: %s\n", mnist_status_name(status), mnist_error_message(error));
    else
        printf("%zu %zu\n", mnist_dataset_len(train), mnist_dataset_len(test));
    if (failed && (train != NULL || test != NULL))
        printf("and something was written\n");
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_attr_t small;
    if (pthread_attr_init(&small) != 0 || pthread_attr_setstacksize(&small, 128 * 1024) != 0
        || pthread_create(&thread, &small, load, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        printf("no thread\n");
        return 2;
    }
    return failed;
}
