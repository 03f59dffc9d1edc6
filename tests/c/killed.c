/* A fit that may be killed: killed CHECKPOINT BATCHES WEIGHTS, CHECKPOINT being a file to write after so many batches and
 * to resume from, or "-". Says where it goes on, and at the end every bit of its history. */

#include "expect.h"

#include <time.h>
#include <unistd.h>

/* The library's too: as on a slow disk, it takes a while, so that kills fall into it. */
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

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    error = mnist_error_new();
    int said = 0;
    mnist_dataset *data = noise(64, 8);
    mnist_model *model = network(8, 3, 8);
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
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_fit(model, data, &options, &history, error));
    WORKS(mnist_model_save_weights(model, argv[3], error));
    TRUE(mnist_history_epochs(history) == options.epochs);
    static const char *const metrics[4] = {"loss", "accuracy", "val_loss", "val_accuracy"};
    for (size_t epoch = 0; epoch < mnist_history_epochs(history); epoch++) {
        for (int i = 0; i < 4; i++) {
            double value = 0;
            uint64_t bits;
            WORKS(mnist_history_get(history, metrics[i], epoch, &value, error));
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
