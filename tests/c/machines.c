/* Several ranks of one fit, which must come to the bits of one process. hub.h exchanges their bytes.
 *
 *     machines bits              every layer, optimizer, loss and metric; the ranks are threads
 *     machines tutorial DATA     the tutorial's network
 *     machines bytes DATA RANKS  the bytes that a step of it exchanges, in order
 *     machines differ            ranks that differ
 *     machines stop              a rank that stops, changes the learning rate, or has no samples
 *     machines lost FOLDER       the ranks are processes: one is killed, one is stopped; the fit resumes from its checkpoint
 *
 * The same over MPI: machines_mpi.c. */
#include "hub.h"
#include "machines/differences.h"
#include "machines/tasks.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static hub *shared;
static int wrong;

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

/* On 1 to 8 ranks, or on 3. */
static void on_all(const task *t, int try_all)
{
    static const int32_t counts[] = {1, 2, 3, 4, 8};
    const outcome alone = fit(t, 1, NULL);
    if (alone.status != MNIST_OK) {
        printf("%s: %s\n", t->name, alone.message);
        wrong = 1;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (try_all || counts[i] == 3)
            same(t, counts[i], 1 + i % 2, &alone);
}
static task tutorial_task(const char *data)
{
    task t = {0};
    t.name = "tutorial", t.layers = TUTORIAL, t.optimizer = "'Adam'", t.metrics = "['accuracy']", t.odd = -1;
    t.shape[0] = t.shape[1] = 28, t.shape[2] = 1;
    t.batch = 32, t.epochs = 1, t.samples = 200, t.data = data;
    return t;
}

static void tutorial(const char *data)
{
    const task t = tutorial_task(data);
    on_all(&t, 1);
}

/* The exchanges before and after one step, which `note_step` notes. */
static size_t step_begin, step_end;

static int32_t note_step(void *user, const mnist_progress *progress)
{
    (void)user;
    if (progress->batch == 50)
        step_begin = shared->calls;
    step_end = shared->calls;
    return progress->batch == 51;
}

static void bytes(const char *data, int32_t ranks)
{
    outcome outcomes[HUB_RANKS];
    task t = tutorial_task(data);
    size_t sum = 0;
    t.odd = 0, t.on_batch_end = note_step, t.samples = 2500;
    together(&t, ranks, 1, outcomes);
    printf("%d ranks, the bytes of each exchange, all ranks together:", (int)ranks);
    for (size_t i = step_begin; i < step_end; sum += shared->last[i++ % HUB_CALLS])
        printf(" %zu", shared->last[i % HUB_CALLS]);
    printf("\n%zu exchanges, %zu bytes\n", step_end - step_begin, sum);
}

/* All ranks must get the error `others`; the odd one too, or, if it failed itself, the error `odd`. */
static void expect(const task *t, const char *others, const char *odd)
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
        wrong = 1, puts("the fit was not stopped");
    same(&t, 4, 1, &alone);
    t.on_batch_end = NULL, t.fails_at = 3; /* in the first epoch, which has 5 batches and 2 of validation */
    expect(&t, "rank 1: failed: samples ", "samples ");
    t.fails_at = 7;
    expect(&t, "rank 1: failed: samples ", "samples ");
    t.fails_at = 0, t.on_batch_end = slower;
    const char *rate = "rank 1: the learning rate differs from rank 0: expected the optimizer's, found 0.5";
    expect(&t, rate, rate);
}

/* The ranks are processes. Rank 1 gets `signal` during the fit. The outcomes are in shared memory. */
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
    task t = long_fit(NULL);
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

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    shared = hub_new();
    if (shared == NULL)
        return 3;
    if (strcmp(what, "bits") == 0)
        every_kind(on_all);
    else if (strcmp(what, "tutorial") == 0 && argc > 2)
        tutorial(argv[2]);
    else if (strcmp(what, "bytes") == 0 && argc > 3)
        bytes(argv[2], atoi(argv[3]));
    else if (strcmp(what, "differ") == 0)
        every_difference(expect);
    else if (strcmp(what, "stop") == 0)
        stop();
    else if (strcmp(what, "lost") == 0 && argc > 2)
        lost(argv[2]);
    else
        return 2;
    return wrong;
}
