/* Several ranks at one fit, which must come to the bits of one process; `hub.h` carries their bytes.
 *
 *     machines bits              every layer, optimizer, loss and metric, ranks being threads
 *     machines tutorial DATA     the tutorial's network
 *     machines bytes DATA RANKS  what its steps exchange, in the order of the exchanges
 *     machines differ            ranks that do not fit the same
 *     machines stop              a rank that wants to stop, and one that changes the learning rate
 *     machines lost FOLDER       ranks are processes; one is killed, one is stopped; others go on from the checkpoint
 *
 * With MACHINES_MPI the ranks of the first two are those of MPI.
 */
#ifdef MACHINES_MPI
#include <mnist_mpi.h>
#endif
#include "../../packaging/ports/golden.h"
#include "hub.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static hub *shared;

typedef struct {
    const char *name;
    size_t shape[3];
    const golden_layer *layers;
    const char *optimizer, *loss, *metrics, *callbacks;
    size_t batch, epochs, samples;
    const char *data; /* an npz archive; NULL: noise */
    const char *checkpoint;
    size_t checkpoint_batches;
    /* What rank `odd` does otherwise. */
    int odd;
    void (*otherwise)(mnist_fit_options *fit);
    unsigned noise, seed; /* what it has for data, and for weights */
    const char *odd_optimizer;
    mnist_callback on_batch_end;
} task;

/* What a fit came to. */
typedef struct {
    mnist_status status;
    char message[512];
    uint64_t hash;
} outcome;

static void works(mnist_status status, const mnist_error *error)
{
    if (status != MNIST_OK) {
        fprintf(stderr, "machines: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(1);
    }
}

static uint64_t with_bytes(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of_weights(const mnist_model *model, mnist_error *error)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[8], rank, count = 1;
        works(mnist_model_weight_shape(model, name, dims, 8, &rank, error), error);
        for (size_t d = 0; d < rank; d++)
            count *= dims[d];
        float *values = malloc(count * sizeof *values);
        works(mnist_model_get_weight(model, name, values, count, error), error);
        hash = with_bytes(hash, values, count * sizeof *values);
        free(values);
    }
    return hash;
}

/* Everything that was measured, in every epoch. */
static uint64_t with_history(uint64_t hash, const mnist_history *history, mnist_error *error)
{
    for (size_t i = 0; i < mnist_history_metrics_len(history); i++)
        for (size_t epoch = 0; epoch < mnist_history_epochs(history); epoch++) {
            double value;
            if (mnist_history_get(history, mnist_history_metric_name(history, i), epoch, &value, error) == MNIST_OK)
                hash = with_bytes(hash, &value, sizeof value); /* an epoch that was cut short is not validated */
        }
    return hash;
}

static mnist_dataset *noise(const size_t *shape, size_t count, size_t classes, int targets, unsigned seed, mnist_error *error)
{
    const size_t dims[4] = {count, shape[0], shape[1], shape[2]}, y_dims[2] = {count, classes};
    const size_t rank = shape[1] == 0 ? 2 : shape[2] == 0 ? 3 : 4;
    size_t len = count;
    for (size_t d = 1; d < rank; d++)
        len *= dims[d];
    float *x = malloc(len * sizeof *x), *y = malloc(count * classes * sizeof *y);
    uint32_t *labels = malloc(count * sizeof *labels), state = 1 + seed;
    for (size_t i = 0; i < len; i++)
        x[i] = (float)(state = state * 1664525u + 1013904223u) / 2147483648.0f - 1.0f;
    for (size_t i = 0; i < count * classes; i++)
        y[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint32_t)(i * 7 % classes);
    const mnist_array samples = {x, MNIST_DTYPE_F32, rank, dims};
    const mnist_array given = targets ? (mnist_array){y, MNIST_DTYPE_F32, 2, y_dims}
                                      : (mnist_array){labels, MNIST_DTYPE_U32, 1, y_dims};
    mnist_dataset *data;
    works(mnist_dataset_new(&samples, &given, NULL, &data, error), error);
    free(x), free(y), free(labels);
    return data;
}

static mnist_dataset *digits(const task *t, mnist_error *error)
{
    mnist_dataset *all, *test, *data;
    works(mnist_load_data(t->data, &all, &test, error), error);
    works(mnist_dataset_slice(all, 0, t->samples, &data, error), error);
    works(mnist_dataset_normalize(data, 255.0f, error), error);
    works(mnist_dataset_expand_dims(data, error), error);
    mnist_dataset_free(all), mnist_dataset_free(test);
    return data;
}

static mnist_model *model_of(const task *t, size_t threads, unsigned seed, mnist_error *error)
{
    const size_t rank = t->shape[1] == 0 ? 1 : t->shape[2] == 0 ? 2 : 3;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, t->shape, rank), *x = input, *marked = NULL;
    mnist_model *model;
    mnist_compile_options options;
    if (seed != 0)
        mnist_graph_set_seed(graph, seed);
    for (const golden_layer *layer = t->layers; layer->class_name != NULL; layer++) {
        if (strcmp(layer->class_name, "mark") == 0) {
            marked = x;
        } else if (layer->joins) {
            mnist_tensor *both[2] = {x, marked};
            x = mnist_merge(both, 2, layer->class_name, layer->config);
        } else {
            x = mnist_layer(x, layer->class_name, layer->config);
        }
    }
    works(mnist_model_new(input, x, "machines", &model, error), error);
    mnist_graph_free(graph);
    works(mnist_model_set_threads(model, threads, error), error);
    mnist_compile_options_init(&options, sizeof options);
    options.optimizer_config = t->optimizer, options.metrics_config = t->metrics;
    options.loss_config = t->loss != NULL ? t->loss : LABEL_LOSS;
    works(mnist_model_compile(model, &options, error), error);
    return model;
}

/* A fit of a rank, or alone. */
static outcome fit(const task *given, size_t threads, const mnist_communicator *communicator)
{
    task own = *given;
    const int32_t rank = communicator != NULL ? communicator->rank : 0;
    const int odd = communicator != NULL && rank == own.odd;
    const task *t = &own;
    mnist_error *error = mnist_error_new();
    mnist_fit_options options;
    mnist_history *history = NULL;
    outcome result = {0};
    if (odd && t->odd_optimizer != NULL)
        own.optimizer = t->odd_optimizer;
    mnist_model *model = model_of(t, threads, odd ? t->seed : 0, error);
    mnist_dataset *data = t->data != NULL ? digits(t, error)
                                          : noise(t->shape, t->samples, mnist_model_output_len(model), t->loss != NULL,
                                                  odd ? t->noise : 0, error);
    mnist_fit_options_init(&options, sizeof options);
    options.verbose = 0, options.batch_size = t->batch, options.epochs = t->epochs, options.seed = 5;
    options.validation_split = 0.2, options.callbacks_config = t->callbacks;
    options.checkpoint_path = t->checkpoint, options.resume = t->checkpoint != NULL;
    options.checkpoint_batches = t->checkpoint != NULL ? t->checkpoint_batches : 0;
    options.communicator = communicator;
    options.on_batch_end = odd || communicator == NULL ? t->on_batch_end : NULL;
    options.user_data = model;
    if (odd && t->otherwise != NULL)
        t->otherwise(&options);
    result.status = mnist_model_fit(model, data, &options, &history, error);
    snprintf(result.message, sizeof result.message, "%s", mnist_error_message(error));
    if (result.status == MNIST_OK || result.status == MNIST_CANCELLED) {
        result.hash = with_history(hash_of_weights(model, error), history, error);
        mnist_history_free(history);
    }
    mnist_model_free(model), mnist_dataset_free(data), mnist_error_free(error);
    return result;
}

typedef struct {
    const task *task;
    size_t threads;
    hub_rank rank;
    outcome outcome;
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    w->outcome = fit(w->task, w->threads, &w->rank.communicator);
    return NULL;
}

/* The fit of so many ranks, each a thread. */
static void together(const task *t, int32_t ranks, size_t threads, outcome *outcomes)
{
    static worker workers[HUB_RANKS];
    pthread_t started[HUB_RANKS];
    hub_reset(shared, ranks, 20);
    for (int32_t rank = 0; rank < ranks; rank++) {
        workers[rank].task = t, workers[rank].threads = threads;
        hub_join(&workers[rank].rank, shared, rank);
        if (pthread_create(&started[rank], NULL, work, &workers[rank]) != 0)
            exit(3);
    }
    for (int32_t rank = 0; rank < ranks; rank++) {
        pthread_join(started[rank], NULL);
        outcomes[rank] = workers[rank].outcome;
    }
}

static int wrong;

static void same(const task *t, int32_t ranks, size_t threads, const outcome *alone)
{
    outcome outcomes[HUB_RANKS];
    together(t, ranks, threads, outcomes);
    for (int32_t rank = 0; rank < ranks; rank++)
        if (outcomes[rank].status != alone->status || outcomes[rank].hash != alone->hash) {
            printf("%s, %d ranks, %d threads: rank %d: status %d, %016llx instead of %016llx: %s\n", t->name, (int)ranks,
                   (int)threads, (int)rank, (int)outcomes[rank].status, (unsigned long long)outcomes[rank].hash,
                   (unsigned long long)alone->hash, outcomes[rank].message);
            wrong = 1;
            return;
        }
}

#ifdef MACHINES_MPI
static void everywhere(const task *t, int many)
{
    static MPI_Comm ranks = MPI_COMM_NULL;
    if (ranks == MPI_COMM_NULL)
        MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
    const mnist_communicator communicator = mnist_mpi_communicator(&ranks);
    const outcome alone = fit(t, 1, NULL);
    for (size_t threads = 1; threads <= (many ? 2u : 1u); threads++) {
        const outcome found = fit(t, threads, &communicator);
        if (found.status != MNIST_OK || found.hash != alone.hash) {
            printf("%s, rank %d: status %d: %s\n", t->name, (int)communicator.rank, (int)found.status, found.message);
            wrong = 1;
        }
    }
}
#else
/* On 1 to 8 ranks, or on some. */
static void everywhere(const task *t, int many)
{
    static const int32_t counts[] = {1, 2, 3, 4, 8};
    const outcome alone = fit(t, 1, NULL);
    if (alone.status != MNIST_OK) {
        printf("%s: %s\n", t->name, alone.message);
        wrong = 1;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (many || counts[i] == 3)
            same(t, counts[i], 1 + i % 2, &alone);
}
#endif

static const golden_layer DEALT[] = {{"Conv2D", "{filters: 17, kernel_size: 3, activation: 'relu'}", 0},
                                     {"Flatten", NULL, 0},
                                     {"Dense", "{units: 40, activation: 'relu'}", 0},
                                     {"Dropout", "{rate: 0.2}", 0},
                                     {"Dense", "{units: 700, activation: 'tanh'}", 0},
                                     {"Dense", "{units: 128}", 0},
                                     {"LayerNormalization", NULL, 0},
                                     {"Reshape", "{target_shape: [4, 4, 8]}", 0},
                                     {"Conv2DTranspose", "{filters: 3, kernel_size: 2, strides: 2}", 0},
                                     {"Flatten", NULL, 0},
                                     CLASSES,
                                     {0}};

static void bits(void)
{
    task t = {0};
    t.odd = -1, t.epochs = 2;
    for (const golden_network *n = NETWORKS; n->name != NULL; n++) {
        t.name = n->name, t.layers = n->layers, t.optimizer = n->optimizer, t.batch = n->batch;
        memcpy(t.shape, n->shape, sizeof t.shape);
        t.samples = 4 * n->batch + 1, t.metrics = "['accuracy']";
        everywhere(&t, 1);
        t.batch = 37, t.samples = 60; /* groups of two, the last one short; then a short batch */
        everywhere(&t, 1);
    }
    const size_t wide[3] = {12, 13, 2};
    t.name = "dealt", t.layers = DEALT, t.batch = 35, t.samples = 100;
    memcpy(t.shape, wide, sizeof wide);
    static const char *const ways[] = {"'Adam'", "{class_name: 'Adam', config: {global_clipnorm: 0.1}}", "'SGD'",
                                       "{class_name: 'Adam', config: {use_ema: true}}"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        t.optimizer = ways[i];
        t.callbacks = "[{class_name: 'EarlyStopping', config: {patience: 1, restore_best_weights: true}},"
                      "{class_name: 'ReduceLROnPlateau', config: {patience: 1, min_delta: 10}}]";
        t.epochs = 4;
        everywhere(&t, 1);
    }
    t.callbacks = NULL, t.epochs = 2;
    memcpy(t.shape, SMALL_SHAPE, sizeof t.shape);
    t.batch = 8, t.samples = 30, t.layers = SMALL;
    for (const char *const *optimizer = OPTIMIZERS; *optimizer != NULL; optimizer++) {
        t.name = t.optimizer = *optimizer;
        everywhere(&t, 0);
    }
    t.optimizer = "'Adam'", t.name = "metrics of labels", t.metrics = LABEL_METRICS;
    everywhere(&t, 0);
    t.layers = SMALL_SIGMOID, t.metrics = TARGET_METRICS;
    for (const char *const *loss = LOSSES; *loss != NULL; loss++) {
        t.name = t.loss = *loss;
        everywhere(&t, 0);
    }
}

static void tutorial(const char *data)
{
    task t = {0};
    t.name = "tutorial", t.layers = TUTORIAL, t.optimizer = "'Adam'", t.metrics = "['accuracy']", t.odd = -1;
    t.shape[0] = t.shape[1] = 28, t.shape[2] = 1;
    t.batch = 32, t.epochs = 1, t.samples = 200, t.data = data;
    everywhere(&t, 1);
    printf("%zu exchanges of all 8 ranks, %zu bytes received\n", shared->calls, shared->bytes);
}

static void bytes(const char *data, int32_t ranks)
{
    outcome outcomes[HUB_RANKS];
    task t = {0};
    t.name = "tutorial", t.layers = TUTORIAL, t.optimizer = "'Adam'", t.metrics = "['accuracy']", t.odd = -1;
    t.shape[0] = t.shape[1] = 28, t.shape[2] = 1;
    t.batch = 32, t.epochs = 1, t.data = data, t.on_batch_end = NULL;
    size_t calls[2];
    for (size_t i = 0; i < 2; i++) { /* with one more step */
        t.samples = 4000 + 40 * i;
        together(&t, ranks, 1, outcomes);
        calls[i] = shared->calls;
    }
    printf("%zu exchanges a step; the last ones:", calls[1] - calls[0]);
    for (size_t i = shared->calls - HUB_CALLS; i < shared->calls; i++)
        printf(" %zu", shared->last[i % HUB_CALLS]);
    puts("");
}

static task small(void)
{
    task t = {0};
    t.name = "small", t.layers = HALVES, t.optimizer = "'Adam'", t.odd = 1;
    memcpy(t.shape, HALVES_SHAPE, sizeof t.shape);
    t.batch = 8, t.epochs = 3, t.samples = 50;
    return t;
}

static void other_seed(mnist_fit_options *fit) { fit->seed = 6; }
static void other_batch(mnist_fit_options *fit) { fit->batch_size = 7; }
static void other_epochs(mnist_fit_options *fit) { fit->epochs = 4; }
static void no_epochs(mnist_fit_options *fit) { fit->epochs = 0; }

/* All ranks must say so; the odd one too, or what is wrong with itself. */
static void says(const task *t, const char *others, const char *odd)
{
    outcome outcomes[HUB_RANKS];
    together(t, 3, 1, outcomes);
    for (int rank = 0; rank < 3; rank++) {
        const char *expected = rank == t->odd ? odd : others;
        const int network = outcomes[rank].status == MNIST_ERROR_NETWORK;
        if (strstr(outcomes[rank].message, expected) != outcomes[rank].message || network != (expected == others)) {
            printf("rank %d: status %d: expected %s, found %s\n", rank, (int)outcomes[rank].status, expected,
                   outcomes[rank].message);
            wrong = 1;
        }
    }
}

static void differ(void)
{
    const char *seed = "rank 1: key fit.plan.seed: not that of rank 0: expected 5, found 6";
    const char *batch = "rank 1: key fit.plan.batch_size: not that of rank 0: expected 8, found 7";
    const char *epochs = "rank 1: key fit.epochs: not that of rank 0: expected 3, found 4";
    const char *data = "rank 1: key fit.plan.data.fingerprint: not that of rank 0: ";
    const char *weights = "rank 1: key weights: not that of rank 0: ";
    const char *optimizer = "rank 1: key compile.optimizer.class_name: not that of rank 0: expected \"Adam\", found \"SGD\"";
    task t = small();
    t.otherwise = other_seed, says(&t, seed, seed);
    t.otherwise = other_batch, says(&t, batch, batch);
    t.otherwise = other_epochs, says(&t, epochs, epochs);
    t.otherwise = no_epochs, says(&t, "rank 1: gave up: option `epochs`: no epochs", "option `epochs`: no epochs");
    t.otherwise = NULL, t.noise = 1, says(&t, data, data);
    t.noise = 0, t.seed = 1, says(&t, weights, weights);
    t.seed = 0, t.odd_optimizer = "'SGD'", says(&t, optimizer, optimizer);
}

static int32_t stop_here(void *user, const mnist_progress *progress)
{
    (void)user;
    return progress->epoch == 1 && progress->batch == 2;
}

static int32_t slower(void *user, const mnist_progress *progress)
{
    if (progress->epoch == 1 && progress->batch == 1)
        mnist_model_set_learning_rate(user, 0.5, NULL);
    return 0;
}

static void stop(void)
{
    task t = small();
    t.on_batch_end = stop_here;
    const outcome alone = fit(&t, 1, NULL);
    if (alone.status != MNIST_CANCELLED)
        wrong = 1, puts("it was not stopped");
    same(&t, 4, 1, &alone);
    t.on_batch_end = slower;
    const char *rate = "rank 1: not the learning rate of rank 0: expected the optimizer's, found 0.5";
    says(&t, rate, rate);
}

/* Ranks as processes; `signal` goes to rank 1 in the midst of the fit. What each came to lies in shared memory. */
static void lose(const task *t, int signal, outcome *outcomes)
{
    pid_t children[3];
    hub_reset(shared, 3, 2);
    for (int32_t rank = 0; rank < 3; rank++) {
        children[rank] = fork();
        if (children[rank] == 0) {
            hub_rank own;
            hub_join(&own, shared, rank);
            outcomes[rank] = fit(t, 1, &own.communicator);
            _exit(0);
        }
    }
    while (shared->calls < 100)
        usleep(1000);
    kill(children[1], signal);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    waitpid(children[0], NULL, 0), waitpid(children[2], NULL, 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    kill(children[1], signal == SIGSTOP ? SIGCONT : SIGKILL);
    waitpid(children[1], NULL, 0);
    if (end.tv_sec - begin.tv_sec > 5)
        wrong = 1, printf("it took %ld s\n", (long)(end.tv_sec - begin.tv_sec));
}

static void lost(const char *folder)
{
    static const int signals[] = {SIGKILL, SIGSTOP};
    char checkpoint[4096];
    task t = small();
    t.odd = -1, t.layers = DEALT, t.epochs = 40, t.checkpoint_batches = 3;
    t.shape[0] = 12, t.shape[1] = 13, t.shape[2] = 2;
    outcome *outcomes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint-%d", folder, (int)i);
        t.checkpoint = checkpoint;
        memset(outcomes, 0, 3 * sizeof *outcomes);
        lose(&t, signals[i], outcomes);
        for (int rank = 0; rank < 3; rank += 2)
            if (outcomes[rank].status != MNIST_ERROR_NETWORK || strstr(outcomes[rank].message, "rank 1 does not answer") == NULL)
                wrong = 1, printf("rank %d: %d: %s\n", rank, (int)outcomes[rank].status, outcomes[rank].message);
        if (signals[i] == SIGSTOP && outcomes[1].status != MNIST_ERROR_NETWORK)
            wrong = 1, printf("the stopped rank: %d: %s\n", (int)outcomes[1].status, outcomes[1].message);
        outcome resumed[HUB_RANKS];
        together(&t, 2, 1, resumed);
        t.checkpoint = NULL;
        const outcome alone = fit(&t, 2, NULL);
        for (int rank = 0; rank < 2; rank++)
            if (resumed[rank].status != MNIST_OK || resumed[rank].hash != alone.hash)
                wrong = 1, printf("resumed, rank %d: %d: %s\n", rank, (int)resumed[rank].status, resumed[rank].message);
    }
}

#ifdef MACHINES_MPI
static void finalize(void)
{
    MPI_Finalize();
}
#endif

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
#ifdef MACHINES_MPI
    MPI_Init(&argc, &argv);
    atexit(finalize);
#endif
    shared = hub_new();
    if (shared == NULL)
        return 3;
    if (strcmp(what, "bits") == 0)
        bits();
    else if (strcmp(what, "tutorial") == 0 && argc > 2)
        tutorial(argv[2]);
    else if (strcmp(what, "bytes") == 0 && argc > 3)
        bytes(argv[2], atoi(argv[3]));
    else if (strcmp(what, "differ") == 0)
        differ();
    else if (strcmp(what, "stop") == 0)
        stop();
    else if (strcmp(what, "lost") == 0 && argc > 2)
        lost(argv[2]);
    else
        return 2;
    return wrong;
}
