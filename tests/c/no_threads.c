/* No thread can be started, as under a process limit or a system call filter: everything works on the calling thread, with
 * the same bits, and threads are started as soon as possible. This program's pthread_create replaces the C library's. */

#define _GNU_SOURCE

#include "expect.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

static int allowed, refused, started;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (started >= allowed) {
        refused++;
        return EAGAIN;
    }
    started++;
    return real(thread, attributes, run, argument);
}

/* The results of a fit, a validation, an evaluation and predictions; the last are written to `p`. */
static double everything(size_t threads, float *p)
{
    float one[10], image[256];
    mnist_metrics metrics;
    mnist_model *model = network(16, 16, 16); /* uses every kind of convolution */
    mnist_dataset *data = noise(320, 16);
    mnist_fit_options options = quiet();
    options.validation_split = 0.25;
    if (threads > 0)
        WORKS(mnist_model_set_threads(model, threads, error));
    WORKS(mnist_dataset_image(data, 0, image, 256, NULL, error));
    WORKS(mnist_model_predict(model, image, 1, one, 10, error));
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_evaluate(model, data, NULL, &metrics, error));
    WORKS(mnist_model_predict_dataset(model, data, p, 3200, error));
    WORKS(mnist_model_predict(model, image, 1, one, 10, error));
    TRUE(memcmp(one, p, sizeof one) == 0);
    mnist_dataset_free(data);
    mnist_model_free(model);
    return metrics.loss;
}

int main(void)
{
    static float with[3200], without[3200];
    error = mnist_error_new();
    allowed = 2;
    const double loss = everything(2, with);
    TRUE(started == 2 && refused == 0);
    for (int left = 0; left < 2; left++) {
        allowed = started + left;
        refused = 0;
        TRUE(everything(0, without) == loss && memcmp(with, without, sizeof with) == 0);
        TRUE(refused > 0 || started == allowed); /* on a machine with one core one thread is enough */
    }

    /* mnist_model_set_threads fails while threads are refused, and works afterwards. */
    mnist_model *model = network(8, 2, 4);
    float image[64] = {0}, p[10];
    allowed = started;
    FAILS(OUT_OF_MEMORY, "cannot start 2 threads", mnist_model_set_threads(model, 2, error));
    WORKS(mnist_model_predict(model, image, 1, p, 10, error));
    allowed = 1000;
    const int before = started;
    WORKS(mnist_model_predict(model, image, 1, p, 10, error));
    TRUE(started > before);
    mnist_model_free(model);
    return report();
}
