/* Batches that the machine or the process cannot hold: they must be refused before anything is allocated, with a message
 * that lists the memory of each layer and a batch size that fits; and a batch of that size must fit. */

#define _GNU_SOURCE

#include "expect.h"

#include <sys/resource.h>
#include <unistd.h>

static size_t used(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld", &pages) != 1)
        exit(EXIT_FAILURE);
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit(rlim_t bytes)
{
    struct rlimit now;
    getrlimit(RLIMIT_AS, &now);
    now.rlim_cur = bytes;
    TRUE(setrlimit(RLIMIT_AS, &now) == 0);
}

/* The batch size that fits according to the last message. */
static size_t that_fits(void)
{
    const char *found = strstr(mnist_error_message(error), "a batch of ");
    found = found ? strstr(found + 1, "a batch of ") : NULL; /* the first one is the batch that does not fit */
    return found ? strtoull(found + strlen("a batch of "), NULL, 10) : 0;
}

static int steps;

static int32_t stop(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    steps++;
    return 1;
}

int main(void)
{
    static float before[640], after[640];
    mnist_metrics metrics;
    mnist_evaluate_options evaluate;
    mnist_dataset *data = noise(60000, 28), *few = NULL;
    mnist_model *model = network(28, 32, 128); /* the tutorial's */
    mnist_fit_options options = quiet();
    error = mnist_error_new();
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_dataset_slice(data, 0, 64, &few, error));
    WORKS(mnist_model_predict_dataset(model, few, before, 640, error));

    options.batch_size = evaluate.batch_size = 60000;
    options.validation_split = 0.25;
    options.on_batch_end = stop;
    limit(used() + 1000 * 1000 * 1000);
    FAILS(OUT_OF_MEMORY, "batch_size`: a batch of 45000 takes more memory than there is: expected at most the ",
          mnist_model_fit(model, data, &options, NULL, error));
    TRUE(strstr(mnist_error_message(error), "limit on its address space leaves") != NULL);
    TRUE(strstr(mnist_error_message(error), "layer conv2d ") && strstr(mnist_error_message(error), "layer conv2d_1 "));
    TRUE(strstr(mnist_error_message(error), "layer dense ") && strstr(mnist_error_message(error), "validation "));
    printf("%s\n", mnist_error_message(error));
    size_t fits = that_fits();
    TRUE(fits > 500 && fits < 5000 && steps == 0);
    options.batch_size = fits + fits / 8;
    FAILS(OUT_OF_MEMORY, "takes more memory than there is", mnist_model_fit(model, data, &options, NULL, error));
    TRUE(that_fits() <= fits + fits / 16);
    WORKS(mnist_model_predict_dataset(model, few, after, 640, error));
    TRUE(memcmp(before, after, sizeof before) == 0);

    options.batch_size = fits;
    const mnist_status fitted = mnist_model_fit(model, data, &options, NULL, error);
    TRUE(fitted == MNIST_CANCELLED && steps == 1);

    FAILS(OUT_OF_MEMORY, "a batch of 60000 takes more", mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    evaluate.batch_size = that_fits();
    TRUE(evaluate.batch_size > 1000);
    WORKS(mnist_model_evaluate(model, few, &evaluate, &metrics, error));

    /* Not even one image fits. */
    options.batch_size = 32;
    limit(used() + 8 * 1000 * 1000);
    FAILS(OUT_OF_MEMORY, "which is too little for any batch", mnist_model_fit(model, data, &options, NULL, error));

    limit(RLIM_INFINITY);
    WORKS(mnist_model_predict_dataset(model, few, after, 640, error));
    mnist_dataset_free(few);
    mnist_dataset_free(data);
    mnist_model_free(model);
    return report();
}
