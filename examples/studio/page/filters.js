// The first layer's filters, and what each finds in the digit on the pad.

import { byId, make, setText } from './elements.js';
import { colour, fromHex, onColours, paint } from './pixels.js';

const canvas = () => make('canvas', { width: 1, height: 1 });

export class Filters {
  constructor(box) {
    this.box = box;
    this.shown = { count: 0 };
    this.tiles = [];
    this.maps = null;
    onColours(() => this.draw());
  }

  /** The weights: `count` filters of `height` x `width` numbers, one after the other. */
  set(shown) {
    const { count, height, width } = shown, large = height > 12;
    const isNew = ['count', 'height', 'width'].some(key => this.shown[key] !== shown[key]);
    this.shown = shown;
    if (isNew) {
      this.tiles = Array.from({ length: count }, () => ({ weights: canvas(), map: canvas() }));
      this.box.replaceChildren(...this.tiles.map(({ weights, map }) => make('div', {}, weights, ...large ? [] : [map])));
      this.box.style.setProperty('--columns', Math.ceil(Math.sqrt(count * (large ? 1 : 2))) || 1);
      this.box.setAttribute('aria-label', `${count} filters, drawn as they are at this moment`);
    }
    byId('filters-key').hidden = this.box.hidden = count === 0;
    setText('filters-note', count === 0 ? 'The first layer of this network has no filters that could be drawn.'
      : large ? `The weights of ${count} units, each as large as the image.`
        : `${count} filters, ${height} by ${width}, and below each where it finds what it looks for in the digit on the pad.`);
    this.draw();
  }

  /** What they find in the digit on the pad: { height, width, values }, maps of bytes one after the other; or null. */
  look(maps) {
    this.maps = maps && { ...maps, values: fromHex(maps.values) };
    this.draw();
  }

  draw() {
    if (this.waiting || this.shown.count === 0)
      return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const { height, width, values, count } = this.shown;
      const largest = values?.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      this.tiles.forEach(({ weights, map }, f) => {
        this.paintWeights(weights, height, width, i => values[f * height * width + i] / largest);
        this.paintMap(map, f, count);
      });
    });
  }

  paintWeights(canvas, height, width, weight) {
    const [paper, more, less] = ['--paper', '--more', '--less'].map(colour);
    Object.assign(canvas, { height, width });
    const context = canvas.getContext('2d');
    for (let i = 0; i < height * width; i++) {
      const to = weight(i) > 0 ? more : less;
      const mixed = paper.map((value, c) => Math.round(value + (to[c] - value) * Math.abs(weight(i))));
      context.fillStyle = `rgb(${mixed.join(' ')})`;
      context.fillRect(i % width, Math.floor(i / width), 1, 1);
    }
  }

  paintMap(canvas, f, count) {
    const { height, width, values } = this.maps ?? { height: 1, width: 1, values: new Uint8Array(count) };
    Object.assign(canvas, { height, width });
    paint(canvas, height * width, i => (values[f * height * width + i] ?? 0) / 255, colour('--paper'), colour('--ink'));
  }
}
