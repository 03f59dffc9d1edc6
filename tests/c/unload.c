/* Opens the library, trains with it on a thread that then ends, and closes it, a thousand times: unload LIBRARY. Memory
 * must not grow, nothing may crash, and the process must have as many free keys for thread-specific data as after the first
 * time. */

#define _POSIX_C_SOURCE 200809L

#include <mnist.h>

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *library;

/* A function of the library by its name. */
#define CALL(name) (*(__typeof__(&name))symbol(#name))

static void *symbol(const char *name)
{
    void *address = dlsym(library, name);
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return address;
}

static void check(mnist_status status, int line)
{
    if (status != MNIST_OK) {
        fprintf(stderr, "line %d: status %d\n", line, (int)status);
        exit(EXIT_FAILURE);
    }
}
#define WORKS(call) check(call, __LINE__)

static void *use(void *unused)
{
    static const uint8_t pixels[16 * 64], labels[16];
    const size_t dims[3] = {16, 8, 8};
    mnist_dataset *data;
    mnist_model *model;
    mnist_fit_options options;
    WORKS(CALL(mnist_dataset_from_u8)(pixels, dims, 3, labels, &data, NULL));
    mnist_graph *graph = CALL(mnist_graph_new)();
    mnist_tensor *input = CALL(mnist_input)(graph, 8, 8, 1);
    mnist_tensor *x = CALL(mnist_conv2d)(input, 2, 3, MNIST_ACTIVATION_RELU);
    x = CALL(mnist_dense)(CALL(mnist_flatten)(x), 10, MNIST_ACTIVATION_SOFTMAX);
    WORKS(CALL(mnist_model_new)(input, x, NULL, &model, NULL));
    CALL(mnist_graph_free)(graph);
    WORKS(CALL(mnist_model_compile)(model, NULL, NULL));
    CALL(mnist_fit_options_init)(&options, sizeof options);
    options.verbose = 0;
    WORKS(CALL(mnist_model_fit)(model, data, &options, NULL, NULL));
    CALL(mnist_model_free)(model);
    CALL(mnist_dataset_free)(data);
    return unused;
}

/* The number of keys that this process can still create. */
static int keys_left(void)
{
    static pthread_key_t keys[PTHREAD_KEYS_MAX];
    int count = 0;
    while (count < PTHREAD_KEYS_MAX && pthread_key_create(&keys[count], NULL) == 0)
        count++;
    for (int i = 0; i < count; i++)
        pthread_key_delete(keys[i]);
    return count;
}

/* Resident memory in KiB. */
static long resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        exit(EXIT_FAILURE);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
    long before = 0;
    int keys_before = 0;
    if (argc != 2)
        return 2;
    for (int round = 0; round < 1000; round++) {
        pthread_t thread;
        if (round == 200)
            before = resident();
        if (round == 1)
            keys_before = keys_left();
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return EXIT_FAILURE;
        }
        if (pthread_create(&thread, NULL, use, NULL) != 0 || pthread_join(thread, NULL) != 0)
            return EXIT_FAILURE;
        if (dlclose(library) != 0)
            return EXIT_FAILURE;
    }
    const long grown = resident() - before;
    const int keys = keys_before - keys_left();
    printf("grown by %ld KiB in the last 800 of 1,000 rounds, and by %d keys\n", grown, keys);
    return grown > 1024 || keys > 0;
}
