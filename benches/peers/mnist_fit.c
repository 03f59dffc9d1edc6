/* Trains the tutorial's network, or one with other sizes, with libmnist; prints one line of JSON, like its peers.
 *
 *     mnist_fit [--steps N] [--batch N] [--threads N] [--images N] [--fit-only] [--input H,W,C] [--filters A,B]
 *               [--kernel K] [--dense N] [--classes M] [--network FILE] [--data FILE]
 *
 * The options and the data are those of workload.py. */

#define _POSIX_C_SOURCE 200809L

#include <mnist.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SIDE = 28, WARM_UP = 64, PREDICTIONS = 200, THOUSANDS = 10, EVALUATION_BATCH = 256 };

struct options {
    size_t steps, batch, threads, images;
    size_t input[3], filters[2], kernel, dense, classes;
    int fit_only;
    const char *data, *network;
};

static mnist_error *error;

static void check(mnist_status status)
{
    if (status < 0) { /* the fit is cancelled after the given number of steps, which is positive */
        fprintf(stderr, "mnist_fit: %s: %s\n", mnist_status_name(status), mnist_error_message(error));
        exit(EXIT_FAILURE);
    }
}

static void usage(const char *what)
{
    fprintf(stderr, "mnist_fit: %s\n", what);
    exit(2);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* `count` sizes, separated by commas. */
static void sizes(const char *text, size_t *out, size_t count)
{
    char *end = NULL;
    for (size_t i = 0; i < count; i++, text = end + 1) {
        out[i] = (size_t)strtoul(text, &end, 10);
        if (end == text || out[i] == 0 || *end != (i + 1 < count ? ',' : '\0'))
            usage("a size is missing or wrong");
    }
}

static void parse(int argc, char **argv, struct options *o)
{
    const struct {
        const char *name;
        size_t *value, count;
    } numbers[] = {
        {"--steps", &o->steps, 1},   {"--batch", &o->batch, 1},     {"--threads", &o->threads, 1},
        {"--images", &o->images, 1}, {"--input", o->input, 3},      {"--filters", o->filters, 2},
        {"--kernel", &o->kernel, 1}, {"--dense", &o->dense, 1},     {"--classes", &o->classes, 1},
    };
    const size_t known = sizeof numbers / sizeof *numbers;
    for (int i = 1; i < argc; i++) {
        size_t n = 0;
        while (n < known && strcmp(argv[i], numbers[n].name))
            n++;
        if (!strcmp(argv[i], "--fit-only"))
            o->fit_only = 1;
        else if (i + 1 == argc)
            usage("an option is unknown, or its value is missing");
        else if (!strcmp(argv[i], "--data"))
            o->data = argv[++i];
        else if (!strcmp(argv[i], "--network"))
            o->network = argv[++i];
        else if (n < known)
            sizes(argv[++i], numbers[n].value, numbers[n].count);
        else
            usage("unknown option");
    }
    if (o->steps <= WARM_UP || o->steps * o->batch > o->images)
        usage("--steps must be above 64, and --steps times --batch at most --images");
    if (o->input[0] < SIDE || o->input[1] < SIDE || o->classes < 10 || o->classes > 256)
        usage("--input must be 28,28 or larger, --classes 10 to 256");
}

/* The digit at the centre of a black image `[H, W, C]`, channel c being digit / (c + 1). */
static void shape_image(const float *digit, const size_t *input, uint8_t *image)
{
    const size_t top = (input[0] - SIDE) / 2, left = (input[1] - SIDE) / 2, channels = input[2];
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < channels; c++) {
                const size_t value = (size_t)digit[y * SIDE + x] / (c + 1);
                image[((top + y) * input[1] + left + x) * channels + c] = (uint8_t)value;
            }
}

/* A dataset with other sizes than the tutorial's, made from the digits. */
static mnist_dataset *shape_dataset(const mnist_dataset *digits, const struct options *o)
{
    const size_t count = mnist_dataset_len(digits), size = o->input[0] * o->input[1] * o->input[2];
    const size_t dims[] = {count, o->input[0], o->input[1], o->input[2]};
    uint8_t *pixels = calloc(count, size), *labels = malloc(count);
    mnist_dataset *out;
    if (!pixels || !labels)
        usage("no memory for the images");
    for (size_t i = 0; i < count; i++) {
        float digit[SIDE * SIDE];
        uint32_t label;
        check(mnist_dataset_image(digits, i, digit, SIDE * SIDE, &label, error));
        shape_image(digit, o->input, pixels + i * size);
        labels[i] = (uint8_t)(label + 10 * (i % (o->classes / 10)));
    }
    check(mnist_dataset_from_u8(pixels, dims, 4, labels, &out, error));
    free(pixels);
    free(labels);
    return out;
}

static int is_tutorial(const struct options *o)
{
    return o->input[0] == SIDE && o->input[1] == SIDE && o->input[2] == 1 && o->classes == 10;
}

/* The first `count` of the loaded digits, in the requested shape, 0 to 1. Takes ownership of `loaded`. */
static mnist_dataset *prepare(mnist_dataset *loaded, size_t count, const struct options *o)
{
    mnist_dataset *some, *out;
    check(mnist_dataset_slice(loaded, 0, count, &some, error));
    mnist_dataset_free(loaded);
    out = is_tutorial(o) ? some : shape_dataset(some, o);
    if (out != some)
        mnist_dataset_free(some);
    check(mnist_dataset_normalize(out, 255.0f, error));
    return out;
}

/* A network from a file in the format of Keras's to_json(). */
static mnist_model *read_network(const struct options *o)
{
    static char text[1 << 18];
    FILE *file = fopen(o->network, "rb");
    if (!file || fread(text, 1, sizeof text - 1, file) == 0)
        usage("the network's file cannot be read");
    fclose(file);
    mnist_graph *graph;
    mnist_tensor *input, *output;
    mnist_model *model;
    check(mnist_graph_from_json(text, &graph, &input, &output, error));
    check(mnist_model_new(input, output, NULL, &model, error));
    mnist_graph_free(graph);
    check(mnist_model_set_threads(model, o->threads, error));
    return model;
}

static mnist_model *build(const struct options *o)
{
    if (o->network)
        return read_network(o);
    mnist_model *model;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *input = mnist_input(graph, o->input[0], o->input[1], o->input[2]);
    mnist_tensor *x = mnist_conv2d(input, o->filters[0], o->kernel, MNIST_ACTIVATION_RELU);
    x = mnist_conv2d(x, o->filters[1], o->kernel, MNIST_ACTIVATION_RELU);
    x = mnist_dense(mnist_flatten(x), o->dense, MNIST_ACTIVATION_RELU);
    x = mnist_dense(x, o->classes, MNIST_ACTIVATION_SOFTMAX);
    check(mnist_model_new(input, x, NULL, &model, error));
    mnist_graph_free(graph);
    check(mnist_model_set_threads(model, o->threads, error));
    return model;
}

/* The end times of the warm-up and of the last step. */
struct clock {
    double start, end;
    size_t steps;
};

static int32_t on_batch_end(void *user_data, const mnist_progress *progress)
{
    struct clock *clock = user_data;
    clock->end = now_ms();
    if (progress->batch + 1 == WARM_UP)
        clock->start = clock->end;
    return progress->batch + 1 == clock->steps;
}

/* Milliseconds per step. */
static double fit(mnist_model *model, const mnist_dataset *train, const struct options *o)
{
    struct clock clock = {0, 0, o->steps};
    mnist_fit_options options;
    mnist_fit_options_init(&options, sizeof options);
    options.batch_size = o->batch;
    options.verbose = 0;
    options.on_batch_end = on_batch_end;
    options.user_data = &clock;
    check(mnist_model_compile(model, NULL, error));
    check(mnist_model_fit(model, train, &options, NULL, error));
    return (clock.end - clock.start) / (double)(o->steps - WARM_UP);
}

/* Milliseconds to predict the first `count` images, the mean of several calls. */
static double predict_ms(const mnist_model *model, const mnist_dataset *test, size_t count, int times)
{
    double start = 0;
    size_t dims[4] = {0, 0, 0, 1};
    mnist_dataset_shape(test, dims, 4);
    const size_t pixels = dims[1] * dims[2] * dims[3], classes = mnist_model_output_len(model);
    float *images = malloc(count * pixels * sizeof *images), *out = malloc(count * classes * sizeof *out);
    if (!images || !out)
        usage("no memory for the images");
    for (size_t i = 0; i < count; i++)
        check(mnist_dataset_image(test, i, images + i * pixels, pixels, NULL, error));
    for (int i = -5; i < times; i++) { /* the first five are a warm-up */
        if (i == 0)
            start = now_ms();
        check(mnist_model_predict(model, images, count, out, count * classes, error));
    }
    const double ms = (now_ms() - start) / times;
    free(images);
    free(out);
    return ms;
}

static double evaluate_ms_per_1000(const mnist_model *model, const mnist_dataset *test)
{
    mnist_dataset *some;
    mnist_metrics metrics;
    mnist_evaluate_options options;
    mnist_evaluate_options_init(&options, sizeof options);
    options.batch_size = EVALUATION_BATCH;
    check(mnist_dataset_slice(test, 0, 512, &some, error));
    check(mnist_model_evaluate(model, some, &options, &metrics, error));
    mnist_dataset_free(some);
    const double start = now_ms();
    check(mnist_model_evaluate(model, test, &options, &metrics, error));
    return (now_ms() - start) / (double)mnist_dataset_len(test) * 1e3;
}

int main(int argc, char **argv)
{
    struct options o = {400, 32, (size_t)sysconf(_SC_NPROCESSORS_ONLN), 60000, {SIDE, SIDE, 1}, {32, 64}, 3, 128, 10,
                        0, "examples/data/mnist.npz", NULL};
    mnist_dataset *train, *test;
    struct rusage used;
    parse(argc, argv, &o);
    error = mnist_error_new();
    check(mnist_load_data(o.data, &train, &test, error));
    train = prepare(train, o.images, &o);
    test = prepare(test, mnist_dataset_len(test), &o);
    mnist_model *model = build(&o);
    printf("{\"peer\": \"libmnist\", \"version\": \"%s\", ", mnist_version());
    printf("\"threads\": %zu, \"batch\": %zu, ", o.threads, o.batch);
    printf("\"ms_per_step\": %.3f, ", fit(model, train, &o));
    getrusage(RUSAGE_SELF, &used); /* of the fit, before anything else runs */
    if (!o.fit_only) {
        printf("\"predict_one_ms\": %.4f, ", predict_ms(model, test, 1, PREDICTIONS));
        printf("\"predict_1000_ms\": %.3f, ", predict_ms(model, test, 1000, THOUSANDS));
        printf("\"evaluate_ms_per_1000\": %.3f, ", evaluate_ms_per_1000(model, test));
    }
    printf("\"peak_rss_mb\": %ld}\n", used.ru_maxrss / 1024);
    mnist_model_free(model);
    mnist_dataset_free(train);
    mnist_dataset_free(test);
    mnist_error_free(error);
    return EXIT_SUCCESS;
}
