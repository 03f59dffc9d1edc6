/* The tutorial's calls with little address space left: limit DATA FOLDER. For each of several amounts a child of this
 * process limits itself to that much more than it has, and makes the calls: each works or returns
 * MNIST_ERROR_OUT_OF_MEMORY. After the limit is removed they work. */

#define _GNU_SOURCE

#include "expect.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *data, *folder;

/* The address space of this process in bytes. */
static size_t used(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld", &pages) != 1)
        exit(EXIT_FAILURE);
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit(rlim_t bytes)
{
    struct rlimit now;
    getrlimit(RLIMIT_AS, &now);
    now.rlim_cur = bytes;
    TRUE(setrlimit(RLIMIT_AS, &now) == 0);
}

static int refused; /* calls */

static int works(int line, mnist_status status)
{
    TRUE(status == MNIST_OK || status == MNIST_ERROR_OUT_OF_MEMORY);
    TRUE(mnist_error_status(error) == status);
    if (status != MNIST_OK && status != MNIST_ERROR_OUT_OF_MEMORY)
        fprintf(stderr, "line %d: %s\n", line, mnist_error_message(error));
    refused += status == MNIST_ERROR_OUT_OF_MEMORY;
    return status == MNIST_OK;
}
#define TRY(call) works(__LINE__, call)

/* Everything that the tutorial does, as far as memory allows. */
static void tutorial(void)
{
    mnist_dataset *train = NULL, *test = NULL, *few = NULL;
    mnist_model *model = NULL, *loaded = NULL;
    mnist_metrics metrics;
    char path[1024];
    static float p[640];
    mnist_fit_options options = quiet();
    options.validation_split = 0.5;
    if (TRY(mnist_load_data(data, &train, &test, error))) {
        TRY(mnist_dataset_normalize(train, 255.0f, error));
        TRY(mnist_dataset_slice(train, 0, 64, &few, error));
    }
    TRUE((train == NULL) == (test == NULL));
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    if (x && TRY(mnist_model_new(input, x, NULL, &model, error)) && TRY(mnist_model_compile(model, NULL, error)) && few) {
        TRY(mnist_model_fit(model, few, &options, NULL, error));
        TRY(mnist_model_evaluate(model, few, NULL, &metrics, error));
        TRY(mnist_model_predict_dataset(model, few, p, 640, error));
        snprintf(path, sizeof path, "%s/limited", folder);
        if (TRY(mnist_model_save(model, path, error)))
            TRY(mnist_model_load(path, &loaded, error));
    }
    mnist_model_free(loaded);
    mnist_model_free(model);
    mnist_graph_free(graph);
    mnist_dataset_free(few);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
}

static int child(size_t left)
{
    alarm(120); /* ends a child that hangs */
    limit(used() + left);
    tutorial();
    limit(RLIM_INFINITY);
    const int then = refused;
    refused = 0;
    tutorial();
    TRUE(refused == 0);
    if (failures > 0)
        return 2;
    return then > 0;
}

int main(int argc, char **argv)
{
    static const size_t kilobytes[] = {0, 50, 100, 150, 200, 400, 1000, 2500, 6000, 15000, 40000, 100000, 250000, 1000000};
    const size_t amounts = sizeof kilobytes / sizeof *kilobytes;
    if (argc != 3)
        return 2;
    data = argv[1];
    folder = argv[2];
    error = mnist_error_new();
    for (size_t i = 0; i < amounts; i++) {
        const pid_t pid = fork();
        if (pid == 0)
            _exit(child(kilobytes[i] * 1000));
        int status = -1;
        TRUE(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        printf("%zu kB left: %s\n", kilobytes[i],
               !WIFEXITED(status)          ? "died"
               : WEXITSTATUS(status) == 0 ? "enough"
               : WEXITSTATUS(status) == 1 ? "out of memory"
                                          : "wrong");
        /* With almost no memory some calls are refused, with a gigabyte none. */
        TRUE(WEXITSTATUS(status) == (i < 6 ? 1 : i == amounts - 1 ? 0 : WEXITSTATUS(status) & 1));
    }
    mnist_dataset_free(noise(2, 2));
    mnist_model_free(network(8, 2, 2));
    return report();
}
