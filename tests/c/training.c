/* Compile and fit by Keras's names and configs: errors are reported by their key before the first step; valid settings do
 * what Keras does. */

#include "expect.h"

enum { SAMPLES = 40, FEATURES = 6, CLASSES = 4 };

static float samples[SAMPLES * FEATURES], numbers[SAMPLES], rows[SAMPLES * CLASSES];
static uint8_t labels[SAMPLES];

/* A network of two dense layers with the given number of outputs and activation. */
static mnist_model *dense(size_t outputs, mnist_activation activation)
{
    const size_t features = FEATURES;
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *x = mnist_input_shape(graph, &features, 1);
    mnist_tensor *y = mnist_dense(mnist_dense(x, 8, MNIST_ACTIVATION_RELU), outputs, activation);
    mnist_model *model = NULL;
    WORKS(mnist_model_new(x, y, NULL, &model, error));
    WORKS(mnist_model_set_threads(model, 1, error));
    mnist_graph_free(graph);
    return model;
}

static mnist_dataset *dataset(const void *y, mnist_dtype dtype, size_t width, const float *weights)
{
    const size_t x_dims[] = {SAMPLES, FEATURES}, y_dims[] = {SAMPLES, width};
    const mnist_array x = {samples, MNIST_DTYPE_F32, 2, x_dims}, truth = {y, dtype, width ? 2 : 1, y_dims};
    const mnist_array weight = {weights, MNIST_DTYPE_F32, 1, x_dims};
    mnist_dataset *made = NULL;
    WORKS(mnist_dataset_new(&x, &truth, weights ? &weight : NULL, &made, error));
    return made;
}

static mnist_compile_options options(const char *optimizer, const char *loss, const char *metrics)
{
    mnist_compile_options compile;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer_config = optimizer;
    compile.loss_config = loss;
    compile.metrics_config = metrics;
    return compile;
}

/* Errors of compile, reported by key. */
static void what_is_wrong_is_told(void)
{
    static const struct {
        const char *optimizer, *loss, *metrics, *needle;
    } wrong[] = {
        {"{class_name: 'SGD', config: {learning_rate: {class_name: 'CosineDecay', config: {initial_learning_rate: 0.1, "
         "decay_steps: 0}}}}", NULL, NULL, "decay_steps"},
        {"{class_name: 'Adam', config: {learnin_rate: 1}}", NULL, NULL, "learnin_rate"},
        {"'Adan'", NULL, NULL, "Adam"},
        {NULL, "{class_name: 'Huber', config: {delta: -1}}", NULL, "delta"},
        {NULL, "'mean_squared_eror'", NULL, "loss_config"},
        {NULL, "{class_name: 'MeanSquaredError', config: {reduction: 'none'}}", NULL, "reduction"},
        {NULL, NULL, "[{class_name: 'SparseTopKCategoricalAccuracy', config: {k: 5}}]", "key k"},
        {NULL, NULL, "['AUC']", "AUC"},
        {NULL, NULL, "['accurracy']", "accuracy"},
        {NULL, NULL, "[{class_name: 'BinaryAccuracy', config: {threshold: 2}}]", "threshold"},
        {NULL, "'mse'", "[{class_name: 'MeanSquaredError', config: {name: 'val_x'}}]", "name"},
        {NULL, "'mse'", "{}", "a list of metrics"},
        {NULL, "{class_name: 'CategoricalCrossentropy', config: {from_logits: true}}", NULL, "from_logits: true"},
    };
    mnist_model *model = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX);
    mnist_compile_options good = options(NULL, NULL, NULL);
    WORKS(mnist_model_compile(model, &good, error));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const mnist_compile_options bad = options(wrong[i].optimizer, wrong[i].loss, wrong[i].metrics);
        const mnist_status status = mnist_model_compile(model, &bad, error);
        TRUE(status < 0);
        TRUE(strstr(mnist_error_message(error), wrong[i].needle) != NULL);
        if (strstr(mnist_error_message(error), wrong[i].needle) == NULL)
            fprintf(stderr, "%s: %s\n", wrong[i].needle, mnist_error_message(error));
    }
    mnist_model_free(model);
}

/* Errors of fit, reported before the first step. */
static void a_fit_that_cannot_be(void)
{
    mnist_model *model = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX), *two = dense(2, MNIST_ACTIVATION_SIGMOID);
    mnist_dataset *data = dataset(labels, MNIST_DTYPE_U8, 0, NULL), *weighted = dataset(labels, MNIST_DTYPE_U8, 0, numbers);
    mnist_dataset *targets = dataset(rows, MNIST_DTYPE_F32, CLASSES, NULL);
    WORKS(mnist_model_compile(model, NULL, error));
    mnist_compile_options binary = options(NULL, "'binary_crossentropy'", NULL);
    WORKS(mnist_model_compile(two, &binary, error));
    mnist_fit_options fit = quiet();
    FAILS(SHAPE, "targets of [2]", mnist_model_fit(two, data, &fit, NULL, error));
    FAILS(SHAPE, "labels", mnist_model_fit(model, targets, &fit, NULL, error));
    const float three[] = {1, 2, 3}, four[] = {1, 2, 3, NAN}, good[] = {1, 2, 3, 4};
    fit.class_weight = three;
    fit.class_weight_len = 3;
    FAILS(INVALID_ARGUMENT, "class_weight", mnist_model_fit(model, data, &fit, NULL, error));
    fit.class_weight = four;
    fit.class_weight_len = 4;
    FAILS(INVALID_ARGUMENT, "class 3", mnist_model_fit(model, data, &fit, NULL, error));
    fit.class_weight = good;
    FAILS(INVALID_ARGUMENT, "weights of their own", mnist_model_fit(model, weighted, &fit, NULL, error));
    fit = quiet();
    fit.validation_freq = 0;
    FAILS(INVALID_ARGUMENT, "validation_freq", mnist_model_fit(model, data, &fit, NULL, error));
    static const char *const callbacks[][2] = {
        {"[{class_name: 'ModelCheckpoint', config: {filepath: '/dev/null/all.safetensors', monitor: 'loss'}}]", "/dev/null"},
        {"[{class_name: 'EarlyStopping', config: {patience: -1, monitor: 'loss'}}]", "patience"},
        {"['EarlyStopping']", "val_loss"},
        {"[{class_name: 'ReduceLROnPlateau', config: {factor: 1.5, monitor: 'loss'}}]", "factor"},
        {"['LearningRateScheduler']", "mnist_model_set_learning_rate"},
        {"[{class_name: 'CSVLogger'}]", "filename"},
        {"['EarlyStoping']", "EarlyStopping"},
        {"[1]", "[0]"},
        {"[", "callbacks_config"},
    };
    float kernel[FEATURES * 8], again[FEATURES * 8];
    WORKS(mnist_model_get_weight(model, "dense/kernel", kernel, FEATURES * 8, error));
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++) {
        fit = quiet();
        fit.callbacks_config = callbacks[i][0];
        TRUE(mnist_model_fit(model, data, &fit, NULL, error) < 0);
        TRUE(strstr(mnist_error_message(error), callbacks[i][1]) != NULL);
        if (strstr(mnist_error_message(error), callbacks[i][1]) == NULL)
            fprintf(stderr, "%s: %s\n", callbacks[i][1], mnist_error_message(error));
    }
    WORKS(mnist_model_get_weight(model, "dense/kernel", again, FEATURES * 8, error));
    TRUE(memcmp(kernel, again, sizeof kernel) == 0);
    mnist_dataset_free(data);
    mnist_dataset_free(weighted);
    mnist_dataset_free(targets);
    mnist_model_free(model);
    mnist_model_free(two);
}

static int32_t look(void *user_data, const mnist_progress *progress)
{
    double value = 0;
    mnist_error *own = mnist_error_new();
    TRUE(mnist_progress_get(progress, "top", &value, own) == MNIST_OK && value >= 0 && value <= 1);
    TRUE(mnist_progress_get(progress, "loss", &value, own) == MNIST_OK && value == progress->loss);
    TRUE(mnist_progress_get(progress, "nothing", &value, own) == MNIST_ERROR_NOT_FOUND);
    mnist_error_free(own);
    return ++*(int *)user_data == 3;
}

/* Metrics by name, in callbacks, histories and results. */
static void metrics_by_name(void)
{
    mnist_model *model = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX);
    mnist_dataset *data = dataset(labels, MNIST_DTYPE_U8, 0, NULL);
    mnist_compile_options compile =
        options(NULL, NULL, "['accuracy', {class_name: 'SparseTopKCategoricalAccuracy', config: {k: 2, name: 'top'}}, 'ce']");
    WORKS(mnist_model_compile(model, &compile, error));
    mnist_fit_options fit = quiet();
    int called = 0;
    fit.epochs = 5;
    fit.validation_split = 0.25;
    fit.validation_freq = 2;
    fit.on_epoch_end = look;
    fit.user_data = &called;
    mnist_history *history = NULL;
    const mnist_status status = mnist_model_fit(model, data, &fit, &history, error);
    TRUE(status == MNIST_CANCELLED && called == 3);
    TRUE(strstr(mnist_error_message(error), "epoch 3: after step ") == mnist_error_message(error));
    TRUE(mnist_history_metrics_len(history) == 8 && mnist_history_stop_reason(history) == NULL);
    TRUE(strcmp(mnist_history_metric_name(history, 3), "ce") == 0 && mnist_history_metric_name(history, 8) == NULL);
    TRUE(strcmp(mnist_history_metric_name(history, 6), "val_top") == 0);
    double value = 0;
    FAILS(NOT_FOUND, "val_top", mnist_history_get(history, "val_top", 0, &value, error));
    WORKS(mnist_history_get(history, "val_top", 1, &value, error));
    mnist_history_free(history);

    mnist_history *results = NULL;
    mnist_metrics found;
    mnist_evaluate_options evaluate;
    mnist_evaluate_options_init(&evaluate, sizeof evaluate);
    evaluate.results = &results;
    WORKS(mnist_model_evaluate(model, data, &evaluate, &found, error));
    WORKS(mnist_history_get(results, "loss", 0, &value, error));
    TRUE(value == found.loss && mnist_history_epochs(results) == 1);
    double crossentropy = 0;
    WORKS(mnist_history_get(results, "ce", 0, &crossentropy, error));
    TRUE(fabs(crossentropy - value) < 1e-6 * value);
    mnist_history_free(results);
    mnist_dataset_free(data);
    mnist_model_free(model);
}

/* Early stopping is a success with a reason. */
static void a_callback_that_ends_a_fit(void)
{
    mnist_model *model = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX);
    mnist_dataset *data = dataset(labels, MNIST_DTYPE_U8, 0, NULL);
    mnist_compile_options compile = options("{class_name: 'SGD', config: {learning_rate: 0}}", NULL, NULL);
    WORKS(mnist_model_compile(model, &compile, error));
    mnist_fit_options fit = quiet();
    fit.epochs = 10;
    fit.callbacks_config = "[{class_name: 'EarlyStopping', config: {monitor: 'loss', patience: 2, restore_best_weights: true}},"
                           " {class_name: 'CSVLogger', config: {filename: 'log.csv'}}]";
    mnist_history *history = NULL;
    WORKS(mnist_model_fit(model, data, &fit, &history, error));
    TRUE(mnist_history_epochs(history) == 3);
    TRUE(strstr(mnist_history_stop_reason(history), "EarlyStopping") != NULL);
    mnist_history_free(history);
    FILE *log = fopen("log.csv", "r");
    char line[200] = "";
    TRUE(log && fgets(line, sizeof line, log) && strstr(line, "epoch,accuracy,loss") == line);
    if (log)
        fclose(log);
    mnist_dataset_free(data);
    mnist_model_free(model);
}

/* A single training step equals a fit of one batch. */
static void a_step_alone(void)
{
    mnist_dataset *data = dataset(labels, MNIST_DTYPE_U8, 0, NULL);
    mnist_model *models[2];
    float kernels[2][FEATURES * 8];
    mnist_metrics found = {0, 0};
    for (int i = 0; i < 2; i++) {
        models[i] = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX);
        WORKS(mnist_model_compile(models[i], NULL, error));
    }
    mnist_fit_options fit = quiet();
    fit.batch_size = SAMPLES;
    fit.shuffle = 0;
    fit.epochs = 3;
    mnist_history *history = NULL;
    WORKS(mnist_model_fit(models[0], data, &fit, &history, error));
    for (size_t i = 0; i < fit.epochs; i++) {
        double loss = 0;
        WORKS(mnist_model_train_on_batch(models[1], data, &found, error));
        WORKS(mnist_history_get(history, "loss", i, &loss, error));
        TRUE(found.loss == loss && found.accuracy >= 0);
    }
    for (int i = 0; i < 2; i++) {
        WORKS(mnist_model_get_weight(models[i], "dense/kernel", kernels[i], FEATURES * 8, error));
        mnist_model_free(models[i]);
    }
    TRUE(memcmp(kernels[0], kernels[1], sizeof kernels[0]) == 0);
    mnist_history_free(history);
    mnist_dataset_free(data);
}

/* Epochs of another length use the same samples. */
static void steps_that_are_no_pass(void)
{
    mnist_dataset *data = dataset(labels, MNIST_DTYPE_U8, 0, NULL);
    float kernels[2][FEATURES * 8];
    for (int i = 0; i < 2; i++) {
        mnist_model *model = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX);
        WORKS(mnist_model_compile(model, NULL, error));
        mnist_fit_options fit = quiet();
        fit.batch_size = 8; /* five batches */
        fit.epochs = i ? 5 : 3;
        fit.steps_per_epoch = i ? 3 : 0;
        WORKS(mnist_model_fit(model, data, &fit, NULL, error));
        WORKS(mnist_model_get_weight(model, "dense/kernel", kernels[i], FEATURES * 8, error));
        mnist_model_free(model);
    }
    TRUE(memcmp(kernels[0], kernels[1], sizeof kernels[0]) == 0);
    mnist_dataset_free(data);
}

/* A class weight of 2 equals sample weights of 2 for its samples. */
static void weights_of_classes_are_weights_of_samples(void)
{
    static const float by_class[CLASSES] = {2, 1, 0.5f, 1};
    float weights[SAMPLES], kernels[2][FEATURES * 8];
    for (int i = 0; i < SAMPLES; i++)
        weights[i] = by_class[labels[i]];
    for (int i = 0; i < 2; i++) {
        mnist_dataset *data = dataset(labels, MNIST_DTYPE_U8, 0, i ? weights : NULL);
        mnist_model *model = dense(CLASSES, MNIST_ACTIVATION_SOFTMAX);
        WORKS(mnist_model_compile(model, NULL, error));
        mnist_fit_options fit = quiet();
        fit.class_weight = i ? NULL : by_class;
        fit.class_weight_len = i ? 0 : CLASSES;
        WORKS(mnist_model_fit(model, data, &fit, NULL, error));
        WORKS(mnist_model_get_weight(model, "dense/kernel", kernels[i], FEATURES * 8, error));
        mnist_model_free(model);
        mnist_dataset_free(data);
    }
    TRUE(memcmp(kernels[0], kernels[1], sizeof kernels[0]) == 0);
}

/* A linear function is learned with three losses, and with numeric labels. */
static void numbers_are_learned(void)
{
    static const char *const losses[] = {"'mse'", "'mae'", "{class_name: 'Huber', config: {delta: 0.5}}"};
    mnist_dataset *data = dataset(numbers, MNIST_DTYPE_F32, 1, NULL);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        mnist_model *model = dense(1, MNIST_ACTIVATION_LINEAR);
        mnist_compile_options compile =
            options("{class_name: 'Adam', config: {learning_rate: 0.02}}", losses[i], "['mae', 'R2Score']");
        WORKS(mnist_model_compile(model, &compile, error));
        mnist_fit_options fit = quiet();
        fit.epochs = 200;
        fit.batch_size = 8;
        WORKS(mnist_model_fit(model, data, &fit, NULL, error));
        mnist_history *results = NULL;
        mnist_metrics found;
        mnist_evaluate_options evaluate;
        mnist_evaluate_options_init(&evaluate, sizeof evaluate);
        evaluate.results = &results;
        WORKS(mnist_model_evaluate(model, data, &evaluate, &found, error));
        double r2 = 0;
        WORKS(mnist_history_get(results, "R2Score", 0, &r2, error));
        TRUE(r2 > 0.9 && isnan(found.accuracy));
        mnist_history_free(results);
        mnist_model_free(model);
    }
    mnist_dataset_free(data);
}

int main(void)
{
    error = mnist_error_new();
    uint32_t state = 7;
    for (int i = 0; i < SAMPLES; i++) {
        for (int j = 0; j < FEATURES; j++) {
            state = state * 1664525u + 1013904223u;
            samples[i * FEATURES + j] = (float)(state >> 8) / (1 << 24);
        }
        labels[i] = (uint8_t)(i * 7 % CLASSES);
        numbers[i] = samples[i * FEATURES] + 2 * samples[i * FEATURES + 1];
        rows[i * CLASSES + labels[i]] = 1;
    }
    what_is_wrong_is_told();
    a_fit_that_cannot_be();
    metrics_by_name();
    a_callback_that_ends_a_fit();
    a_step_alone();
    steps_that_are_no_pass();
    weights_of_classes_are_weights_of_samples();
    numbers_are_learned();
    return report();
}
