/* What the library leaves behind in its host: host DATA FOLDER. After everything is freed, signals, open files, threads and
 * the environment must be as before. While it computes, its threads must be its own and block the signals that the caller
 * blocked. */

#define _XOPEN_SOURCE 600 /* for sigaltstack */

#include "expect.h"

#include <dirent.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* The number of entries of a folder. */
static int entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    TRUE(dir != NULL);
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

struct state {
    struct sigaction actions[32];
    sigset_t mask;
    stack_t stack;
    int files, threads;
    char folder[4096];
};

static void look(struct state *state)
{
    memset(state, 0, sizeof *state);
    for (int signal = 1; signal < 32; signal++)
        sigaction(signal, NULL, &state->actions[signal]);
    pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
    sigaltstack(NULL, &state->stack);
    state->files = entries("/proc/self/fd");
    state->threads = entries("/proc/self/task");
    TRUE(getcwd(state->folder, sizeof state->folder) != NULL);
}

static void same(const struct state *a, const struct state *b)
{
    for (int signal = 1; signal < 32; signal++) {
        const struct sigaction *x = &a->actions[signal], *y = &b->actions[signal];
        TRUE(x->sa_handler == y->sa_handler && x->sa_flags == y->sa_flags);
        TRUE(sigismember(&a->mask, signal) == sigismember(&b->mask, signal));
    }
    TRUE(a->stack.ss_flags == b->stack.ss_flags && a->stack.ss_sp == b->stack.ss_sp);
    TRUE(a->files == b->files);
    TRUE(a->threads == b->threads);
    TRUE(strcmp(a->folder, b->folder) == 0);
}

static int fits;

/* During a fit: two additional threads, mnist-0 and mnist-1, which block SIGUSR1 as the caller does. */
static int32_t during(void *before, const mnist_progress *progress)
{
    int ours = 0;
    TRUE(entries("/proc/self/task") == ((struct state *)before)->threads + 2);
    TRUE(entries("/proc/self/fd") == ((struct state *)before)->files);
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[512], line[256], name[256] = "";
        unsigned long long blocked = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (file && fgets(line, sizeof line, file)) {
            sscanf(line, "Name: %255s", name);
            sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (file)
            fclose(file);
        if (strncmp(name, "mnist-", 6) == 0) {
            ours++;
            TRUE(blocked >> (SIGUSR1 - 1) & 1);
        }
    }
    if (dir)
        closedir(dir);
    TRUE(ours == 2);
    fits++;
    return progress->batch == 2;
}

static void use(const char *path, const char *folder, struct state *before)
{
    char file[4096];
    mnist_npz *npz = NULL;
    mnist_dataset *train = NULL, *test = NULL, *some = noise(160, 28);
    mnist_model *loaded = NULL;
    mnist_metrics metrics;
    float image[28 * 28], p[10];
    mnist_fit_options options = quiet();
    WORKS(mnist_npz_open(path, &npz, error));
    mnist_npz_free(npz);
    WORKS(mnist_load_data(path, &train, &test, error));
    mnist_model *model = network(28, 4, 8);
    WORKS(mnist_model_set_threads(model, 2, error));
    WORKS(mnist_model_compile(model, NULL, error));
    snprintf(file, sizeof file, "%s/checkpoint", folder);
    options.checkpoint_path = file;
    options.on_batch_end = during;
    options.user_data = before;
    TRUE(mnist_model_fit(model, some, &options, NULL, error) == MNIST_CANCELLED);
    WORKS(mnist_model_evaluate(model, some, NULL, &metrics, error));
    WORKS(mnist_dataset_image(some, 0, image, 28 * 28, NULL, error));
    WORKS(mnist_model_predict(model, image, 1, p, 10, error));
    WORKS(mnist_model_load(file, &loaded, error));
    WORKS(mnist_model_save_weights(loaded, file, error));
    FAILS(NOT_FOUND, "nothing", mnist_model_load("nothing", &loaded, error));
    mnist_model_free(loaded);
    mnist_model_free(model);
    mnist_dataset_free(some);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
}

int main(int argc, char **argv)
{
    struct state before, after;
    const struct timespec moment = {0, 10000000};
    sigset_t blocked;
    if (argc != 3)
        return 2;
    error = mnist_error_new();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    look(&before);
    use(argv[1], argv[2], &before);
    /* A joined thread may still be listed for a moment. */
    for (int i = 0; i < 100 && entries("/proc/self/task") != before.threads; i++)
        nanosleep(&moment, NULL);
    look(&after);
    same(&before, &after);
    TRUE(fits == 3);
    TRUE(entries(argv[2]) == 3); /* ".", ".." and the checkpoint */
    return report();
}
