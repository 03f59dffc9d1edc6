/* Measures the time from starting a process to a network with 99 % accuracy on MNIST's test digits.
 *
 *     speedrun [--seeds N] [DATA]             N trainings (default: 30), each in its own process with its own seed
 *     speedrun --choose [--seeds N] [DATA]    repeats the choice of the number of epochs
 *
 * DATA is MNIST as an npz archive (default: data/mnist.npz). The clock starts before the process is started and stops when it
 * has ended, so it includes loading, training and the test. docs/record.md has the rules and the results. Needs POSIX.
 *
 * The number of epochs is fixed: EPOCHS, 1.5. It is the smallest multiple of one half for which networks trained on the first
 * 50,000 training images reach a mean accuracy of at least 99.0 % on the last 10,000, over 30 seeds, as --choose shows.
 * Network, batch size and learning rate were chosen on these images, too. The test images were not used for any choice. */

#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, KEPT = 10000 };
static const double EPOCHS = 1.5;

/* A convolution without bias, max pooling, batch normalization, relu. Pooling first leaves a quarter of the work to the others. */
static mnist_tensor *block(mnist_tensor *x, int filters, int size)
{
    char config[80];
    snprintf(config, sizeof config, "{filters: %d, kernel_size: %d, use_bias: false}", filters, size);
    x = mnist_max_pooling2d(mnist_layer(x, "Conv2D", config), 2);
    return mnist_activate(mnist_layer(x, "BatchNormalization", "{momentum: 0.9}"), MNIST_ACTIVATION_RELU);
}

/* The network, and Adam with a learning rate that rises over a fifth of the steps and then falls to zero. */
static mnist_model *build(uint64_t seed, size_t steps, mnist_error *error)
{
    mnist_model *model;
    mnist_compile_options compile;
    char optimizer[256];
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, seed);
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_flatten(block(block(input, 16, 5), 24, 3));
    x = mnist_layer(mnist_dense(x, 64, MNIST_ACTIVATION_RELU), "BatchNormalization", "{momentum: 0.9}");
    check(mnist_model_new(input, mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX), "speedrun", &model, error), error);
    mnist_graph_free(graph);

    snprintf(optimizer, sizeof optimizer,
             "{class_name: 'Adam', config: {learning_rate: {class_name: 'CosineDecay', config: {initial_learning_rate: 0.0006,"
             " warmup_target: 0.006, warmup_steps: %zu, decay_steps: %zu}}}}",
             steps / 5, steps - steps / 5);
    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer_config = optimizer;
    check(mnist_model_compile(model, &compile, error), error);
    return model;
}

/* Trains on `train`; returns the accuracy on `test`. */
static double learn(uint64_t seed, double epochs, const mnist_dataset *train, const mnist_dataset *test, mnist_error *error)
{
    mnist_metrics metrics;
    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.batch_size = BATCH;
    fit.seed = seed;
    fit.steps_per_epoch = (size_t)(epochs * (double)mnist_dataset_len(train) / BATCH); /* half an epoch has half as many batches */
    fit.verbose = 0;
    mnist_model *model = build(seed, fit.steps_per_epoch, error);
    check(mnist_model_fit(model, train, &fit, NULL, error), error);
    check(mnist_model_evaluate(model, test, NULL, &metrics, error), error);
    mnist_model_free(model);
    return metrics.accuracy;
}

static void load(const char *path, mnist_dataset **train, mnist_dataset **test, mnist_error *error)
{
    check(mnist_load_data(path, train, test, error), error);
    check(mnist_dataset_normalize(*train, 255.0f, error), error);
    check(mnist_dataset_normalize(*test, 255.0f, error), error);
}

/* Runs in a process of its own: one training, one test, and prints one number. */
static void one(uint64_t seed, const char *path, mnist_error *error)
{
    mnist_dataset *train, *test;
    load(path, &train, &test, error);
    printf("%.4f\n", learn(seed, EPOCHS, train, test, error));
    mnist_dataset_free(train);
    mnist_dataset_free(test);
}

/* Chooses the number of epochs without the test images. */
static void choose(size_t seeds, const char *path, mnist_error *error)
{
    mnist_dataset *all, *test, *train, *kept;
    load(path, &all, &test, error);
    const size_t trained = mnist_dataset_len(all) - KEPT;
    check(mnist_dataset_slice(all, 0, trained, &train, error), error);
    check(mnist_dataset_slice(all, trained, KEPT, &kept, error), error);
    mnist_dataset_free(all);
    mnist_dataset_free(test);
    printf("learned from the first %zu training images, tested on the last %d, %zu seeds:\n", trained, KEPT, seeds);
    for (double epochs = 1, sum = 0; sum < 0.99 * (double)seeds; epochs += 0.5) {
        sum = 0;
        for (size_t seed = 0; seed < seeds; seed++)
            sum += learn(seed, epochs, train, kept, error);
        printf("%.1f epochs: %.3f %%\n", epochs, 100 * sum / (double)seeds);
        fflush(stdout);
    }
    mnist_dataset_free(train);
    mnist_dataset_free(kept);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "speedrun: %s\n", what);
    exit(EXIT_FAILURE);
}

/* Starts this program again for one training; returns its accuracy, and the seconds until it ended. */
static double measure(const char *program, size_t seed, const char *path, double *seconds)
{
    int ends[2], status;
    char number[24], text[32] = "";
    const double start = now();
    snprintf(number, sizeof number, "%zu", seed);
    if (pipe(ends) != 0)
        fail("cannot create a pipe");
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(program, program, "--one", number, path, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], text, sizeof text - 1) <= 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("a training has failed");
    *seconds = now() - start;
    close(ends[0]);
    return strtod(text, NULL);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The processor's name, from Linux. */
static void print_processor(void)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    const char *name = "a processor without a name\n";
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            name = strchr(line, ':') + 2;
            break;
        }
    }
    printf("libmnist %s, %ld threads, %s", mnist_version(), sysconf(_SC_NPROCESSORS_ONLN), name);
    if (file != NULL)
        fclose(file);
}

static void run(const char *program, size_t seeds, const char *path)
{
    double sum = 0, right = 0, smallest = 1, *seconds = malloc(seeds * sizeof *seconds);
    if (seconds == NULL)
        fail("not enough memory");
    print_processor();
    for (size_t seed = 0; seed < seeds; seed++) {
        const double accuracy = measure(program, seed, path, &seconds[seed]);
        printf("seed %2zu: %.2f s, %.2f %%\n", seed, seconds[seed], 100 * accuracy);
        fflush(stdout);
        sum += seconds[seed];
        right += accuracy;
        smallest = accuracy < smallest ? accuracy : smallest;
    }
    qsort(seconds, seeds, sizeof *seconds, compare);
    printf("%zu seeds, %.1f epochs: mean %.2f s, median %.2f s; mean %.3f %%, smallest %.2f %%\n", seeds, EPOCHS,
           sum / (double)seeds, (seconds[(seeds - 1) / 2] + seconds[seeds / 2]) / 2, 100 * right / (double)seeds,
           100 * smallest);
    free(seconds);
}

int main(int argc, char **argv)
{
    const char *path = "data/mnist.npz", *seed = NULL;
    size_t seeds = 30;
    int choosing = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--choose") == 0)
            choosing = 1;
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--one") == 0 && i + 1 < argc)
            seed = argv[++i];
        else if (argv[i][0] != '-')
            path = argv[i];
        else
            seeds = 0;
    }
    if (seeds == 0)
        fail("usage: speedrun [--choose] [--seeds N] [DATA]");
    mnist_error *error = mnist_error_new();
    if (seed != NULL)
        one(strtoul(seed, NULL, 10), path, error);
    else if (choosing)
        choose(seeds, path, error);
    else
        run(argv[0], seeds, path);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
