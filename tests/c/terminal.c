/* Progress lines on stdout, slowly enough to be seen: a fit with validation, and an evaluation. terminal [VERBOSE] */

#include "expect.h"

#include <time.h>

static int32_t wait_a_moment(void *unused, const mnist_progress *progress)
{
    nanosleep(&(struct timespec){0, 15000000}, NULL);
    return unused != NULL || progress == NULL;
}

int main(int argc, char **argv)
{
    error = mnist_error_new();
    mnist_dataset *data = noise(1200, 8);
    mnist_model *model = network(8, 4, 16);
    mnist_fit_options fit = quiet();
    mnist_evaluate_options evaluate;
    mnist_metrics metrics;

    fit.verbose = argc > 1 ? atoi(argv[1]) : 1;
    fit.epochs = 2;
    fit.validation_split = 0.2;
    fit.on_batch_end = wait_a_moment;
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &fit, NULL, error));
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    evaluate.verbose = fit.verbose;
    WORKS(mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    TRUE(metrics.loss > 0);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
