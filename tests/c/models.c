/* Whole models in files, and fits that resume from them: models FOLDER. */

#include "models.h"

#include <pthread.h>
#include <sched.h>

static char text[2][4096];
static void collect(void *user_data, const char *piece, size_t len)
{
    char *to = user_data;
    if (strlen(to) + len < sizeof text[0])
        strcat(to, piece);
}

/* A loaded model equals the saved one. */
static void round_trip(void)
{
    mnist_model *model = network(8, 4, 16), *loaded = NULL;
    mnist_fit_options options = three_epochs();
    float before[640], after[640];
    mnist_metrics a, b;

    WORKS(mnist_model_save(model, in("fresh"), error));
    WORKS(mnist_model_load(in("fresh"), &loaded, error));
    FAILS(STATE, "fit before compile", mnist_model_fit(loaded, data, &options, NULL, error));
    mnist_model_free(loaded);

    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.learning_rate = 0.1 + 0.2; /* has no short decimal */
    WORKS(mnist_model_compile(model, &compile, error));
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    WORKS(mnist_model_save(model, in("a"), error));
    WORKS(mnist_model_load(in("a"), &loaded, error));
    WORKS(mnist_model_save(loaded, in("b"), error));
    TRUE(same_files(in("a"), in("b")));
    WORKS(mnist_model_summary(model, collect, text[0], error));
    WORKS(mnist_model_summary(loaded, collect, text[1], error));
    TRUE(strlen(text[0]) > 100 && strcmp(text[0], text[1]) == 0);
    WORKS(mnist_model_predict_dataset(model, data, before, 640, error));
    WORKS(mnist_model_predict_dataset(loaded, data, after, 640, error));
    TRUE(memcmp(before, after, sizeof before) == 0);
    WORKS(mnist_model_evaluate(model, data, NULL, &a, error));
    WORKS(mnist_model_evaluate(loaded, data, NULL, &b, error));
    TRUE(memcmp(&a, &b, sizeof a) == 0);
    /* It also trains in the same way. */
    go_on_alike(model, loaded, "a", "b");
    mnist_model_free(loaded);

    /* A model file can be loaded as weights, but not the other way round. */
    mnist_model *other = network(8, 4, 16);
    WORKS(mnist_model_load_weights(other, in("a"), error));
    WORKS(mnist_model_save_weights(model, in("a.weights"), error));
    WORKS(mnist_model_save_weights(other, in("b.weights"), error));
    TRUE(same_files(in("a.weights"), in("b.weights")));
    loaded = NULL;
    FAILS(FORMAT, "a.weights: metadata format: not a whole model: expected `mnist-model`, found `mnist`",
          mnist_model_load(in("a.weights"), &loaded, error));
    TRUE(loaded == NULL);
    mnist_model_free(other);
    mnist_model_free(model);
}

/* Saves from a callback: each file has the state of the step that just ended. */
static int32_t save_each(void *user_data, const mnist_progress *progress)
{
    char name[64];
    snprintf(name, sizeof name, "step-%zu", progress->epoch * progress->batches + progress->batch);
    mnist_error *mine = mnist_error_new();
    TRUE(mnist_model_save(*(mnist_model **)user_data, in(name), mine) == MNIST_OK);
    mnist_error_free(mine);
    return 0;
}

static void from_a_callback(void)
{
    mnist_model *model = compiled();
    mnist_fit_options options = three_epochs();
    options.on_batch_end = save_each;
    options.user_data = &model;
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    mnist_model_free(model);
    for (int step = 0; step < 24; step++) {
        char name[64];
        snprintf(name, sizeof name, "step-%d", step);
        ends_the_same(in(name));
    }
}

/* Other threads save while one trains: every file must have the state of one step. */
static mnist_model *trained;
static int training, saved[3];

static void *save_often(void *which)
{
    const int i = (int)(intptr_t)which;
    mnist_error *mine = mnist_error_new();
    while (get(&training)) {
        char path[1024];
        snprintf(path, sizeof path, "%s/beside-%d-%d", folder, i, saved[i] % 8);
        TRUE(mnist_model_save(trained, path, mine) == MNIST_OK);
        count(&saved[i]);
    }
    mnist_error_free(mine);
    return NULL;
}

/* Training waits for them. */
static int32_t wait_for_savers(void *user_data, const mnist_progress *progress)
{
    (void)user_data;
    for (int i = 0; i < 3; i++)
        while (get(&saved[i]) <= (int)progress->epoch / 8)
            sched_yield();
    return 0;
}

static void from_other_threads(void)
{
    pthread_t threads[3];
    mnist_fit_options options = three_epochs();
    trained = compiled();
    /* Before a fit has begun there is nothing to resume. */
    options.epochs = 1;
    options.checkpoint_path = in("beside");
    WORKS(mnist_model_fit(trained, data, &options, NULL, error));
    set(&training, 1);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, save_often, (void *)(intptr_t)i);
    options.resume = 1;
    options.epochs = 60;
    options.on_epoch_end = wait_for_savers;
    WORKS(mnist_model_fit(trained, data, &options, NULL, error));
    options.on_epoch_end = NULL;
    set(&training, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    WORKS(mnist_model_save(trained, in("beside-whole"), error));
    mnist_model_free(trained);
    int files = 0;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 8 && j < saved[i]; j++, files++) {
            char name[64];
            snprintf(name, sizeof name, "beside-%d-%d", i, j);
            mnist_model *model = compiled();
            options.checkpoint_path = in(name);
            WORKS(mnist_model_fit(model, data, &options, NULL, error));
            WORKS(mnist_model_save(model, in("resumed"), error));
            TRUE(same_files(in("beside-whole"), in("resumed")));
            mnist_model_free(model);
        }
    }
    TRUE(files == 24);
}

/* A file of another fit is refused, and the model is unchanged. */
static void another_fit(void)
{
    mnist_model *model = compiled(), *other = network(8, 5, 16);
    mnist_fit_options options = three_epochs();
    float before[640], after[640];
    mnist_dataset *less = NULL, *changed = NULL;
    WORKS(mnist_dataset_slice(data, 0, 60, &less, error));
    WORKS(mnist_dataset_slice(data, 0, 64, &changed, error));
    WORKS(mnist_dataset_normalize(changed, 2.0f, error));
    WORKS(mnist_model_predict_dataset(model, data, before, 640, error));
    options.checkpoint_path = in("step-9");
    options.resume = 1;
#define OTHER(status, field, value, needle)                                                                             \
    do {                                                                                                                \
        mnist_fit_options another = options;                                                                            \
        another.field = value;                                                                                          \
        FAILS(status, needle, mnist_model_fit(model, data, &another, NULL, error));                                     \
    } while (0)
    OTHER(INVALID_ARGUMENT, batch_size, 7, "step-9: metadata model: key fit.plan.batch_size: not that of this fit: expected 7, found 6");
    OTHER(INVALID_ARGUMENT, seed, UINT64_MAX, "key fit.plan.seed: not that of this fit: expected 18446744073709551615, found 9");
    OTHER(INVALID_ARGUMENT, shuffle, 0, "key fit.plan.shuffle: not that of this fit: expected false, found true");
    OTHER(INVALID_ARGUMENT, initial_epoch, 1, "key fit.plan.initial_epoch: not that of this fit: expected 1, found 0");
    OTHER(INVALID_ARGUMENT, validation_split, 0.5, "key fit.plan.data");
    OTHER(INVALID_ARGUMENT, validation_data, data, "key fit.plan.data");
    FAILS(INVALID_ARGUMENT, "key fit.plan.data.count: not that of this fit: expected 45, found 48",
          mnist_model_fit(model, less, &options, NULL, error));
    FAILS(INVALID_ARGUMENT, "key fit.plan.data.fingerprint", mnist_model_fit(model, changed, &options, NULL, error));
    OTHER(FORMAT, checkpoint_path, in("a.weights"), "not a whole model");
    OTHER(INVALID_ARGUMENT, checkpoint_path, in("fresh"), "fresh: metadata model: key fit: a model without the position of a fit");
    OTHER(INVALID_ARGUMENT, checkpoint_path, NULL, "`checkpoint_path`: is NULL");
    OTHER(INVALID_ARGUMENT, checkpoint_path, "", "`options.checkpoint_path`: is empty");
    OTHER(INVALID_ARGUMENT, checkpoint_seconds, NAN, "`checkpoint_seconds`");
    OTHER(INVALID_ARGUMENT, checkpoint_seconds, -1.0, "`checkpoint_seconds`");
    OTHER(NOT_FOUND, checkpoint_path, in("no-folder/x"), "no-folder/x: temporary file beside it");
    OTHER(IO, checkpoint_path, folder, "cannot be replaced");
    WORKS(mnist_model_compile(other, NULL, error));
    FAILS(SHAPE, "key network.config.layers[1].config.filters: not this model's network: expected 5, found 4",
          mnist_model_fit(other, data, &options, NULL, error));
    WORKS(mnist_model_predict_dataset(model, data, after, 640, error));
    TRUE(memcmp(before, after, sizeof before) == 0);
    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.beta_1 = 0.8;
    WORKS(mnist_model_compile(model, &compile, error));
    FAILS(INVALID_ARGUMENT, "key compile.optimizer.config.beta_1: not what this model was compiled with: expected 0.8, found 0.9",
          mnist_model_fit(model, data, &options, NULL, error));
    mnist_dataset_free(less);
    mnist_dataset_free(changed);
    mnist_model_free(other);
    mnist_model_free(model);
    ends_the_same(in("step-9")); /* the file is unchanged, too */
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    error = mnist_error_new();
    data = noise(64, 8);
    uninterrupted();
    round_trip();
    from_a_callback();
    from_other_threads();
    another_fit();
    mnist_dataset_free(data);
    return report();
}
