/* A wide stdout takes no bytes. A call that should print there must return a status; a call that prints nothing, or
 * elsewhere, must work; and the library must not change the orientation of a stream. */

#include "expect.h"

#include <wchar.h>

static int epochs;

static int32_t make_wide(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    epochs++;
    fwide(stdout, 1);
    return 0;
}

static void ignore(void *unused, const char *text, size_t len)
{
    (void)unused, (void)text, (void)len;
}

int main(void)
{
    error = mnist_error_new();
    mnist_dataset *data = noise(64, 8);
    mnist_model *model = network(8, 4, 16);
    mnist_fit_options options = quiet();
    mnist_evaluate_options evaluate;
    mnist_metrics metrics;
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);

    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_summary(model, NULL, NULL, error));
    TRUE(fwide(stdout, 0) == 0);

    /* During a fit, which ends when it has to print. */
    options.verbose = 2;
    options.epochs = 3;
    options.on_epoch_begin = make_wide;
    FAILS(IO, "stdout is wide-oriented", mnist_model_fit(model, data, &options, NULL, error));
    TRUE(epochs == 1);

    options.on_epoch_begin = NULL;
    FAILS(IO, "stdout is wide-oriented", mnist_model_fit(model, data, &options, NULL, error));
    FAILS(IO, "stdout is wide-oriented", mnist_model_summary(model, NULL, NULL, error));
    evaluate.verbose = 1;
    FAILS(IO, "stdout is wide-oriented", mnist_model_evaluate(model, data, &evaluate, &metrics, error));
    options.write = ignore;
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_summary(model, ignore, NULL, error));
    WORKS(mnist_model_evaluate(model, data, NULL, &metrics, error));
    options = quiet();
    WORKS(mnist_model_fit(model, data, &options, NULL, error));

    mnist_model_free(model);
    mnist_dataset_free(data);
    return report(); /* whose text is lost */
}
