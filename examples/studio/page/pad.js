// The pad: strokes of a mouse, a pen or a finger, or a test digit.

import { colour, onColours, paintDigit, side } from './pixels.js';

const drawingSide = 140; // what the program takes
const pen = 0.08;        // the width of a stroke, as a share of the pad
const smallest = 0.1;    // how far the pen must go for a digit, likewise: less is a dot

export class Pad {
  /** `changed` is called whenever there is another digit on the pad. */
  constructor(canvas, hint, changed) {
    this.canvas = canvas;
    this.hint = hint;
    this.changed = changed;
    this.strokes = [];   // each a list of points, 0 to 1
    this.picture = null; // a test digit: 28 x 28 bytes
    this.grey = new OffscreenCanvas(drawingSide, drawingSide);
    canvas.addEventListener('pointerdown', event => this.begin(event));
    canvas.addEventListener('pointermove', event => this.move(event));
    for (const end of ['pointerup', 'pointercancel'])
      canvas.addEventListener(end, () => { this.down = null; });
    new ResizeObserver(() => this.redraw()).observe(canvas);
    onColours(() => this.redraw());
  }

  get empty() { return this.strokes.length === 0 && !this.picture; }

  /** Whether there is a dot and no digit: brought to a digit's size it would be a blot, of which a network is as sure as of a digit. */
  get tooLittle() {
    const points = this.strokes.flat();
    const extent = axis => Math.max(...points.map(point => point[axis])) - Math.min(...points.map(point => point[axis]));
    return points.length > 0 && Math.max(extent(0), extent(1)) < smallest;
  }

  clear() {
    this.strokes = [];
    this.picture = null;
    this.show();
  }

  /** Puts a digit of 28 x 28 bytes on the pad. */
  put(picture) {
    this.strokes = [];
    this.picture = picture;
    this.show();
  }

  /** What is on the pad, as the program takes it. */
  bytes() {
    if (this.picture)
      return this.picture;
    const context = this.grey.getContext('2d', { willReadFrequently: true });
    context.fillStyle = '#000';
    context.fillRect(0, 0, drawingSide, drawingSide);
    this.draw(context, drawingSide, '#fff');
    const { data } = context.getImageData(0, 0, drawingSide, drawingSide);
    return Uint8Array.from({ length: drawingSide * drawingSide }, (_, i) => data[4 * i]);
  }

  begin(event) {
    if (event.button !== 0 || this.down != null)
      return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.down = event.pointerId;
    if (this.picture)
      this.picture = null; // drawing over a test digit begins afresh
    this.strokes.push([this.point(event)]);
    this.show();
  }

  move(event) {
    if (event.pointerId !== this.down)
      return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event])
      this.strokes.at(-1).push(this.point(step));
    this.show();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  show() {
    this.redraw();
    this.changed();
  }

  redraw() {
    const size = Math.max(1, Math.round(this.canvas.clientWidth * devicePixelRatio));
    this.hint.hidden = !this.empty;
    if (this.picture) {
      this.canvas.width = this.canvas.height = side;
      paintDigit(this.canvas, this.picture);
      return;
    }
    this.canvas.width = this.canvas.height = size; // which wipes it
    const ink = `rgb(${colour('--ink').join(' ')})`;
    this.draw(this.canvas.getContext('2d'), size, ink);
  }

  draw(context, size, ink) {
    context.strokeStyle = ink;
    context.lineWidth = pen * size;
    context.lineCap = context.lineJoin = 'round';
    for (const stroke of this.strokes) {
      const [first, ...others] = stroke;
      context.beginPath();
      context.moveTo(first[0] * size, first[1] * size);
      context.lineTo(first[0] * size + 0.01, first[1] * size); // a touch alone leaves a dot
      for (const [x, y] of others)
        context.lineTo(x * size, y * size);
      context.stroke();
    }
  }
}
