// The program that trains, as the page reaches it: here a worker in the page itself, which holds the library. (page/program.js
// is the one that a server runs.)

const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
const waiting = new Map();
let asked = 0;

/** Sends a command or a picture; what comes back, or an error with the program's message. */
export function send(path, body) {
  return new Promise((done, failed) => {
    waiting.set(++asked, { done, failed });
    worker.postMessage({ id: asked, path, body });
  });
}

/** A test digit: { image, label, picture }. */
export const testDigit = image => send(`/digit?image=${image}`);

/** The model as a file's content: c, onnx, keras, weights or model. */
export const exported = format => send(`/export?format=${format}`);

/** Calls hear[name] with what each event tells, and `ended` when the program has. */
export function listen(hear, ended) {
  worker.addEventListener('message', ({ data: { id, reply, error, name, told } }) => {
    if (name)
      return hear[name](told);
    const { done, failed } = waiting.get(id);
    waiting.delete(id);
    return error === undefined ? done(reply) : failed(new Error(error));
  });
  worker.addEventListener('error', ended);
  worker.postMessage({ options: Object.fromEntries(new URLSearchParams(location.search)) });
}
