/* Graphs and layers: how a network is described, the layers that have a call of their own and all others.
 *
 *     graphs */

#include "../check.h"

static mnist_error *error;

/* A chain of layers. A call that fails gives NULL, which the next one passes on: one check at the end will do. */
static void chain(void)
{
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, 1); /* other initial weights than those of seed 0 */

    mnist_tensor *x = mnist_input(graph, 28, 28, 1);
    x = mnist_conv2d(x, 16, 3, MNIST_ACTIVATION_RELU);
    x = mnist_batch_normalization(x);
    x = mnist_max_pooling2d(x, 2);

    x = mnist_average_pooling2d(x, 2);
    x = mnist_dropout(x, 0.25);
    x = mnist_flatten(x);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);

    check(mnist_graph_check(graph, error), error); /* the first call that has failed, if one has */
    mnist_graph_free(graph);
}

/* Two ways that part and meet again. */
static void branches(void)
{
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input_shape(graph, (const size_t[]){64}, 1); /* a row of 64 numbers */

    mnist_tensor *left = mnist_dense(input, 32, MNIST_ACTIVATION_RELU);
    mnist_tensor *right = mnist_activate(mnist_dense(input, 32, MNIST_ACTIVATION_LINEAR), MNIST_ACTIVATION_TANH);
    mnist_tensor *sum = mnist_add(left, right);          /* [32] */
    mnist_tensor *row = mnist_concatenate(left, right);  /* [64] */

    mnist_tensor *three[] = {left, right, sum};
    mnist_tensor *mean = mnist_merge(three, 3, "Average", "{}");

    size_t dims[3];
    printf("rank %zu, ", mnist_tensor_shape(row, dims, 3));
    printf("%zu numbers\n", dims[0]);

    (void)mean;
    check(mnist_graph_check(graph, error), error);
    mnist_graph_free(graph);
}

/* Any layer of Keras's, by its class and its config. What is wrong with one is told by its key. */
static void any_layer(void)
{
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *x = mnist_input(graph, 28, 28, 1);
    x = mnist_layer(x, "Conv2D", "{filters: 32, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu'}");
    x = mnist_layer(x, "GlobalMaxPooling2D", NULL);

    x = mnist_layer(x, "Dense", "{unit: 10}");
    if (mnist_graph_check(graph, error) < 0)
        printf("%s\n", mnist_error_message(error));

    mnist_graph_free(graph);
}

/* A whole network, as Keras's model.to_json() writes it. */
static void from_json(void)
{
    const char *json = "{class_name: 'Sequential', config: {layers: ["
                       "{class_name: 'InputLayer', config: {name: 'image', batch_shape: [null, 28, 28, 1]}},"
                       "{class_name: 'GlobalAveragePooling2D', config: {name: 'mean'}},"
                       "{class_name: 'Dense', config: {name: 'digits', units: 10, activation: 'softmax'}}]}}";
    mnist_graph *graph;
    mnist_tensor *input, *output;
    check(mnist_graph_from_json(json, &graph, &input, &output, error), error);

    mnist_tensor *other = mnist_global_average_pooling2d(input); /* more layers can be called on its tensors */
    printf("rank %zu\n", mnist_tensor_shape(other, NULL, 0));
    mnist_graph_free(graph); /* the tensors with it */
}

int main(void)
{
    error = mnist_error_new();
    chain();
    branches();
    any_layer();
    from_json();
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
