/* Everything that a program does, on a thread with a stack of 128 KiB: small_stack DATA FOLDER. */

#include "expect.h"

#include <pthread.h>

static const char *path, *folder;

static void *all(void *nothing)
{
    char file[4096];
    float image[28 * 28], p[10];
    mnist_dataset *train = NULL, *test = NULL, *some = NULL;
    mnist_history *history = NULL;
    mnist_metrics metrics;
    mnist_fit_options options = quiet();
    WORKS(mnist_load_data(path, &train, &test, error));
    WORKS(mnist_dataset_normalize(train, 255.0f, error));
    WORKS(mnist_dataset_slice(train, 0, 320, &some, error));
    mnist_model *model = network(28, 16, 32), *loaded = NULL;
    WORKS(mnist_model_compile(model, NULL, error));
    options.validation_split = 0.1;
    snprintf(file, sizeof file, "%s/checkpoint", folder);
    options.checkpoint_path = file;
    WORKS(mnist_model_fit(model, some, &options, &history, error));
    WORKS(mnist_model_evaluate(model, some, NULL, &metrics, error));
    WORKS(mnist_dataset_image(some, 0, image, 28 * 28, NULL, error));
    WORKS(mnist_model_predict(model, image, 1, p, 10, error));
    WORKS(mnist_model_load(file, &loaded, error));
    WORKS(mnist_model_save_weights(loaded, file, error));
    WORKS(mnist_model_load_weights(model, file, error));
    mnist_dataset_free(noise(100, 28));
    FAILS(NOT_FOUND, "nothing.npz", mnist_load_data("nothing.npz", &train, &test, error));
    mnist_model_free(loaded);
    mnist_model_free(model);
    mnist_history_free(history);
    mnist_dataset_free(some);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    return nothing;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    path = argv[1];
    folder = argv[2];
    error = mnist_error_new();
    pthread_t thread;
    pthread_attr_t attributes;
    TRUE(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 128 << 10) == 0);
    TRUE(pthread_create(&thread, &attributes, all, NULL) == 0 && pthread_join(thread, NULL) == 0);
    return report();
}
