/* Reports on a training: fits the tutorial's network for a few epochs and writes
 *
 *     history.csv, history.json   loss and accuracy, epoch by epoch
 *     history.svg                 the same as curves
 *     confusion.svg               the confusion matrix
 *     misread.svg                 the misclassified test digits, those with the highest predicted probability first
 *
 * to the working folder.
 *
 *     report [DATA [IMAGES [EPOCHS]]]
 *
 * DATA: an npz archive (default: data/mnist.npz). IMAGES: the number of training images to use (default: 12000). EPOCHS: the
 * number of epochs (default: 5). */

#include "pictures.h"

#include <mnist.h>

#include <stdlib.h>

#define CLASSES 10
#define METRICS 4
#define SHOWN 100

static const char *const metric_names[METRICS] = {"loss", "accuracy", "val_loss", "val_accuracy"};

static void check(mnist_status status, const mnist_error *error)
{
    if (status < 0) {
        fprintf(stderr, "report: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "report: no memory for %zu elements of %zu bytes\n", count, size);
        exit(EXIT_FAILURE);
    }
    return memory;
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return file;
}

/* Writing buffered data may fail as late as here. */
static void finish(FILE *file, const char *path)
{
    if (ferror(file) | fclose(file)) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    printf("%s\n", path);
}

static mnist_model *build(mnist_error *error)
{
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, SIDE, SIDE, 1);
    mnist_tensor *x = mnist_conv2d(input, 32, 3, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, 64, 3, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), 128, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, CLASSES, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, NULL, &model, error), error);
    mnist_graph_free(graph);
    check(mnist_model_compile(model, NULL, error), error);
    return model;
}

static mnist_history *train(mnist_model *model, const mnist_dataset *data, const mnist_dataset *test, size_t epochs,
                            mnist_error *error)
{
    mnist_history *history;
    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.epochs = epochs;
    options.validation_data = test;
    check(mnist_model_fit(model, data, &options, &history, error), error);
    return history;
}

/* The history's numbers, [METRICS, epochs]. */
static double *read_history(const mnist_history *history, mnist_error *error)
{
    const size_t epochs = mnist_history_epochs(history);
    double *values = allocate(METRICS * epochs + 1, sizeof *values);
    for (size_t m = 0; m < METRICS; m++)
        for (size_t i = 0; i < epochs; i++)
            check(mnist_history_get(history, metric_names[m], i, &values[m * epochs + i], error), error);
    return values;
}

/* With seventeen digits the same number can be read back. */
static void write_csv(const double *values, size_t epochs)
{
    FILE *file = create("history.csv");
    fprintf(file, "epoch,%s,%s,%s,%s\n", metric_names[0], metric_names[1], metric_names[2], metric_names[3]);
    for (size_t i = 0; i < epochs; i++) {
        fprintf(file, "%zu", i + 1);
        for (size_t m = 0; m < METRICS; m++)
            fprintf(file, ",%.17g", values[m * epochs + i]);
        fputc('\n', file);
    }
    finish(file, "history.csv");
}

/* Lists by name, as in Keras's history.history. JSON has no NaN and no infinity: these become null. */
static void write_json(const double *values, size_t epochs)
{
    FILE *file = create("history.json");
    for (size_t m = 0; m < METRICS; m++) {
        fprintf(file, "%s\"%s\": [", m ? ",\n " : "{", metric_names[m]);
        for (size_t i = 0; i < epochs; i++) {
            const double value = values[m * epochs + i];
            fputs(i ? ", " : "", file);
            if (value - value == 0)
                fprintf(file, "%.17g", value);
            else
                fputs("null", file);
        }
        fputc(']', file);
    }
    fputs("}\n", file);
    finish(file, "history.json");
}

static void write_curves(const double *values, size_t epochs)
{
    const curve loss[] = {{"training", values, epochs}, {"validation", values + 2 * epochs, epochs}};
    const curve accuracy[] = {{"training", values + epochs, epochs}, {"validation", values + 3 * epochs, epochs}};
    const chart charts[] = {{"Loss", loss, 2}, {"Accuracy", accuracy, 2}};
    FILE *file = create("history.svg");
    draw_charts(file, "Loss and accuracy, epoch by epoch", charts, 2);
    finish(file, "history.svg");
}

static void write_confusion(const mnist_model *model, const mnist_dataset *test, mnist_error *error)
{
    uint64_t counts[CLASSES * CLASSES];
    mnist_metrics metrics;
    mnist_evaluate_options options;
    char title[100];
    mnist_evaluate_options_init(&options, sizeof options);
    options.confusion = counts;
    options.confusion_capacity = CLASSES * CLASSES;
    check(mnist_model_evaluate(model, test, &options, &metrics, error), error);
    snprintf(title, sizeof title, "%zu test digits, %.2f %% correct", mnist_dataset_len(test),
             100.0 * metrics.accuracy);
    FILE *file = create("confusion.svg");
    draw_confusion(file, title, counts, CLASSES);
    finish(file, "confusion.svg");
}

static int surest_first(const void *a, const void *b)
{
    const float x = ((const misread *)a)->probability, y = ((const misread *)b)->probability;
    return (x < y) - (x > y);
}

/* The misclassified test digits; their number in `*count`. */
static misread *find_misread(const mnist_model *model, const mnist_dataset *test, size_t *count, mnist_error *error)
{
    const size_t len = mnist_dataset_len(test);
    float *probabilities = allocate(len * CLASSES, sizeof *probabilities);
    misread *found = allocate(len, sizeof *found);
    *count = 0;
    check(mnist_model_predict_dataset(model, test, probabilities, len * CLASSES, error), error);
    for (size_t i = 0; i < len; i++) {
        const float *p = probabilities + i * CLASSES;
        misread *next = &found[*count];
        uint32_t label;
        unsigned best = 0;
        for (unsigned class = 1; class < CLASSES; class++)
            best = p[class] > p[best] ? class : best;
        check(mnist_dataset_image(test, i, next->pixels, SIDE * SIDE, &label, error), error);
        if (best == label)
            continue;
        next->index = i;
        next->label = label;
        next->predicted = best;
        next->probability = p[best];
        ++*count;
    }
    free(probabilities);
    qsort(found, *count, sizeof *found, surest_first);
    return found;
}

static void write_misread(const mnist_model *model, const mnist_dataset *test, mnist_error *error)
{
    size_t count;
    char title[100];
    misread *found = find_misread(model, test, &count, error);
    const size_t shown = count < SHOWN ? count : SHOWN;
    snprintf(title, sizeof title, "%zu of the %zu misclassified test digits, the most confident first", shown, count);
    FILE *file = create("misread.svg");
    draw_misread(file, title, found, shown);
    finish(file, "misread.svg");
    free(found);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "data/mnist.npz";
    const size_t images = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 12000;
    const size_t epochs = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 5;
    mnist_error *error = mnist_error_new();
    mnist_dataset *all, *some, *test;

    check(mnist_load_data(path, &all, &test, error), error);
    check(mnist_dataset_slice(all, 0, images, &some, error), error);
    check(mnist_dataset_normalize(some, 255.0f, error), error);
    check(mnist_dataset_normalize(test, 255.0f, error), error);
    mnist_model *model = build(error);
    mnist_history *history = train(model, some, test, epochs, error);

    const size_t done = mnist_history_epochs(history);
    double *values = read_history(history, error);
    write_csv(values, done);
    write_json(values, done);
    write_curves(values, done);
    write_confusion(model, test, error);
    write_misread(model, test, error);

    free(values);
    mnist_history_free(history);
    mnist_model_free(model);
    mnist_dataset_free(some);
    mnist_dataset_free(all);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
