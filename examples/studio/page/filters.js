// The first layer's filters, and what each finds in the digit on the pad: the network's own first step, done here.

import { colour, onColours, paint, side } from './pixels.js';

const size = 3, found = side - size + 1;

function canvas(width) {
  const made = document.createElement('canvas');
  made.width = made.height = width;
  return made;
}

export class Filters {
  constructor(box) {
    this.box = box;
    this.tiles = [];
    this.picture = null;
    onColours(() => this.draw());
  }

  /** The weights: nine numbers a filter, and a bias each. */
  set({ kernel, bias }) {
    this.kernel = kernel;
    this.bias = bias;
    while (this.tiles.length < bias.length) {
      const tile = document.createElement('div'), weights = canvas(size), map = canvas(found);
      tile.append(weights, map);
      this.box.append(tile);
      this.tiles.push({ weights, map });
    }
    this.draw();
  }

  /** The digit that they look at, 28 x 28 bytes, or null. */
  look(picture) {
    this.picture = picture;
    this.draw();
  }

  draw() {
    if (this.waiting || !this.kernel)
      return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const paper = colour('--paper'), ink = colour('--ink'), more = colour('--more'), less = colour('--less');
      const largest = Math.max(...this.kernel.map(Math.abs), 1e-6);
      const maps = this.tiles.map((_, f) => this.picture ? this.find(f) : null);
      const brightest = Math.max(1e-6, ...maps.map(map => map ? map.reduce((a, b) => Math.max(a, b)) : 0));
      this.tiles.forEach(({ weights, map }, f) => {
        const taps = this.kernel.slice(f * size * size, (f + 1) * size * size);
        this.paintTaps(weights, taps.map(tap => tap / largest), paper, more, less);
        paint(map, found * found, i => maps[f] ? maps[f][i] / brightest : 0, paper, ink);
      });
    });
  }

  paintTaps(canvas, taps, paper, more, less) {
    const context = canvas.getContext('2d');
    taps.forEach((tap, i) => {
      const to = tap > 0 ? more : less;
      const mixed = paper.map((value, c) => Math.round(value + (to[c] - value) * Math.abs(tap)));
      context.fillStyle = `rgb(${mixed.join(' ')})`;
      context.fillRect(i % size, Math.floor(i / size), 1, 1);
    });
  }

  /** Filter `f` over the digit: max(0, bias + the sum of pixel times weight), 26 x 26. */
  find(f) {
    const out = new Float32Array(found * found);
    for (let y = 0; y < found; y++)
      for (let x = 0; x < found; x++) {
        let sum = this.bias[f];
        for (let tap = 0; tap < size * size; tap++) {
          const pixel = this.picture[(y + Math.floor(tap / size)) * side + x + tap % size];
          sum += this.kernel[f * size * size + tap] * pixel / 255;
        }
        out[y * found + x] = Math.max(0, sum);
      }
    return out;
  }
}
