/* Networks by Keras's configs: errors are named and change nothing; valid networks are read back from a model's config,
 * from a file, and from another model. */

#include "expect.h"

#define CONV "{filters: 4, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu', name: 'first'}"

/* A layer call on an 8 x 8 x 3 input that must fail; the message says what, where and what was expected. */
static void layer_fails(int line, const char *class_name, const char *config, mnist_status wanted, const char *needle)
{
    mnist_graph *graph = mnist_graph_new();
    mnist_tensor *x = mnist_input(graph, 8, 8, 3);
    expect_true(line, config, mnist_layer(x, class_name, config) == NULL);
    expect_status(line, config, mnist_graph_check(graph, error), wanted, needle);
    /* The graph remembers the failure and is otherwise unchanged. */
    expect_true(line, "the graph works on", mnist_conv2d(x, 2, 3, MNIST_ACTIVATION_RELU) != NULL);
    mnist_graph_free(graph);
}
#define BAD(class_name, config, status, needle) layer_fails(__LINE__, class_name, config, MNIST_ERROR_##status, needle)

static void wrong_configs(void)
{
    BAD("Conv2D", "{filters: 4, kernel_size: 3, strdes: 2}", UNSUPPORTED,
        "layer Conv2D: key strdes: unknown key: expected strides");
    BAD("Conv2d", "{}", UNSUPPORTED, "unknown class of layers: expected Conv2D");
    BAD("Conv2D", "{kernel_size: 3}", INVALID_ARGUMENT, "key filters: missing key: expected a whole number, 1 or more");
    BAD("Conv2D", "{filters: 4, kernel_size: 'big'}", INVALID_ARGUMENT, "key kernel_size: wrong value");
    BAD("Conv2D", "{filters: 4, kernel_size: [3, 3, 3]}", INVALID_ARGUMENT, "key kernel_size: wrong value");
    BAD("Conv2D", "{filters: 4.5, kernel_size: 3}", INVALID_ARGUMENT, "key filters: wrong value");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, padding: 'some'}", INVALID_ARGUMENT, "expected valid or same, found \"some\"");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, data_format: 'channels_first'}", UNSUPPORTED, "key data_format");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, activation: 'rleu'}", UNSUPPORTED, "unknown activation: expected relu");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, kernel_initializer: {class_name: 'HeNormal', config: {sed: 1}}}", UNSUPPORTED,
        "key kernel_initializer.config.sed: unknown key: expected seed");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, kernel_regularizer: 'L3'}", UNSUPPORTED, "unknown regularizer");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, kernel_constraint: 'NonNeg'}", UNSUPPORTED, "key kernel_constraint");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, dtype: 'float16'}", UNSUPPORTED, "key dtype");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, groups: 3}", SHAPE, "groups");
    BAD("Conv2D", "{filters: 4, kernel_size: 3, name: 'a/b'}", INVALID_ARGUMENT, "key name");
    BAD("Conv2D", "{filters: 4, kernel_size: 9}", SHAPE, "the kernel does not fit its input: expected a kernel_size from 1 to 8");
    BAD("MaxPooling2D", "{pool_size: 9}", SHAPE, "layer max_pooling2d: ");
    BAD("MaxPooling1D", "{}", SHAPE, "wrong rank");
    BAD("Dropout", "{rate: 1.5}", INVALID_ARGUMENT, "key rate: ");
    BAD("Dropout", "{rate: 0.5", INVALID_ARGUMENT, "not JSON5: EOF");
    BAD("Dropout", "{rate: 0.5,\n noise_shap: null}", UNSUPPORTED, "key noise_shap: unknown key: expected noise_shape");
    BAD("Dropout", "[]", INVALID_ARGUMENT, "expected an object");
    BAD("Dropout", "{rate: NaN}", INVALID_ARGUMENT, "not a finite number");
    BAD("Dropout", "{rate: 0.5, rate: 0.6}", INVALID_ARGUMENT, "duplicate key");
    BAD("Reshape", "{target_shape: [65536, 65536]}", SHAPE, "layer reshape: ");
    BAD("Reshape", "{target_shape: [-1, -1]}", INVALID_ARGUMENT, "key target_shape");
    BAD("Reshape", "{target_shape: [7, -1]}", SHAPE, "layer reshape: ");
    BAD("UpSampling2D", "{size: 1000000}", SHAPE, "too many elements");
    BAD("Dense", "{units: 4000000000}", SHAPE, "too many");
    BAD("Add", "{}", INVALID_ARGUMENT, "wrong number of inputs: expected two or more, found 1");
    BAD("InputLayer", "{shape: [2]}", INVALID_ARGUMENT, "wrong number of inputs");
    BAD("BatchNormalization", "{axis: 0}", SHAPE, "no such axis: expected 1 to 3");

    char *deep = malloc(20001);
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    deep[20000] = '\0';
    BAD("Dropout", deep, INVALID_ARGUMENT, "nested deeper than");
    free(deep);
}

static void wrong_merges(void)
{
    mnist_graph *graph = mnist_graph_new(), *other = mnist_graph_new();
    mnist_tensor *a = mnist_input(graph, 8, 8, 3), *b = mnist_input(other, 8, 8, 3);
    mnist_tensor *small = mnist_max_pooling2d(a, 2);
    mnist_tensor *two[2] = {a, small}, *none[2] = {a, NULL}, *apart[2] = {a, b};
    TRUE(mnist_merge(none, 2, "Add", NULL) == NULL && mnist_merge(NULL, 2, "Add", NULL) == NULL);
    TRUE(mnist_add(a, NULL) == NULL && mnist_merge(two, 0, "Add", NULL) == NULL);
    WORKS(mnist_graph_check(graph, error));
    TRUE(mnist_merge(two, 2, "Add", NULL) == NULL);
    FAILS(SHAPE, "layer add: ", mnist_graph_check(graph, error));
    mnist_graph_free(graph);

    graph = mnist_graph_new();
    apart[0] = mnist_input(graph, 8, 8, 3);
    TRUE(mnist_merge(apart, 2, "Add", NULL) == NULL);
    FAILS(INVALID_ARGUMENT, "argument `inputs[1]`: a tensor of another graph", mnist_graph_check(graph, error));
    mnist_graph_free(graph);
    mnist_graph_free(other);
}

/* Collects the written text. */
struct text {
    char bytes[65536];
    size_t len;
};

static void collect(void *user_data, const char *bytes, size_t len)
{
    struct text *text = user_data;
    if (text->len + len < sizeof text->bytes) {
        memcpy(text->bytes + text->len, bytes, len);
        text->len += len;
        text->bytes[text->len] = '\0';
    }
}

/* Branches, sums, a normalization, dropout: 8 x 8 x 1 to 10 classes. */
static mnist_model *branched(uint64_t seed)
{
    mnist_model *model = NULL;
    mnist_graph *graph = mnist_graph_new();
    mnist_graph_set_seed(graph, seed);
    mnist_tensor *input = mnist_input(graph, 8, 8, 1);
    mnist_tensor *x = mnist_layer(input, "Conv2D", CONV);
    mnist_tensor *y = mnist_activate(mnist_batch_normalization(x), MNIST_ACTIVATION_SWISH);
    x = mnist_add(x, y);
    x = mnist_concatenate(x, mnist_average_pooling2d(input, 2));
    TRUE(mnist_tensor_shape(x, NULL, 0) == 3);
    x = mnist_dropout(mnist_global_average_pooling2d(x), 0.25);
    size_t dims[3] = {0, 0, 0};
    TRUE(mnist_tensor_shape(x, dims, 3) == 1 && dims[0] == 5 && mnist_tensor_shape(NULL, dims, 3) == 0);
    x = mnist_dense(x, 10, MNIST_ACTIVATION_SOFTMAX);
    WORKS(mnist_graph_check(graph, error));
    WORKS(mnist_model_new(input, x, "branched", &model, error));
    mnist_graph_free(graph);
    return model;
}

static int same_predictions(const mnist_model *a, const mnist_model *b, const mnist_dataset *data)
{
    static float p[640], q[640];
    WORKS(mnist_model_predict_dataset(a, data, p, 640, error));
    WORKS(mnist_model_predict_dataset(b, data, q, 640, error));
    return memcmp(p, q, sizeof p) == 0;
}

static void there_and_back(const mnist_dataset *data)
{
    static struct text first, second;
    mnist_model *model = branched(1), *copy = NULL, *loaded = NULL;
    mnist_graph *graph = NULL;
    mnist_tensor *input = NULL, *output = NULL;
    mnist_fit_options fit = quiet();
    mnist_compile_options compile;
    size_t copied = 0;
    mnist_compile_options_init(&compile, sizeof compile);
    compile.optimizer_config = "{class_name: 'SGD', config: {learning_rate: 0.1, momentum: 0.9, nesterov: true}}";
    compile.metrics_config = "['accuracy']";
    WORKS(mnist_model_compile(model, &compile, error));
    WORKS(mnist_model_fit(model, data, &fit, NULL, error));

    WORKS(mnist_model_config(model, collect, &first, error));
    WORKS(mnist_graph_from_json(first.bytes, &graph, &input, &output, error));
    WORKS(mnist_model_new(input, output, "branched", &copy, error));
    mnist_graph_free(graph);
    WORKS(mnist_model_config(copy, collect, &second, error));
    TRUE(strcmp(first.bytes, second.bytes) == 0);
    TRUE(!same_predictions(model, copy, data));
    WORKS(mnist_model_copy_weights(copy, model, &copied, error));
    TRUE(copied == mnist_model_weights_len(model) && same_predictions(model, copy, data));
    mnist_model_free(copy);

    const char *path = "branched.safetensors";
    double rate = 0;
    WORKS(mnist_model_set_learning_rate(model, 0.05, error));
    WORKS(mnist_model_save(model, path, error));
    WORKS(mnist_model_load(path, &loaded, error));
    remove(path);
    WORKS(mnist_model_get_learning_rate(loaded, &rate, error));
    TRUE(rate == 0.05 && same_predictions(model, loaded, data));
    /* Both continue from the same moments, step and statistics. */
    WORKS(mnist_model_fit(model, data, &fit, NULL, error));
    WORKS(mnist_model_fit(loaded, data, &fit, NULL, error));
    TRUE(same_predictions(model, loaded, data));
    mnist_model_free(loaded);
    mnist_model_free(model);
}

static void wrong_networks(void)
{
    static struct text text;
    mnist_model *model = branched(1);
    mnist_graph *graph = NULL;
    mnist_tensor *input = NULL, *output = NULL;
    WORKS(mnist_model_config(model, collect, &text, error));
    mnist_model_free(model);
    static const struct {
        const char *from, *to;
        mnist_status status;
        const char *needle;
    } damages[] = {
        {"\"filters\":4", "\"filtres\":4", MNIST_ERROR_UNSUPPORTED, "filtres: unknown key: expected filters"},
        {"\"class_name\":\"Dropout\"", "\"class_name\":\"Droput\"", MNIST_ERROR_UNSUPPORTED, "expected Dropout"},
        {"[\"first\",0,0]", "[\"frist\",0,0]", MNIST_ERROR_FORMAT, "no such layer: expected first"},
        {"[\"first\",0,0]", "[\"first\",7,0]", MNIST_ERROR_FORMAT, "no such call of the layer"},
        {"[\"first\",0,0]", "[\"dense\",0,0]", MNIST_ERROR_FORMAT, "a cycle"},
        {"[\"input_1\",0,0]", "[\"dropout\",0,0]", MNIST_ERROR_INVALID_ARGUMENT, "a model starts at an input layer"},
        {"\"rate\":0.25", "\"rate\":\"often\"", MNIST_ERROR_FORMAT, "config.rate: wrong value"},
        {"\"name\":\"first\"", "\"name\":\"dropout\"", MNIST_ERROR_FORMAT, "the layer has two names"},
        {"\"class_name\":\"Functional\"", "\"class_name\":\"Subclass\"", MNIST_ERROR_UNSUPPORTED, "key class_name"},
        {"}]", "", MNIST_ERROR_FORMAT, "not JSON5"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        static char bad[70000];
        char *at = strstr(text.bytes, damages[i].from);
        TRUE(at != NULL);
        if (at == NULL)
            continue;
        snprintf(bad, sizeof bad, "%.*s%s%s", (int)(at - text.bytes), text.bytes, damages[i].to,
                 at + strlen(damages[i].from));
        expect_status(__LINE__, damages[i].to, mnist_graph_from_json(bad, &graph, &input, &output, error),
                      damages[i].status, damages[i].needle);
    }
    for (size_t len = 0; len < text.len; len += 37) { /* truncated */
        char end = text.bytes[len];
        text.bytes[len] = '\0';
        FAILS(FORMAT, "argument `json`: ", mnist_graph_from_json(text.bytes, &graph, &input, &output, error));
        text.bytes[len] = end;
    }
    TRUE(graph == NULL && input == NULL && output == NULL);
}

/* Frozen weights, including moving statistics, do not change; a layer's output can be read; the learning rate can be set during a fit. */
struct slower {
    mnist_model *model;
    double seen;
};

static int32_t slow_down(void *user_data, const mnist_progress *progress)
{
    struct slower *slower = user_data;
    if (progress->batch == 1)
        WORKS(mnist_model_set_learning_rate(slower->model, 0.0, error));
    WORKS(mnist_model_get_learning_rate(slower->model, &slower->seen, error));
    return 0;
}

static void frozen(const mnist_dataset *data)
{
    mnist_model *model = branched(3);
    static float before[64], after[64], images[64 * 3], values[3 * 64];
    size_t dims[3], rank = 0;
    mnist_fit_options fit = quiet();
    double rate = 0;
    struct slower slower = {model, -1};

    TRUE(mnist_model_layers_len(model) == 10 && mnist_model_layer_name(model, 10) == NULL);
    TRUE(strcmp(mnist_model_layer_name(model, 1), "first") == 0 && strcmp(mnist_model_layer_class(model, 1), "Conv2D") == 0);
    WORKS(mnist_model_layer_shape(model, "first", dims, 3, &rank, error));
    TRUE(rank == 3 && dims[0] == 4 && dims[1] == 4 && dims[2] == 4);
    FAILS(NOT_FOUND, "no such layer: expected first", mnist_model_layer_shape(model, "frist", dims, 3, &rank, error));
    FAILS(NOT_FOUND, "no such layer", mnist_model_set_trainable(model, "frist", 0, error));
    FAILS(STATE, "not compiled", mnist_model_get_learning_rate(model, &rate, error));
    FAILS(STATE, "not compiled", mnist_model_set_learning_rate(model, 0.1, error));
    WORKS(mnist_model_compile(model, NULL, error));
    FAILS(INVALID_ARGUMENT, "argument `learning_rate`", mnist_model_set_learning_rate(model, -1, error));
    FAILS(INVALID_ARGUMENT, "argument `learning_rate`", mnist_model_set_learning_rate(model, NAN, error));

    static const char *const body[] = {"first/kernel", "first/bias", "batch_normalization/gamma", "batch_normalization/beta",
                                       "batch_normalization/moving_mean", "batch_normalization/moving_variance"};
    WORKS(mnist_model_set_trainable(model, NULL, 0, error));
    WORKS(mnist_model_set_trainable(model, "dense", 1, error));
    for (size_t i = 0; i < sizeof body / sizeof body[0]; i++) {
        WORKS(mnist_model_get_weight(model, body[i], before, 64, error));
        WORKS(mnist_model_fit(model, data, &fit, NULL, error));
        WORKS(mnist_model_get_weight(model, body[i], after, 64, error));
        TRUE(memcmp(before, after, sizeof before) == 0);
    }
    WORKS(mnist_model_set_trainable(model, NULL, 1, error));
    WORKS(mnist_model_fit(model, data, &fit, NULL, error));
    for (size_t i = 0; i < sizeof body / sizeof body[0]; i++) {
        WORKS(mnist_model_get_weight(model, body[i], before, 64, error));
        WORKS(mnist_model_fit(model, data, &fit, NULL, error));
        WORKS(mnist_model_get_weight(model, body[i], after, 64, error));
        TRUE(memcmp(before, after, sizeof before) != 0);
    }

    for (size_t i = 0; i < 64 * 3; i++)
        images[i] = (float)(i % 13) / 13.0f;
    WORKS(mnist_model_predict_layer(model, "first", images, 3, values, 3 * 64, error));
    int positive = 0;
    for (size_t i = 0; i < 3 * 64; i++) {
        TRUE(values[i] >= 0.0f);
        positive += values[i] > 0.0f;
    }
    TRUE(positive > 0);
    FAILS(INVALID_ARGUMENT, "capacity", mnist_model_predict_layer(model, "first", images, 3, values, 100, error));
    WORKS(mnist_model_predict_layer(model, "first", NULL, 0, NULL, 0, error));

    fit.batch_size = 8;
    fit.on_batch_end = slow_down;
    fit.user_data = &slower;
    WORKS(mnist_model_fit(model, data, &fit, NULL, error));
    TRUE(slower.seen == 0.0);
    WORKS(mnist_model_compile(model, NULL, error));
    WORKS(mnist_model_get_learning_rate(model, &rate, error));
    TRUE(rate == 0.001);
    mnist_model_free(model);
}

static void optimizers(const mnist_dataset *data)
{
    static const char *const good[] = {"'sgd'", "'Adam'", "{class_name: 'AdamW', config: {weight_decay: 0.01}}",
                                       "{class_name: 'RMSprop', config: {centered: true, momentum: 0.5}}",
                                       "{class_name: 'Adam', config: {weight_decay: 0.1, clipnorm: null, use_ema: false}}",
                                       "'Adamax'", "'Nadam'", "'Adagrad'", "'Adadelta'", "'Ftrl'", "'Lion'",
                                       "{class_name: 'SGD', config: {use_ema: true, ema_overwrite_frequency: 2, gradient_accumulation_steps: 2}}",
                                       "{class_name: 'Lion', config: {learning_rate: {class_name: 'CosineDecay', config:"
                                       " {initial_learning_rate: 0.01, decay_steps: 100}}}}"};
    static const struct {
        const char *config;
        mnist_status status;
        const char *needle;
    } bad[] = {
        {"'adm'", MNIST_ERROR_UNSUPPORTED, "option `optimizer_config`: unknown optimizer: expected Adam"},
        {"{class_name: 'SGD', config: {momentun: 1}}", MNIST_ERROR_UNSUPPORTED, "momentun: unknown key: expected momentum"},
        {"{class_name: 'SGD', config: {momentum: 1.5}}", MNIST_ERROR_INVALID_ARGUMENT, "option `momentum`: out of range"},
        {"{class_name: 'SGD', config: {learning_rate: 'fast'}}", MNIST_ERROR_INVALID_ARGUMENT, "learning_rate: wrong value"},
        {"{class_name: 'SGD', config: {learning_rate: {class_name: 'CosineDecay', config: {initial_learning_rate: 1, decay_steps: 0}}}}",
         MNIST_ERROR_INVALID_ARGUMENT, "option `learning_rate`: option `decay_steps`: out of range"},
        {"{class_name: 'SGD', config: {gradient_accumulation_steps: 1}}", MNIST_ERROR_INVALID_ARGUMENT,
         "option `gradient_accumulation_steps`: out of range"},
        {"{class_name: 'SGD', config: {nesterov: 1}}", MNIST_ERROR_INVALID_ARGUMENT, "nesterov: wrong value"},
        {"{class_name: 'SGD'", MNIST_ERROR_INVALID_ARGUMENT, "not JSON5"},
        {"7", MNIST_ERROR_INVALID_ARGUMENT, "expected a name"},
    };
    mnist_compile_options compile;
    mnist_fit_options fit = quiet();
    mnist_compile_options_init(&compile, sizeof compile);
    mnist_model *model = branched(4);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        compile.optimizer_config = good[i];
        WORKS(mnist_model_compile(model, &compile, error));
        WORKS(mnist_model_fit(model, data, &fit, NULL, error));
    }
    FAILS(STATE, "the learning rate is set by the optimizer's schedule", mnist_model_set_learning_rate(model, 0.1, error));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        compile.optimizer_config = bad[i].config;
        expect_status(__LINE__, bad[i].config, mnist_model_compile(model, &compile, error), bad[i].status, bad[i].needle);
    }
    compile.optimizer_config = NULL;
    for (uint32_t i = MNIST_OPTIMIZER_ADAM; i <= MNIST_OPTIMIZER_ADAMW; i++) {
        static const double rates[] = {0, 0.001, 0.01, 0.001, 0.001};
        double rate = 0;
        compile.optimizer = i;
        WORKS(mnist_model_compile(model, &compile, error));
        WORKS(mnist_model_get_learning_rate(model, &rate, error));
        TRUE(rate == rates[i]);
    }
    compile.loss_config = "{class_name: 'SparseCategoricalCrossentropy', config: {from_logits: true}}";
    FAILS(INVALID_ARGUMENT, "the loss", mnist_model_compile(model, &compile, error));
    compile.loss_config = "'sparse_categorical_crosentropy'";
    FAILS(UNSUPPORTED, "option `loss_config`: unknown loss: expected sparse_categorical_crossentropy",
          mnist_model_compile(model, &compile, error));
    compile.loss_config = NULL;
    compile.metrics_config = "['acuracy']";
    FAILS(UNSUPPORTED, "unknown metric: expected accuracy", mnist_model_compile(model, &compile, error));
    mnist_model_free(model);
}

int main(void)
{
    error = mnist_error_new();
    mnist_dataset *data = noise(64, 8);
    wrong_configs();
    wrong_merges();
    wrong_networks();
    there_and_back(data);
    frozen(data);
    optimizers(data);
    mnist_dataset_free(data);
    return report();
}
