// The trained model as a file to download.

import { byId, make } from './elements.js';
import { exported } from './program.js';

const formats = [
  { format: 'c', text: 'C', ending: 'c' },
  { format: 'onnx', text: 'ONNX', ending: 'onnx' },
  { format: 'keras', text: 'Keras', ending: 'keras' },
  { format: 'weights', text: 'Weights', ending: 'safetensors' },
  { format: 'model', text: 'Model and optimizer', ending: 'mnist' },
];

/** A button for each format. `name()` is the network's. */
export function showExports(name) {
  byId('exports').append(...formats.map(({ format, text, ending }) => {
    const button = make('button', { type: 'button' }, text, make('small', {}, ` .${ending}`));
    button.addEventListener('click', () => download(format, `${name().toLowerCase().replace(/[^a-z0-9]+/g, '_')}.${ending}`));
    return button;
  }));
}

async function download(format, file) {
  try {
    const url = URL.createObjectURL(new Blob([await exported(format)]));
    make('a', { href: url, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has read it by then
    byId('exported').textContent = `${file} is being saved by the browser.`;
  } catch (error) {
    byId('exported').textContent = `It could not be written: ${error.message}`;
  }
}
