// The Keras MNIST tutorial from Node.js, with koffi: first the binding, which any program needs, then the tutorial.
//
//     npm install && LD_LIBRARY_PATH=../../build node tutorial.js [DATA WEIGHTS]

import koffi from 'koffi';
import { promisify } from 'node:util';

const lib = koffi.load('libmnist.so.0');
const RELU = 1, SOFTMAX = 2;

// The header's types. Structs that the library fills in are declared with all their fields.
for (const name of ['error', 'dataset', 'graph', 'tensor', 'model']) koffi.opaque(`mnist_${name}`);
koffi.alias('mnist_status', 'int32_t');
const Progress = koffi.struct('mnist_progress', {
  epoch: 'size_t', epochs: 'size_t', batch: 'size_t', batches: 'size_t',
  loss: 'double', accuracy: 'double', val_loss: 'double', val_accuracy: 'double', seconds: 'double',
  metrics: 'void *',
});
koffi.proto('int32_t mnist_callback(void *user_data, const mnist_progress *progress)');
const FitOptions = koffi.struct('mnist_fit_options', {
  struct_size: 'size_t', batch_size: 'size_t', epochs: 'size_t', initial_epoch: 'size_t', shuffle: 'int32_t',
  verbose: 'int32_t', seed: 'uint64_t', validation_split: 'double', validation_data: 'const mnist_dataset *',
  write: 'void *', write_data: 'void *', on_batch_end: 'mnist_callback *', on_epoch_begin: 'mnist_callback *',
  on_epoch_end: 'mnist_callback *', user_data: 'void *', checkpoint_path: 'const char *', checkpoint_batches: 'size_t',
  checkpoint_epochs: 'size_t', checkpoint_seconds: 'double', resume: 'int32_t', terminate_on_nan: 'int32_t',
  callbacks_config: 'const char *', class_weight: 'void *', class_weight_len: 'size_t', validation_freq: 'size_t',
  steps_per_epoch: 'size_t', prefetch: 'size_t', communicator: 'void *',
});
koffi.struct('mnist_metrics', { loss: 'double', accuracy: 'double' });

// The header's functions, with _Out_ before the arguments that the library writes.
const mnist = {};
for (const [declaration, name] of `
  const char *mnist_version()
  const char *mnist_status_name(mnist_status)
  mnist_error *mnist_error_new()
  const char *mnist_error_message(const mnist_error *)
  void mnist_error_free(mnist_error *)
  mnist_status mnist_load_data(const char *, _Out_ mnist_dataset **, _Out_ mnist_dataset **, mnist_error *)
  mnist_status mnist_dataset_slice(const mnist_dataset *, size_t, size_t, _Out_ mnist_dataset **, mnist_error *)
  mnist_status mnist_dataset_normalize(mnist_dataset *, float, mnist_error *)
  size_t mnist_dataset_len(const mnist_dataset *)
  mnist_status mnist_dataset_image(const mnist_dataset *, size_t, _Out_ float *, size_t, _Out_ uint32_t *, mnist_error *)
  void mnist_dataset_free(mnist_dataset *)
  mnist_graph *mnist_graph_new()
  void mnist_graph_set_seed(mnist_graph *, uint64_t)
  void mnist_graph_free(mnist_graph *)
  mnist_tensor *mnist_input(mnist_graph *, size_t, size_t, size_t)
  mnist_tensor *mnist_conv2d(mnist_tensor *, size_t, size_t, uint32_t)
  mnist_tensor *mnist_flatten(mnist_tensor *)
  mnist_tensor *mnist_dense(mnist_tensor *, size_t, uint32_t)
  mnist_status mnist_model_new(const mnist_tensor *, const mnist_tensor *, const char *, _Out_ mnist_model **, mnist_error *)
  mnist_status mnist_model_compile(mnist_model *, const void *, mnist_error *)
  void mnist_fit_options_init(_Out_ mnist_fit_options *, size_t)
  mnist_status mnist_model_fit(mnist_model *, const mnist_dataset *, const mnist_fit_options *, void *, mnist_error *)
  void mnist_model_cancel(const mnist_model *)
  mnist_status mnist_model_evaluate(const mnist_model *, const mnist_dataset *, void *, _Out_ mnist_metrics *, mnist_error *)
  mnist_status mnist_model_predict(const mnist_model *, const float *, size_t, _Out_ float *, size_t, mnist_error *)
  mnist_status mnist_model_save_weights(const mnist_model *, const char *, mnist_error *)
  void mnist_model_free(mnist_model *)`.matchAll(/\S.*mnist_(\w+)\(.*\)/g)) mnist[name] = lib.func(declaration);

class MnistError extends Error {
  constructor(status, message) {
    super(message);
    this.name = mnist.status_name(status); // it prints as "MNIST_ERROR_SHAPE: ..."
  }
}

// Makes a call whose last argument is an mnist_error, on a worker thread: the event loop stays free.
async function call(f, ...args) {
  const error = mnist.error_new();
  try {
    const status = await promisify(f.async)(...args, error);
    if (status < 0) throw new MnistError(status, mnist.error_message(error));
    return mnist.status_name(status);
  } finally {
    mnist.error_free(error);
  }
}

// The first `count` images of a dataset, with pixels from 0 to 1; the dataset itself is freed.
async function first(count, all) {
  const some = [null];
  await call(mnist.dataset_slice, all, 0, count, some);
  await call(mnist.dataset_normalize, some[0], 255);
  mnist.dataset_free(all);
  return some[0];
}

// Trains. `onBatchEnd` is called after each step, on the event loop's thread, and returns true to stop. An exception cannot pass
// through the library: it stops the fit, too, and is thrown again here.
async function fit(model, data, onBatchEnd, wanted) {
  const options = {};
  mnist.fit_options_init(options, koffi.sizeof('mnist_fit_options'));
  if (options.struct_size !== koffi.sizeof(FitOptions)) throw new Error('FitOptions is not what the library takes');
  let thrown;
  const callback = koffi.register((_, progress) => {
    try { return onBatchEnd(koffi.decode(progress, Progress)) ? 1 : 0; } catch (error) { thrown = error; return 1; }
  }, 'mnist_callback *');
  try {
    const status = await call(mnist.model_fit, model, data, { ...options, ...wanted, on_batch_end: callback }, null);
    if (thrown) throw thrown;
    return status;
  } finally {
    koffi.unregister(callback);
  }
}

const [path = '../../data/mnist.npz', weights = 'tutorial.safetensors'] = process.argv.slice(2);
console.log(`libmnist ${mnist.version()}`);
const trainAll = [null], testAll = [null], made = [null];
await call(mnist.load_data, path, trainAll, testAll);
const train = await first(3200, trainAll[0]), test = await first(1000, testAll[0]);
console.log(`${mnist.dataset_len(train)} images to learn from, ${mnist.dataset_len(test)} to test with`);

// A failed layer call returns null, so do the following calls, and mnist_model_new reports why.
const graph = mnist.graph_new();
mnist.graph_set_seed(graph, 42);
const input = mnist.input(graph, 28, 28, 1);
let x = mnist.conv2d(input, 32, 3, RELU);
x = mnist.conv2d(x, 64, 3, RELU);
x = mnist.flatten(x);
x = mnist.dense(x, 128, RELU);
x = mnist.dense(x, 10, SOFTMAX);
await call(mnist.model_new, input, x, 'tutorial', made);
mnist.graph_free(graph);
const model = made[0];
await call(mnist.model_compile, model, null); // Adam with Keras's defaults

await fit(model, train, ({ batch, batches, loss, accuracy }) => {
  if (++batch % 20 !== 0) return;
  const count = String(batch).padStart(3);
  console.log(`batch ${count} of ${batches}: loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}`);
}, { verbose: 0, seed: 7 });

const metrics = {};
await call(mnist.model_evaluate, model, test, null, metrics);
console.log(`test: loss ${metrics.loss.toFixed(4)}, accuracy ${metrics.accuracy.toFixed(4)}`);

const image = new Float32Array(28 * 28), probabilities = new Float32Array(10), label = [0];
await call(mnist.dataset_image, test, 0, image, image.length, label);
await call(mnist.model_predict, model, image, 1, probabilities, probabilities.length);
const best = probabilities.indexOf(Math.max(...probabilities));
console.log(`label ${label[0]}, predicted ${best} with ${(100 * probabilities[best]).toFixed(2)}%`);
await call(mnist.model_save_weights, model, weights);

// A worker runs this fit, and this thread cancels it after it has begun. (A cancel before that has no effect.)
const cancelSoon = ({ batch }) => { if (batch === 2) setImmediate(mnist.model_cancel, model); };
console.log(`a long fit: ${await fit(model, train, cancelSoon, { verbose: 0, epochs: 1000 })}`);

await call(mnist.load_data, 'nothing.npz', [null], [null]).catch((error) => console.log(`an error: ${error}`));
mnist.model_free(model), mnist.dataset_free(train), mnist.dataset_free(test);
