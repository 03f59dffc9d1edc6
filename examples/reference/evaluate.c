/* Evaluate and predict: a model's loss and accuracy, its confusion matrix, and what it says to an image.
 *
 *     evaluate [DATA]     (default: data/mnist.npz) */

#include "network.h"

int main(int argc, char **argv)
{
    mnist_error *error = mnist_error_new();
    mnist_dataset *data = digits(argc > 1 ? argv[1] : "data/mnist.npz", error);
    mnist_model *model = network(error);
    mnist_fit_options fit;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.verbose = 0;
    check(mnist_model_compile(model, NULL, error), error);
    check(mnist_model_fit(model, data, &fit, NULL, error), error);

    /* The loss and the accuracy, and how often each digit was taken for each other: row = label, column = prediction. */
    uint64_t confusion[10 * 10];
    mnist_metrics metrics;
    mnist_evaluate_options evaluate;
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    evaluate.confusion = confusion;
    evaluate.confusion_capacity = 10 * 10;
    check(mnist_model_evaluate(model, data, &evaluate, &metrics, error), error);
    printf("accuracy %.3f; sevens taken for ones: %u\n", metrics.accuracy, (unsigned)confusion[7 * 10 + 1]);

    /* The probabilities of the ten digits, for one image of 28 x 28 numbers from 0 to 1. */
    float image[28 * 28], probabilities[10];
    check(mnist_dataset_image(data, 0, image, 28 * 28, NULL, error), error);
    check(mnist_model_predict(model, image, 1, probabilities, 10, error), error);
    printf("a five with probability %.3f\n", probabilities[5]);

    /* For all images of a dataset at once. */
    float *all = allocate(mnist_dataset_len(data) * 10 * sizeof *all);
    check(mnist_model_predict_dataset(model, data, all, mnist_dataset_len(data) * 10, error), error);
    free(all);

    /* A picture of another size: its figure is brought into the form of MNIST's digits. */
    static uint8_t grey[100 * 60]; /* [height, width], here a bright bar on black */
    for (size_t y = 20; y < 80; y++)
        grey[60 * y + 30] = grey[60 * y + 31] = grey[60 * y + 32] = 255;
    check(mnist_image_prepare(grey, 100, 60, 255.0f, image, 28 * 28, error), error);
    check(mnist_model_predict(model, image, 1, probabilities, 10, error), error);
    printf("a one with probability %.3f\n", probabilities[1]);

    mnist_model_free(model);
    mnist_dataset_free(data);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
