// The layers and optimizers that can be picked, each with its main settings. Names, keys and defaults are Keras's; whatever
// else Keras can set goes into the field "other settings".

/** `usual` is the default, `first` what something new begins with. */
const number = (key, usual, first) => ({ key, usual, first });
/** The first choice is the default. */
const choice = (key, choices, first) => ({ key, choices, first });
const flag = (key, usual) => ({ key, usual, flag: true });

const activations = ['linear', 'relu', 'tanh', 'sigmoid', 'softmax', 'elu', 'selu', 'gelu', 'silu', 'mish', 'leaky_relu', 'relu6',
  'softplus', 'softsign', 'hard_sigmoid', 'hard_silu', 'exponential'];
const activation = choice('activation', activations, 'relu');
const padding = choice('padding', ['valid', 'same']);
const kernel = number('kernel_size', undefined, 3), filters = number('filters', undefined, 32);
const sliding = [number('strides', 1), padding, activation, flag('use_bias', true)];
const pooling = [number('pool_size', 2, 2), number('strides', 'pool_size'), padding];
const rate = [number('rate', undefined, 0.25)];
const range = number('value_range', '[0, 255]', [0, 1]); // of these images

export const layers = {
  Conv2D: [filters, kernel, ...sliding],
  DepthwiseConv2D: [kernel, number('depth_multiplier', 1), ...sliding],
  SeparableConv2D: [filters, kernel, ...sliding],
  Conv2DTranspose: [filters, kernel, ...sliding],
  Dense: [number('units', undefined, 64), activation, flag('use_bias', true)],
  Flatten: [],
  MaxPooling2D: pooling,
  AveragePooling2D: pooling,
  GlobalMaxPooling2D: [],
  GlobalAveragePooling2D: [],
  BatchNormalization: [number('momentum', 0.99), number('epsilon', 0.001)],
  LayerNormalization: [number('epsilon', 0.001)],
  GroupNormalization: [number('groups', 32, 4), number('epsilon', 0.001)],
  Activation: [{ ...activation, needed: true }],
  ReLU: [number('max_value', 'none'), number('negative_slope', 0), number('threshold', 0)],
  LeakyReLU: [number('negative_slope', 0.3)],
  ELU: [number('alpha', 1)],
  PReLU: [],
  Softmax: [],
  Dropout: rate,
  SpatialDropout2D: rate,
  GaussianNoise: [number('stddev', undefined, 0.1)],
  Add: [], Subtract: [], Multiply: [], Average: [], Maximum: [], Minimum: [], Concatenate: [],
  RandomRotation: [number('factor', undefined, 0.05)],
  RandomTranslation: [number('height_factor', undefined, 0.1), number('width_factor', undefined, 0.1)],
  RandomZoom: [number('height_factor', undefined, 0.1)],
  RandomFlip: [choice('mode', ['horizontal_and_vertical', 'horizontal', 'vertical'], 'horizontal')],
  RandomContrast: [number('factor', undefined, 0.2), range],
  RandomBrightness: [number('factor', undefined, 0.2), range],
  RandomErasing: [number('factor', 1, 0.5), range],
  RandomElasticTransform: [number('factor', 1, 0.5), range],
  ZeroPadding2D: [number('padding', 1, 1)],
  Cropping2D: [number('cropping', 0, 1)],
  UpSampling2D: [number('size', 2, 2), choice('interpolation', ['nearest', 'bilinear'])],
  Rescaling: [number('scale', undefined, 2), number('offset', 0, -1)],
  Normalization: [number('mean', undefined, 0.13), number('variance', undefined, 0.095)],
  Reshape: [number('target_shape', undefined, [28, 28])],
  Permute: [number('dims', undefined, [2, 1, 3])],
  Conv1D: [filters, kernel, ...sliding],
  MaxPooling1D: pooling,
  AveragePooling1D: pooling,
  GlobalMaxPooling1D: [],
  GlobalAveragePooling1D: [],
};

/** Layers that take two outputs. */
export const merges = new Set(['Add', 'Subtract', 'Multiply', 'Average', 'Maximum', 'Minimum', 'Concatenate']);

const learningRate = (usual = 0.001) => number('learning_rate', usual, usual);
const betas = [number('beta_1', 0.9), number('beta_2', 0.999)], decay = number('weight_decay', 'none');

export const optimizers = {
  SGD: [learningRate(0.01), number('momentum', 0, 0.9), flag('nesterov', false), decay],
  RMSprop: [learningRate(), number('rho', 0.9), number('momentum', 0), decay],
  Adam: [learningRate(), ...betas, decay],
  AdamW: [learningRate(), ...betas, number('weight_decay', 0.004)],
  Nadam: [learningRate(), ...betas, decay],
  Adamax: [learningRate(), ...betas, decay],
  Adagrad: [learningRate(), decay],
  Adadelta: [learningRate(), number('rho', 0.95), decay],
  Lion: [learningRate(), number('beta_1', 0.9), number('beta_2', 0.99), decay],
  Ftrl: [learningRate(), number('l1_regularization_strength', 0), number('l2_regularization_strength', 0)],
};

/** The settings that a new layer or optimizer begins with. */
export const firstSettings = fields =>
  Object.fromEntries(fields.filter(({ first }) => first !== undefined).map(({ key, first }) => [key, first]));

/** The settings in the order of the fields, whatever else there is behind them. */
export function inOrder(fields = [], settings = {}) {
  const place = key => fields.findIndex(field => field.key === key) >>> 0; // -1 becomes the largest
  return Object.fromEntries(Object.entries(settings).sort(([a], [b]) => place(a) - place(b)));
}

export const textOf = value => typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');

/** Settings in short: "filters 32 · kernel_size 3 · relu". */
export function inShort({ settings, other_settings: others }) {
  const parts = Object.entries(settings).map(([key, value]) =>
    typeof value === 'string' ? value : value === true ? key : `${key} ${textOf(value)}`);
  return [...parts, ...others ? [others] : []].join(' · ');
}
