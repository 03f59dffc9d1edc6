/* Weights by name: their names, reading and setting them, and which of this is possible while another thread trains. */

#include "expect.h"

#include <pthread.h>
#include <time.h>

static mnist_model *model;
static mnist_dataset *data;
static volatile int running;

static void names_and_shapes(void)
{
    static const struct {
        const char *name;
        size_t rank, dims[4];
    } expected[] = {
        {"conv2d/kernel", 4, {3, 3, 1, 4}},   {"conv2d/bias", 1, {4, 0, 0, 0}},
        {"conv2d_1/kernel", 4, {3, 3, 4, 8}}, {"conv2d_1/bias", 1, {8, 0, 0, 0}},
        {"dense/kernel", 2, {128, 16, 0, 0}}, {"dense/bias", 1, {16, 0, 0, 0}},
        {"dense_1/kernel", 2, {16, 10, 0, 0}}, {"dense_1/bias", 1, {10, 0, 0, 0}},
    };
    size_t total = 0;
    TRUE(mnist_model_weights_len(model) == 8);
    for (size_t i = 0; i < 8; i++) {
        size_t dims[4] = {0, 0, 0, 0}, rank = 0, product = 1;
        const char *name = mnist_model_weight_name(model, i);
        TRUE(name != NULL && strcmp(name, expected[i].name) == 0);
        WORKS(mnist_model_weight_shape(model, name, NULL, 0, &rank, error));
        TRUE(rank == expected[i].rank);
        WORKS(mnist_model_weight_shape(model, name, dims, 4, &rank, error));
        TRUE(memcmp(dims, expected[i].dims, sizeof dims) == 0);
        for (size_t d = 0; d < rank; d++)
            product *= dims[d];
        total += product;
    }
    TRUE(total == mnist_model_count_params(model));
}

/* Copying one model's weights to another by name makes it predict the same; nothing is written past the end. */
static void handed_over(void)
{
    mnist_model *other = NULL;
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, 99);
    mnist_tensor *input = mnist_input(graph, 8, 8, 1);
    mnist_tensor *x = mnist_conv2d(mnist_conv2d(input, 4, 3, MNIST_ACTIVATION_RELU), 8, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_dense(mnist_flatten(x), 16, MNIST_ACTIVATION_RELU), 10, MNIST_ACTIVATION_SOFTMAX);
    WORKS(mnist_model_new(input, x, NULL, &other, error));
    mnist_graph_free(graph);
    float mine[640], before[640], after[640];
    static float values[4096];
    WORKS(mnist_model_predict_dataset(model, data, mine, 640, error));
    WORKS(mnist_model_predict_dataset(other, data, before, 640, error));
    for (size_t i = 0; i < mnist_model_weights_len(model); i++) {
        const char *name = mnist_model_weight_name(model, i);
        size_t dims[4], rank, len = 1;
        WORKS(mnist_model_weight_shape(model, name, dims, 4, &rank, error));
        for (size_t d = 0; d < rank; d++)
            len *= dims[d];
        values[len] = 1234;
        WORKS(mnist_model_get_weight(model, name, values, 4096, error));
        TRUE(values[len] == 1234);
        WORKS(mnist_model_set_weight(other, name, values, len, error));
    }
    WORKS(mnist_model_predict_dataset(other, data, after, 640, error));
    TRUE(memcmp(mine, before, sizeof mine) != 0 && memcmp(mine, after, sizeof mine) == 0);
    mnist_model_free(other);
}

static int32_t note_running(void *user_data, const mnist_progress *progress)
{
    float bias[10];
    (void)user_data, (void)progress;
    running = 1;
    /* On the thread that fits, between two steps: reading is allowed, setting is not. */
    TRUE(mnist_model_get_weight(model, "dense_1/bias", bias, 10, NULL) == MNIST_OK);
    TRUE(mnist_model_set_weight(model, "dense_1/bias", bias, 10, NULL) == MNIST_ERROR_BUSY);
    return 0;
}

static void *fit_for_long(void *unused)
{
    mnist_fit_options options = quiet();
    options.epochs = 1000000;
    options.on_batch_end = note_running;
    TRUE(mnist_model_fit(model, data, &options, NULL, NULL) == MNIST_CANCELLED);
    return unused;
}

/* Another thread reads while one trains, and sees the weights change. */
static void beside_a_fit(void)
{
    pthread_t trainer;
    float first[10], now[10];
    int moved = 0;
    WORKS(mnist_model_compile(model, NULL, error));
    pthread_create(&trainer, NULL, fit_for_long, NULL);
    while (!running)
        ;
    WORKS(mnist_model_get_weight(model, "dense_1/bias", first, 10, error));
    for (const time_t end = time(NULL) + 60; !moved && time(NULL) < end;) {
        WORKS(mnist_model_get_weight(model, "dense_1/bias", now, 10, error));
        moved = memcmp(first, now, sizeof now) != 0;
    }
    TRUE(moved);
    FAILS(BUSY, "model", mnist_model_set_weight(model, "dense_1/bias", now, 10, error));
    mnist_model_cancel(model);
    pthread_join(trainer, NULL);
    WORKS(mnist_model_set_weight(model, "dense_1/bias", first, 10, error));
    WORKS(mnist_model_get_weight(model, "dense_1/bias", now, 10, error));
    TRUE(memcmp(first, now, sizeof now) == 0);
}

int main(void)
{
    error = mnist_error_new();
    data = noise(64, 8);
    model = network(8, 4, 16);
    names_and_shapes();
    handed_over();
    beside_a_fit();
    mnist_model_free(model);
    mnist_dataset_free(data);
    return report();
}
