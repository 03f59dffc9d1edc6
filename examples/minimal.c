#include <mnist.h>
#include <stdio.h>

int main(void)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *train = NULL, *test = NULL;
    mnist_model *model = NULL;
    mnist_metrics metrics;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, 28, 28, 1);
    mnist_tensor *x = mnist_conv2d(input, 16, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), 64, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);

    int failed = mnist_load_data("data/mnist.npz", &train, &test, error) < 0
        || mnist_dataset_normalize(train, 255.0f, error) < 0
        || mnist_dataset_normalize(test, 255.0f, error) < 0
        || mnist_model_new(input, x, NULL, &model, error) < 0
        || mnist_model_compile(model, NULL, error) < 0
        || mnist_model_fit(model, train, NULL, NULL, error) < 0
        || mnist_model_evaluate(model, test, NULL, &metrics, error) < 0;
    if (failed)
        fprintf(stderr, "%s\n", mnist_error_message(error));
    else
        printf("test accuracy: %.4f\n", metrics.accuracy);

    mnist_model_free(model), mnist_graph_free(graph);
    mnist_dataset_free(train), mnist_dataset_free(test), mnist_error_free(error);
    return failed;
}
