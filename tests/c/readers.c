/* Eight threads call a model while it trains: readers FOLDER EPOCHS. The same fit is first run alone, and the model's
 * results after each step are recorded. A concurrent call must return the result of one complete step: not before the last
 * step that had ended when the call began, not after the step that was running when it returned, and not before the
 * thread's previous result. */

#include "asking.h"

#include <pthread.h>
#include <sched.h>

#define READERS 8

static const char *folder;
static mnist_dataset *data, *probes;

/* The model's results, without other threads, after each step and after each epoch's validation, which changes the position. */
static uint64_t (*moments)[QUESTIONS];
static int noted, room;

/* The current fit: its latest state, the number of results of each thread, and how many of all results were returned while a
 * step ended. */
static mnist_model *model;
static int now, ended, answered[READERS], crossed;

static const char *names[QUESTIONS] = {"predict", "predict_dataset", "evaluate", "summary", "save_weights", "save"};

static void note(const mnist_model *alone)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/alone", folder);
    if (noted == room)
        moments = realloc(moments, (size_t)(room += 1000) * sizeof *moments);
    for (int question = 0; question < QUESTIONS; question++)
        moments[noted][question] = ask(alone, (enum question)question, probes, path);
    noted++;
}

static int32_t note_it(void *alone, const mnist_progress *progress)
{
    (void)progress;
    note(alone);
    return 0;
}

static int32_t note_the_first(void *alone, const mnist_progress *progress)
{
    if (progress->epoch == 0)
        note(alone);
    return 0;
}

/* An epoch has eight batches, the last one smaller, and validation data. */
static mnist_fit_options epochs(const char *number)
{
    mnist_fit_options options = quiet();
    options.batch_size = 6;
    options.validation_split = 0.25;
    options.epochs = (size_t)atoi(number);
    options.seed = 5;
    return options;
}

static mnist_model *ready(size_t threads)
{
    mnist_model *made = network(8, 4, 16);
    WORKS(mnist_model_set_threads(made, threads, error));
    WORKS(mnist_model_compile(made, NULL, error));
    return made;
}

static void alone(const char *number)
{
    mnist_model *made = ready(2);
    mnist_fit_options options = epochs(number);
    options.on_epoch_begin = note_the_first;
    options.on_batch_end = note_it;
    options.on_epoch_end = note_it;
    options.user_data = made;
    note(made); /* before the fit */
    WORKS(mnist_model_fit(made, data, &options, NULL, error));
    TRUE(noted == 2 + (int)options.epochs * 9);
    mnist_model_free(made);
}

static int32_t step_on(void *unused, const mnist_progress *progress)
{
    (void)unused, (void)progress;
    set(&now, get(&now) + 1);
    return 0;
}

static int32_t begin(void *unused, const mnist_progress *progress)
{
    return progress->epoch == 0 ? step_on(unused, progress) : 0;
}

/* After an epoch training waits until every thread has as many results as there were epochs. */
static int32_t wait_for_readers(void *unused, const mnist_progress *progress)
{
    for (int i = 0; i < READERS; i++)
        while (get(&answered[i]) <= (int)progress->epoch)
            sched_yield();
    return step_on(unused, progress);
}

/* The first state from `first` to `last` with that result; -1 if there is none. */
static int moment_of(int question, uint64_t answer, int first, int last)
{
    for (int i = first; i <= last && i < noted; i++)
        if (moments[i][question] == answer)
            return i;
    return -1;
}

/* A file that was saved during the fit is a model, which equals the model at that time. */
static void load(const char *path, int moment)
{
    mnist_model *loaded = NULL;
    TRUE(mnist_model_load(path, &loaded, NULL) == MNIST_OK);
    TRUE(mnist_model_set_threads(loaded, 1, NULL) == MNIST_OK);
    TRUE(moment_of(PREDICT, ask(loaded, PREDICT, probes, NULL), moment, moment) == moment);
    mnist_model_free(loaded);
}

static void *keep_asking(void *which)
{
    const int reader = (int)(intptr_t)which;
    int last = 0;
    char path[1024];
    snprintf(path, sizeof path, "%s/reader-%d", folder, reader);
    for (int turn = 0; !get(&ended); turn++) {
        const int question = (reader + turn) % QUESTIONS, before = get(&now);
        const uint64_t answer = ask(model, (enum question)question, probes, path);
        const int after = get(&now);
        const int moment = moment_of(question, answer, before > last ? before : last, after + 1);
        TRUE(moment >= 0);
        if (moment < 0)
            fprintf(stderr, "  reader %d, turn %d, %s: asked at %d after %d, answered at %d as at %d\n", reader, turn,
                    names[question], before, last, after, moment_of(question, answer, 0, noted));
        else
            last = moment;
        if (after > before)
            count(&crossed);
        if (question == WHOLE && turn % 16 < QUESTIONS && moment >= 0)
            load(path, moment);
        set(&answered[reader], turn + 1);
    }
    return which;
}

static void beside_a_fit(const char *number, size_t threads)
{
    pthread_t readers[READERS];
    mnist_fit_options options = epochs(number);
    options.on_epoch_begin = begin;
    options.on_batch_end = step_on;
    options.on_epoch_end = wait_for_readers;
    model = ready(threads);
    set(&now, 0);
    set(&ended, 0);
    set(&crossed, 0);
    for (int i = 0; i < READERS; i++) {
        set(&answered[i], 0);
        TRUE(pthread_create(&readers[i], NULL, keep_asking, (void *)(intptr_t)i) == 0);
    }
    WORKS(mnist_model_fit(model, data, &options, NULL, error));
    set(&ended, 1);
    int all = 0;
    for (int i = 0; i < READERS; i++) {
        TRUE(pthread_join(readers[i], NULL) == 0);
        all += answered[i];
    }
    TRUE(now == noted - 1);
    TRUE(crossed > (int)options.epochs / 4);
    printf("%zu threads, %d moments, %d answers, %d of them across a step\n", threads, noted, all, crossed);
    mnist_model_free(model);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    folder = argv[1];
    error = mnist_error_new();
    data = noise(64, 8);
    probes = noise(PROBES, 8);
    alone(argv[2]);
    for (size_t threads = 1; threads <= 3; threads++)
        beside_a_fit(argv[2], threads);
    free(moments);
    mnist_dataset_free(probes);
    mnist_dataset_free(data);
    return report();
}
