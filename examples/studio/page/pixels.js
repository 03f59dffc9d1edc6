// Pictures as bytes, and colours as the style sheet has them.

export const side = 28;

/** The bytes behind hexadecimal digits. */
export function fromHex(text) {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = parseInt(text.substr(2 * i, 2), 16);
  return bytes;
}

/** A colour of the style sheet, "--ink" and the like, as [red, green, blue]. */
export function colour(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map(at => parseInt(text.substr(at, 2), 16));
}

/** Draws `count` pixels on a canvas, each the mix of two colours: `share(i)` of the second, 0 to 1. */
export function paint(canvas, count, share, from, to) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < count; i++) {
    const part = share(i);
    for (let c = 0; c < 3; c++)
      image.data[4 * i + c] = from[c] + (to[c] - from[c]) * part;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** Draws a picture of 28 x 28 bytes: ink on paper. */
export function paintDigit(canvas, bytes) {
  paint(canvas, side * side, i => bytes[i] / 255, colour('--paper'), colour('--ink'));
}

/** Calls back when the colours change. */
export function onColours(redraw) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
}

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
