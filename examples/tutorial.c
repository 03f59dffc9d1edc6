/* The Keras MNIST tutorial in C: load, look, normalize, build, fit, evaluate, save.
 *
 *     tutorial [DATA [IMAGES [EPOCHS]]]
 *
 * DATA: an npz archive (default: data/mnist.npz, relative to this file's folder; "keras": Keras's cache, downloaded if it is
 * missing). IMAGES: the number of training images to use (default: all). EPOCHS: the number of epochs (default: 3).
 *
 * Ctrl-C during the fit stops it after its step. The weights are then saved without an evaluation, and the exit status is 130,
 * as for a program that Ctrl-C has ended. A second Ctrl-C, or one at another time, ends the program at once. */

#include <mnist.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_INTERRUPTED = 128 + 2 }; /* the shell's exit status for SIGINT */

/* Exits with a message if a call has failed. */
static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "tutorial: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

/* Prints sizes as Python does: (60000, 28, 28), (60000,) */
static void print_shape(const size_t *dims, size_t rank)
{
    putchar('(');
    for (size_t i = 0; i < rank; i++)
        printf(i ? ", %zu" : "%zu", dims[i]);
    puts(rank == 1 ? ",)" : ")");
}

static void print_dataset_shape(const char *label, const mnist_dataset *data)
{
    size_t dims[4];
    printf("%s : ", label);
    print_shape(dims, mnist_dataset_shape(data, dims, 4));
}

static const char *dtype_name(mnist_dtype dtype)
{
    return dtype == MNIST_DTYPE_U8 ? "uint8" : "float32";
}

/* Step 1: shape and type of the data. */
static void show_data(const mnist_dataset *train)
{
    const size_t images = mnist_dataset_len(train);
    puts("train_x");
    puts("[ type  ] : mnist_dataset (images)");
    print_dataset_shape("[ shape ]", train);
    printf("[ dtype ] : %s\n", dtype_name(mnist_dataset_dtype(train)));
    puts("train_y");
    puts("[ type  ] : mnist_dataset (labels)");
    printf("[ shape ] : ");
    print_shape(&images, 1);
    puts("[ dtype ] : uint8");
}

/* Step 3: the number of classes, which is the number of the network's outputs. */
static size_t show_labels(const mnist_dataset *train, mnist_error *error)
{
    uint32_t labels[256];
    size_t count;
    check(mnist_dataset_unique_labels(train, labels, 256, &count, error), error);
    printf("[Unique label] : [");
    for (size_t i = 0; i < count; i++)
        printf(i ? " %u" : "%u", (unsigned)labels[i]);
    printf("]\n[num class] : %zu\n", count);
    return count;
}

/* Step 4: the content of the data's archive. */
static void show_archive(const char *path, mnist_error *error)
{
    static const char *const shown[] = {"x_train", "y_train"};
    mnist_npz *npz;
    check(mnist_npz_open(path, &npz, error), error);
    puts(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    putchar('[');
    for (size_t i = 0; i < mnist_npz_len(npz); i++)
        printf(i ? ", '%s'" : "'%s'", mnist_npz_name(npz, i));
    puts("]");
    for (size_t i = 0; i < 2; i++) {
        size_t dims[8], rank;
        check(mnist_npz_shape(npz, shown[i], dims, 8, &rank, error), error);
        print_shape(dims, rank);
    }
    mnist_npz_free(npz);
}

/* Step 5: the network, with the functional API. A failed call returns NULL, so do the following calls, and mnist_model_new
 * reports the reason: a chain of layers needs one check. */
static mnist_model *build(const mnist_dataset *train, size_t classes, mnist_error *error)
{
    size_t dims[4];
    mnist_model *model;
    mnist_dataset_shape(train, dims, 4); /* images, height, width, channels */

    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, dims[1], dims[2], dims[3]);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_flatten(x);
    x = mnist_dense(x, 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, classes, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, "model", &model, error), error);
    mnist_graph_free(graph);
    return model;
}

/* The model whose fit Ctrl-C stops. */
static mnist_model *volatile in_training;

static void on_interrupt(int signal_number)
{
    mnist_model_cancel(in_training); /* the fit returns after its step */
    signal(signal_number, SIG_DFL);  /* a second Ctrl-C ends the program at once */
}

/* Runs the fit. Ctrl-C cancels it, unless the program was started with SIGINT ignored. */
static mnist_status fit_until_interrupt(mnist_model *model, const mnist_dataset *train, const mnist_fit_options *options,
                                        mnist_history **history, mnist_error *error)
{
    in_training = model;
    void (*const before)(int) = signal(SIGINT, on_interrupt);
    if (before == SIG_IGN)
        signal(SIGINT, SIG_IGN);
    const mnist_status status = mnist_model_fit(model, train, options, history, error);
    signal(SIGINT, before);
    return status;
}

static void show_history(const mnist_history *history, mnist_error *error)
{
    for (size_t epoch = 0; epoch < mnist_history_epochs(history); epoch++) {
        double loss, accuracy;
        check(mnist_history_get(history, "loss", epoch, &loss, error), error);
        check(mnist_history_get(history, "accuracy", epoch, &accuracy, error), error);
        printf("epoch %zu - loss: %.4f - accuracy: %.4f\n", epoch + 1, loss, accuracy);
    }
}

/* Step 6: compile and fit. A fit that was stopped or has diverged is not a failure: the message says where, and the model keeps what
 * it has learned. */
static mnist_status train_model(mnist_model *model, const mnist_dataset *train, size_t epochs, mnist_error *error)
{
    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer = MNIST_OPTIMIZER_ADAM;
    compile.loss = MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    compile.metrics = MNIST_METRIC_ACCURACY;
    check(mnist_model_compile(model, &compile, error), error);

    mnist_fit_options fit;
    mnist_history *history;
    mnist_fit_options_init(&fit, sizeof fit);
    fit.batch_size = 32;
    fit.epochs = epochs;
    const mnist_status status = fit_until_interrupt(model, train, &fit, &history, error);
    check(status, error);
    if (status > 0) {
        printf("\n%s\n", mnist_error_message(error));
        show_history(history, error);
    }
    mnist_history_free(history);
    return status;
}

/* Step 7: the accuracy on images that were not used for training. */
static void evaluate_model(const mnist_model *model, const mnist_dataset *test, mnist_error *error)
{
    mnist_evaluate_options evaluate;
    mnist_metrics metrics;
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    evaluate.verbose = 1;
    check(mnist_model_evaluate(model, test, &evaluate, &metrics, error), error);
    printf("test accuracy: %.4f\n", metrics.accuracy);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "data/mnist.npz";
    const size_t limit = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    const size_t epochs = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 3;
    const int from_cache = strcmp(path, "keras") == 0;
    mnist_error *error = mnist_error_new();
    mnist_dataset *train, *test;

    check(mnist_load_data(from_cache ? NULL : path, &train, &test, error), error);
    show_data(train);

    puts("");
    check(mnist_dataset_normalize(train, 255.0f, error), error);
    check(mnist_dataset_expand_dims(train, error), error); /* 28x28 -> 28x28x1 */
    print_dataset_shape("[shape]", train);
    printf("[dtype] : %s\n", dtype_name(mnist_dataset_dtype(train)));
    check(mnist_dataset_normalize(test, 255.0f, error), error);
    check(mnist_dataset_expand_dims(test, error), error);

    puts("");
    const size_t classes = show_labels(train, error);

    if (!from_cache) {
        puts("");
        show_archive(path, error);
    }

    puts("");
    mnist_model *model = build(train, classes, error);
    check(mnist_model_summary(model, NULL, NULL, error), error);

    puts("");
    if (limit > 0) {
        mnist_dataset *some;
        check(mnist_dataset_slice(train, 0, limit, &some, error), error);
        mnist_dataset_free(train);
        train = some;
    }
    const mnist_status fitted = train_model(model, train, epochs, error);

    puts("");
    if (fitted != MNIST_CANCELLED)
        evaluate_model(model, test, error);
    check(mnist_model_save_weights(model, "mnist.safetensors", error), error);
    puts("weights saved to mnist.safetensors");

    mnist_model_free(model);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return fitted == MNIST_CANCELLED ? EXIT_INTERRUPTED : EXIT_SUCCESS;
}
