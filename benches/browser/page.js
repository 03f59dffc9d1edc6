// Both libraries in one page, with the tutorial's network and the same weights. window.run(name) returns a measurement in milliseconds;
// window.runs lists the measurements, and the reason if one is not possible.

import { Library, moduleFile } from './mnist/mnist.js';
import { Network, pixels, side } from './mnist/network.js';
import { array } from './mnist/npz.js';

const batch = 32, count = 512, warmth = 40; // untimed steps at the beginning
const isa = new URLSearchParams(location.search).get('isa');
const fetched = async file => (await fetch(`mnist/${file}`)).arrayBuffer();

const archive = await fetched('mnist.npz');
const pictures = (await array(archive, 'x_train')).values, labels = (await array(archive, 'y_train')).values;
const some = (first, count) => pictures.subarray(first * pixels, (first + count) * pixels);

const file = moduleFile();
const library = await Library.of(await WebAssembly.compile(await fetched(file)), isa ? { MNIST_ISA: isa } : {});
const { tutorial } = await (await fetch('mnist/networks.json')).json();
const network = new Network(library, tutorial, 0);
let step = 0;
const learn = () => network.learn(some(step * batch, batch), labels.subarray(step * batch, ++step * batch));
for (let i = 0; i < warmth; i++)
  learn();

const { tf } = globalThis;
tf.wasm.setWasmPaths('wasm/');
tf.wasm.setThreadsCount(1);

function model() {
  const made = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [side, side, 1], filters: 32, kernelSize: 3, activation: 'relu' }),
      tf.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 128, activation: 'relu' }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
  made.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const names = ['conv2d', 'conv2d_1', 'dense', 'dense_1'].flatMap(layer => [`${layer}/kernel`, `${layer}/bias`]);
  made.setWeights(made.getWeights().map((weight, i) => tf.tensor(network.weight(names[i]), weight.shape)));
  return made;
}

const images = (first, count) => tf.tensor4d(Float32Array.from(some(first, count), byte => byte / 255), [count, side, side, 1]);

/** A backend's model and its measured operations. Each backend has its own, because a tensor belongs to a backend. */
async function peer(backend) {
  await tf.setBackend(backend);
  await tf.ready();
  const made = model(), x = images(0, count), one = images(0, 1), few = images(0, batch);
  const truth = tf.tensor1d(Float32Array.from(labels.subarray(0, batch)));
  const said = x => tf.tidy(() => made.predict(x, { batchSize: batch }).dataSync());
  return {
    backend,
    many: () => said(x),
    one: () => said(one),
    learn: () => made.trainOnBatch(few, truth),
  };
}

/** Milliseconds per call, over `times` calls. */
async function timed(times, call) {
  const began = performance.now();
  for (let i = 0; i < times; i++)
    await call();
  return (performance.now() - began) / times;
}

const runs = {}, tasks = {};
const what = { many: `${count} images predicted`, one: '1 image predicted', learn: `a step on ${batch} images` };
const times = { many: 1, one: 20, learn: 10 };
function add(who, { backend, ...does }, cost = times) {
  for (const [name, call] of Object.entries(does)) {
    runs[`${who}: ${what[name]}`] = {};
    tasks[`${who}: ${what[name]}`] = async () => {
      if (backend)
        await tf.setBackend(backend);
      return timed(cost[name], call);
    };
  }
}

add('libmnist', { many: () => network.predict(some(0, count)), one: () => network.predict(some(0, 1)), learn });
const wasm = await peer('wasm');
const [ours, theirs] = [network.predict(some(0, count)), wasm.many()];
if (ours.some((p, i) => Math.abs(p - theirs[i]) > 1e-4))
  throw new Error('they do not say the same');
add('wasm', wasm);
try {
  await wasm.learn();
} catch (error) {
  delete tasks[`wasm: ${what.learn}`];
  runs[`wasm: ${what.learn}`] = { error: error.message.match(/Kernel '\w+' not registered/)?.[0] ?? error.message };
}
for (const backend of ['cpu', 'webgl'])
  try {
    const { learn } = await peer(backend);
    await learn();
    add(backend, { backend, learn }, { learn: 2 });
  } catch (error) {
    runs[`${backend}: ${what.learn}`] = { error: error.message };
  }

window.run = name => tasks[name]();
window.how = `${file}, ${navigator.hardwareConcurrency} processors, TensorFlow.js ${tf.version.tfjs}, ` +
  `SIMD ${await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')}`;
window.runs = runs;
