// The thread behind the page, which holds the library: it takes the page's calls and sends it events, as the served program
// does by HTTP (server.hpp).

import { Library, moduleFile } from './mnist.js';
import { pixels } from './network.js';
import { array } from './npz.js';
import { Trainer } from './trainer.js';

const tell = (name, told) => postMessage({ name, told });

/** Lets what waits be done: messages from the page among it. */
const { port1, port2 } = new MessageChannel();
const turn = () => new Promise(go => {
  port1.onmessage = go;
  port2.postMessage(null);
});

async function fetched(file, what) {
  tell('loading', { what });
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok)
    throw new Error(`${file}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

async function digits(archive, set, count) {
  const [{ values: pictures }, { values: labels }] = [await array(archive, `x_${set}`), await array(archive, `y_${set}`)];
  return { pictures: pictures.subarray(0, count * pixels), labels: labels.subarray(0, count) };
}

async function begin({ network = 'tutorial', images = 60000, 'test-images': tests = 10000, epochs = 5, seed = 0, isa }) {
  const module = await WebAssembly.compile(await fetched(moduleFile(), 'Fetching the library'));
  const library = await Library.of(module, isa ? { MNIST_ISA: isa } : {});
  const archive = await fetched('mnist.npz', 'Fetching the digits, 11 MB');
  const data = { train: await digits(archive, 'train', +images), test: await digits(archive, 'test', +tests) };
  const examples = await (await fetch(new URL('networks.json', import.meta.url))).json();
  return new Trainer(library, data, examples[network] ?? examples.tutorial, { epochs: +epochs, seed: +seed }, tell, turn);
}

/** The picture in a body, a drawing brought to the form that the network knows; null for a drawing without ink. */
const picture = (trainer, bytes) => bytes.length === pixels ? bytes : trainer.network.prepare(bytes);

/** How each file that the model can be downloaded as is written. */
const formats = {
  c: network => network.savedAsC('digits'),
  onnx: network => network.saved('mnist_model_save_onnx_memory'),
  keras: network => network.saved('mnist_model_save_keras_memory'),
  weights: network => network.saved('mnist_model_save_weights_memory'),
  model: network => network.saved('mnist_model_save_memory'),
};

const calls = {
  '/ask'(trainer, _, bytes) {
    const about = picture(trainer, bytes);
    return about && trainer.ask(about);
  },
  '/teach'(trainer, query, bytes) {
    const about = picture(trainer, bytes);
    if (!about)
      throw new Error('expected a digit, found no ink');
    return trainer.teach(about, +query.get('label'));
  },
  '/digit': (trainer, query) => trainer.testDigit(+query.get('image')),
  '/export': (trainer, query) => formats[query.get('format')](trainer.network),
  '/check': (trainer, _, body) => trainer.check(JSON.parse(body)),
  '/train': (trainer, _, body) => trainer.train(JSON.parse(body)),
  '/pause': trainer => trainer.pause(),
  '/resume': trainer => trainer.resume(),
  '/stop': trainer => trainer.stop(),
  '/train-on': trainer => trainer.trainOn(),
  '/start-over': trainer => trainer.startOver(),
  '/weights': trainer => trainer.network.weights(),
};

let trainer = null;

async function answer({ id, path, body }) {
  try {
    const url = new URL(path, 'page:/');
    postMessage({ id, reply: await calls[url.pathname](await trainer, url.searchParams, body) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
}

addEventListener('message', async ({ data }) => {
  if (data.path)
    return answer(data);
  trainer = begin(data.options); // the page's first message
  try {
    await (await trainer).work();
  } catch (error) {
    tell('failure', { error: error.message });
  }
});
