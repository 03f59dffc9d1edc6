/* The networks of golden.c. The tables must contain every layer, activation, optimizer, schedule, loss and metric of the library;
 * a test of the library checks this. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stddef.h>

typedef struct {
    const char *class_name; /* "mark" is not a layer: it marks the previous tensor as second input of the next layer with `joins` */
    const char *config;
    int joins;
} golden_layer;

typedef struct {
    const char *name;
    size_t shape[3];
    size_t batch;
    const char *optimizer;
    golden_layer layers[24];
} golden_network;

#define CLASSES {"Dense", "{units: 4, activation: 'softmax'}", 0}

static const golden_network NETWORKS[] = {
    {"augmentation", {9, 10, 3}, 6, "'Adam'",
     {{"Rescaling", "{scale: 0.5, offset: 0.5}", 0},
      {"RandomFlip", NULL, 0},
      {"RandomRotation", "{factor: 0.1}", 0},
      {"RandomTranslation", "{height_factor: 0.2, width_factor: 0.1}", 0},
      {"RandomZoom", "{height_factor: 0.2}", 0},
      {"RandomElasticTransform", "{factor: 0.5}", 0},
      {"RandomBrightness", "{factor: 0.2, value_range: [0, 1]}", 0},
      {"RandomContrast", "{factor: 0.3, value_range: [0, 1]}", 0},
      {"RandomErasing", "{factor: 0.8, value_range: [0, 1]}", 0},
      {"Normalization", "{mean: [0.4, 0.5, 0.6], variance: [0.2, 0.3, 0.1]}", 0},
      {"Conv2D", "{filters: 6, kernel_size: 3, strides: 2, padding: 'same'}", 0},
      {"Flatten", NULL, 0},
      CLASSES}},
    {"convolutions", {11, 12, 3}, 5, "{class_name: 'SGD', config: {learning_rate: 0.05, momentum: 0.9, nesterov: true}}",
     {{"ZeroPadding2D", "{padding: [1, 2]}", 0},
      {"Conv2D", "{filters: 8, kernel_size: 3, activation: 'relu'}", 0},
      {"BatchNormalization", NULL, 0},
      {"MaxPooling2D", "{pool_size: 2, padding: 'same'}", 0},
      {"DepthwiseConv2D", "{kernel_size: 3, padding: 'same', depth_multiplier: 2}", 0},
      {"GroupNormalization", "{groups: 4}", 0},
      {"PReLU", "{shared_axes: [1, 2]}", 0},
      {"SeparableConv2D", "{filters: 10, kernel_size: 3, padding: 'same', activation: 'elu'}", 0},
      {"UpSampling2D", NULL, 0},
      {"Conv2DTranspose", "{filters: 5, kernel_size: 3, strides: 2, padding: 'same'}", 0},
      {"LeakyReLU", NULL, 0},
      {"Cropping2D", "{cropping: 3}", 0},
      {"SpatialDropout2D", "{rate: 0.3}", 0},
      {"AveragePooling2D", "{pool_size: 3, strides: 2}", 0},
      {"ELU", NULL, 0},
      {"GlobalAveragePooling2D", NULL, 0},
      CLASSES}},
    {"sequences", {24, 6}, 7, "'AdamW'",
     {{"Conv1D", "{filters: 12, kernel_size: 3, padding: 'causal', dilation_rate: 2, activation: 'tanh'}", 0},
      {"MaxPooling1D", "{pool_size: 2}", 0},
      {"LayerNormalization", NULL, 0},
      {"Permute", "{dims: [2, 1]}", 0},
      {"Conv1D", "{filters: 8, kernel_size: 5, padding: 'same'}", 0},
      {"AveragePooling1D", "{pool_size: 2}", 0},
      {"mark", NULL, 0},
      {"Dense", "{units: 8, activation: 'gelu', kernel_regularizer: 'l2'}", 0},
      {"Add", NULL, 1},
      {"mark", NULL, 0},
      {"GlobalMaxPooling1D", NULL, 0},
      {"Reshape", "{target_shape: [1, 8]}", 0},
      {"Concatenate", "{axis: 1}", 1},
      {"GlobalAveragePooling1D", NULL, 0},
      CLASSES}},
    {"branches", {6, 5, 4}, 6, "'RMSprop'",
     {{"GaussianNoise", "{stddev: 0.1}", 0},
      {"mark", NULL, 0},
      {"Conv2D", "{filters: 4, kernel_size: 3, padding: 'same', activation: 'tanh'}", 0},
      {"Average", NULL, 1},
      {"Conv2D", "{filters: 4, kernel_size: 1}", 0},
      {"Maximum", NULL, 1},
      {"mark", NULL, 0},
      {"Conv2D", "{filters: 4, kernel_size: 3, padding: 'same'}", 0},
      {"Minimum", NULL, 1},
      {"Activation", "{activation: 'sigmoid'}", 0},
      {"Multiply", NULL, 1},
      {"Conv2D", "{filters: 4, kernel_size: [1, 3], padding: 'same'}", 0},
      {"Subtract", NULL, 1},
      {"ReLU", "{max_value: 2, negative_slope: 0.1}", 0},
      {"Dropout", "{rate: 0.4}", 0},
      {"GlobalMaxPooling2D", NULL, 0},
      {"Dense", "{units: 4}", 0},
      {"Softmax", NULL, 0}}},
    /* Channels and batches that are large enough for Winograd's method, forward and backward, and a residual block. */
    {"wide convolutions", {14, 14, 3}, 16, "'Adam'",
     {{"Conv2D", "{filters: 32, kernel_size: 3, padding: 'same', activation: 'tanh'}", 0},
      {"Conv2D", "{filters: 32, kernel_size: 3, activation: 'tanh'}", 0},
      {"mark", NULL, 0},
      {"Conv2D", "{filters: 32, kernel_size: 3, padding: 'same', use_bias: false}", 0},
      {"BatchNormalization", NULL, 0},
      {"Add", NULL, 1},
      {"Activation", "{activation: 'relu'}", 0},
      {"DepthwiseConv2D", "{kernel_size: 3, strides: 2, padding: 'same', use_bias: false}", 0},
      {"Conv2D", "{filters: 40, kernel_size: 1, activation: 'relu'}", 0},
      {"Flatten", NULL, 0},
      {"Dense", "{units: 70, activation: 'relu'}", 0},
      {"Dropout", "{rate: 0.5}", 0},
      CLASSES}},
    {"dense", {40}, 70, "'Adam'",
     {{"Dense", "{units: 130, activation: 'relu'}", 0}, {"Dense", "{units: 67, activation: 'tanh'}", 0}, CLASSES}},
    {0},
};

static const golden_layer TUTORIAL[] = {
    {"Conv2D", "{filters: 32, kernel_size: 3, activation: 'relu'}", 0},
    {"Conv2D", "{filters: 64, kernel_size: 3, activation: 'relu'}", 0},
    {"Flatten", NULL, 0},
    {"Dense", "{units: 128, activation: 'relu'}", 0},
    {"Dense", "{units: 10, activation: 'softmax'}", 0},
    {0},
};

/* The network for files: layers that every format supports. */
static const size_t HALVES_SHAPE[3] = {9, 8, 2};
static const golden_layer HALVES[] = {
    {"Conv2D", "{filters: 6, kernel_size: 3, activation: 'relu'}", 0},
    {"BatchNormalization", NULL, 0},
    {"MaxPooling2D", NULL, 0},
    {"Dropout", "{rate: 0.2}", 0},
    {"Flatten", NULL, 0},
    CLASSES,
    {0},
};

static const size_t SMALL_SHAPE[3] = {7, 0, 0};
static const golden_layer SMALL[] = {
    {"Dense", "{units: 11, activation: 'relu'}", 0}, {"Dense", "{units: 3, activation: 'softmax'}", 0}, {0}};
static const golden_layer SMALL_SIGMOID[] = {
    {"Dense", "{units: 11, activation: 'tanh'}", 0}, {"Dense", "{units: 3, activation: 'sigmoid'}", 0}, {0}};

static const char *const ACTIVATIONS[] = {
    "linear", "relu", "softmax", "log_softmax", "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid",
    "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "mish", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "tanh", "tanh_shrink", NULL};

#define SCHEDULE(name, settings) "{class_name: 'SGD', config: {learning_rate: {class_name: '" name "', config: {" settings "}}}}"
static const char *const OPTIMIZERS[] = {
    "'Adadelta'", "'Adagrad'", "'Adam'", "'Adamax'", "'AdamW'", "'Ftrl'", "'Lion'", "'Nadam'", "'RMSprop'", "'SGD'",
    "{class_name: 'Adam', config: {amsgrad: true, weight_decay: 0.01, clipnorm: 0.1}}",
    "{class_name: 'RMSprop', config: {centered: true, momentum: 0.5, global_clipnorm: 0.2}}",
    "{class_name: 'SGD', config: {use_ema: true, ema_momentum: 0.9, clipvalue: 0.01}}",
    "{class_name: 'Lion', config: {gradient_accumulation_steps: 2}}",
    SCHEDULE("CosineDecay", "initial_learning_rate: 0.1, decay_steps: 5, warmup_steps: 2, warmup_target: 0.2"),
    SCHEDULE("CosineDecayRestarts", "initial_learning_rate: 0.1, first_decay_steps: 2"),
    SCHEDULE("ExponentialDecay", "initial_learning_rate: 0.1, decay_steps: 3, decay_rate: 0.7"),
    SCHEDULE("InverseTimeDecay", "initial_learning_rate: 0.1, decay_steps: 3, decay_rate: 0.7"),
    SCHEDULE("PiecewiseConstantDecay", "boundaries: [2, 4], values: [0.1, 0.05, 0.01]"),
    SCHEDULE("PolynomialDecay", "initial_learning_rate: 0.1, decay_steps: 5, power: 0.6"),
    NULL};

/* The loss for labels, used by every second network; the losses for targets. */
#define LABEL_LOSS "'SparseCategoricalCrossentropy'"
static const char *const LOSSES[] = {
    "'CategoricalCrossentropy'", "'BinaryCrossentropy'", "'BinaryFocalCrossentropy'", "'CategoricalFocalCrossentropy'",
    "'MeanSquaredError'", "'MeanAbsoluteError'", "'MeanAbsolutePercentageError'", "'MeanSquaredLogarithmicError'", "'LogCosh'",
    "'Poisson'", "'KLDivergence'", "'Hinge'", "'SquaredHinge'", "'Huber'", "'CategoricalHinge'", "'CosineSimilarity'", NULL};

#define TARGET_METRICS \
    "['CategoricalAccuracy', 'BinaryAccuracy', {class_name: 'TopKCategoricalAccuracy', config: {k: 2}}, 'RootMeanSquaredError', 'R2Score', 'AUC', " \
    "'Precision', 'Recall', 'TruePositives', 'FalsePositives', 'TrueNegatives', 'FalseNegatives', " \
    "{class_name: 'F1Score', config: {average: 'macro'}}, " \
    "{class_name: 'FBetaScore', config: {average: 'weighted', beta: 2.0, threshold: 0.5}}]"
#define LABEL_METRICS "['SparseCategoricalAccuracy', {class_name: 'SparseTopKCategoricalAccuracy', config: {k: 2}}]"

#endif
