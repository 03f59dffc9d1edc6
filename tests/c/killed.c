/* A fit that the test kills: killed CHECKPOINT BATCHES WEIGHTS [everything]. CHECKPOINT is a file that is written after the
 * given number of batches and resumed from, or "-". Prints where it resumes, and at the end every bit of its history.
 * "everything" is a fit with all kinds of state: random layers, moving statistics, a schedule, averaged weights, early
 * stopping. */

#include "expect.h"

#include <time.h>
#include <unistd.h>

/* Also used by the library: it takes as long as on a slow disk, so that some kills happen during it. */
int fsync(int file)
{
    const struct timespec while_it_takes = {0, 500000};
    nanosleep(&while_it_takes, NULL);
    return fdatasync(file);
}

static int32_t say_where(void *user_data, const mnist_progress *progress)
{
    int *said = user_data;
    if (!*said) {
        printf("at %zu %zu\n", progress->epoch, isnan(progress->loss) ? 0 : progress->batch + 1);
        fflush(stdout);
    }
    *said = 1;
    return 0;
}

/* A network with random layers and moving statistics. */
static mnist_model *network_of_everything(void)
{
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, 5);
    mnist_tensor *x = mnist_input(graph, 8, 8, 1);
    mnist_tensor *y = mnist_layer(x, "RandomTranslation", "{height_factor: 0.2, width_factor: 0.2}");
    y = mnist_layer(y, "RandomContrast", "{factor: 0.2, value_range: [0, 1]}");
    y = mnist_activate(mnist_batch_normalization(mnist_layer(y, "Conv2D", "{filters: 3, kernel_size: 3}")),
                       MNIST_ACTIVATION_RELU);
    y = mnist_dropout(mnist_dense(mnist_flatten(y), 8, MNIST_ACTIVATION_RELU), 0.3);
    y = mnist_dense(y, 10, MNIST_ACTIVATION_SOFTMAX);
    mnist_model *model = NULL;
    WORKS(mnist_model_new(x, y, NULL, &model, error));
    mnist_graph_free(graph);
    return model;
}

int main(int argc, char **argv)
{
    const int everything = argc == 5 && strcmp(argv[4], "everything") == 0;
    if (argc != 4 && !everything)
        return 2;
    error = mnist_error_new();
    int said = 0;
    mnist_dataset *data = noise(64, 8);
    mnist_model *model = everything ? network_of_everything() : network(8, 3, 8);
    mnist_history *history = NULL;
    mnist_fit_options options = quiet();
    options.batch_size = 5; /* 48 samples: 9 batches of 5 and one of 3 */
    options.validation_split = 0.25;
    options.epochs = 1000;
    options.seed = 3;
    options.on_epoch_begin = say_where;
    options.user_data = &said;
    if (strcmp(argv[1], "-") != 0) {
        options.checkpoint_path = argv[1];
        options.checkpoint_batches = (size_t)atoi(argv[2]);
        options.resume = 1;
    }
    WORKS(mnist_model_set_threads(model, 1, error));
    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    if (everything) {
        compile.optimizer_config =
            "{class_name: 'AdamW', config: {use_ema: true, ema_momentum: 0.9, ema_overwrite_frequency: 7, learning_rate: {class_name:"
            " 'CosineDecay', config: {initial_learning_rate: 0.001, decay_steps: 9000, warmup_target: 0.004, warmup_steps: 50}}}}";
        compile.metrics_config = "['accuracy', {class_name: 'SparseTopKCategoricalAccuracy', config: {k: 3, name: 'top'}}]";
        options.callbacks_config =
            "[{class_name: 'EarlyStopping', config: {monitor: 'val_accuracy', patience: 120, restore_best_weights: true}}]";
    }
    WORKS(mnist_model_compile(model, &compile, error));
    WORKS(mnist_model_fit(model, data, &options, &history, error));
    WORKS(mnist_model_save_weights(model, argv[3], error));
    TRUE(everything ? mnist_history_epochs(history) < options.epochs : mnist_history_epochs(history) == options.epochs);
    TRUE(everything == (mnist_history_stop_reason(history) != NULL));
    for (size_t epoch = 0; epoch < mnist_history_epochs(history); epoch++) {
        for (size_t i = 0; i < mnist_history_metrics_len(history); i++) {
            double value = 0;
            uint64_t bits;
            WORKS(mnist_history_get(history, mnist_history_metric_name(history, i), epoch, &value, error));
            memcpy(&bits, &value, sizeof bits);
            printf("%016llx ", (unsigned long long)bits);
        }
        printf("\n");
    }
    mnist_history_free(history);
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
