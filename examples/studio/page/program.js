// The program that trains, as the page reaches it: here over HTTP. (browser/program.js is the one that trains in the page.)

/** Sends a command or a picture; what comes back, or an error with the program's message. */
export async function send(path, body) {
  return replied(await fetch(path, { method: 'POST', body }));
}

/** A test digit: { image, label, picture }. */
export async function testDigit(image) {
  return replied(await fetch(`/digit?image=${image}`));
}

/** The model as a file's content: c, onnx, keras, weights or model. */
export async function exported(format) {
  const response = await fetch(`/export?format=${format}`);
  return response.ok ? response.blob() : replied(response);
}

async function replied(response) {
  const reply = response.status === 204 ? null : await response.json();
  if (!response.ok)
    throw new Error(reply.error);
  return reply;
}

/** Calls hear[name] with what each event tells, and `ended` when the program has. */
export function listen(hear, ended) {
  const events = new EventSource('/events');
  for (const [name, show] of Object.entries(hear))
    events.addEventListener(name, event => show(JSON.parse(event.data)));
  events.addEventListener('error', ended);
}
