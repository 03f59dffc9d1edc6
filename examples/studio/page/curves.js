// Loss and accuracy over the steps: a line for training, a dot for each test; the run before behind them.

const space = 'http://www.w3.org/2000/svg';
const margin = { left: 54, right: 12, top: 8, bottom: 36 };
const most = 1200; // points that a line is drawn of
const apart = 14; // pixels between two ticks' texts

/** How a curve is drawn: heights are values put through `scale`. */
const kinds = {
  loss: {
    scale: value => Math.log10(Math.max(value, 1e-4)),
    ticks: [2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001],
    lowest: 0.1, highest: 2.5,
    text: String,
  },
  // 90, 99 and 99.9 % are equally far apart: each has a tenth of the errors of the one before. 100 % would be endlessly far; it is
  // where 99.97 % is.
  accuracy: {
    scale: value => -Math.log10(1 - Math.min(value, 0.9997)),
    ticks: [0, 0.5, 0.9, 0.99, 0.999, 1],
    lowest: 0, highest: 1,
    text: value => `${+(100 * value).toFixed(1)} %`,
  },
};

function element(name, attributes, text = '') {
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** The running mean of points' heights: on these scales that of the values would lag behind. */
function smoothed(points) {
  let mean = null;
  return points.map(([step, value], i) => {
    mean = mean === null ? value : mean + Math.max(0.2, 1 / (i + 1)) * (value - mean);
    return [step, mean];
  });
}

export class Curve {
  constructor(box, kind) {
    this.kind = kinds[kind];
    this.name = kind;
    this.points = this.tests = []; // [step, value], the steps growing
    this.before = { points: [], tests: [] };
    this.svg = element('svg', { role: 'img' });
    box.append(this.svg);
    new ResizeObserver(() => this.redraw()).observe(box);
    this.box = box;
  }

  /** Runs are { points, tests }, each a list of [step, loss, accuracy]; there may be none before. */
  show(now, before) {
    const at = { loss: 1, accuracy: 2 }[this.name];
    const column = list => list.map(entry => [entry[0], entry[at]]);
    const of = run => ({ points: column(run.points), tests: column(run.tests) });
    Object.assign(this, of(now), { before: of(before ?? { points: [], tests: [] }) });
    this.redraw();
  }

  redraw() {
    if (this.waiting)
      return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    if (!width)
      return;
    const { scale } = this.kind, { before } = this;
    const all = [...this.points, ...this.tests, ...before.points, ...before.tests];
    const values = all.map(([, value]) => scale(value));
    const lowest = Math.min(scale(this.kind.lowest), ...values), highest = Math.max(scale(this.kind.highest), ...values);
    const steps = Math.max(100, ...all.map(([step]) => step));
    this.x = step => margin.left + (width - margin.left - margin.right) * step / steps;
    this.at = scaled => height - margin.bottom
      - (height - margin.top - margin.bottom) * (scaled - lowest) / (highest - lowest);
    this.y = value => this.at(scale(value));
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.svg.setAttribute('aria-label', this.description());
    this.svg.replaceChildren(...this.grid(width, height, lowest, highest, steps),
      this.line(smoothed(before.points.map(point => this.scaled(point))), 'before'), ...this.dots(before.tests, 'before-test'),
      this.line(this.points.map(point => this.scaled(point)), 'raw'),
      this.line(smoothed(this.points.map(point => this.scaled(point))), 'mean'), ...this.dots(this.tests, 'test'));
  }

  grid(width, height, lowest, highest, steps) {
    const { scale, ticks, text } = this.kind;
    const made = [];
    let last = -Infinity;
    for (const tick of ticks.filter(value => scale(value) >= lowest - 1e-9 && scale(value) <= highest + 1e-9)) {
      const y = this.y(tick);
      if (Math.abs(y - last) < apart)
        continue;
      last = y;
      made.push(element('line', { x1: margin.left, x2: width - margin.right, y1: y, y2: y, class: 'grid' }),
        element('text', { x: margin.left - 8, y: y + 4, class: 'tick end' }, text(tick)));
    }
    const every = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000].find(step => steps / step <= 5.5) ?? 1e5;
    for (let step = 0; step <= steps; step += every) {
      const end = this.x(step) > width - 40;
      made.push(element('text', { x: this.x(step), y: height - margin.bottom + 16, class: `tick ${end ? 'end' : 'middle'}` },
        step.toLocaleString('en')));
    }
    made.push(element('text', { x: (margin.left + width - margin.right) / 2, y: height - 4, class: 'tick middle' }, 'steps'));
    for (const [step] of this.tests)
      made.push(element('line', { x1: this.x(step), x2: this.x(step), y1: margin.top, y2: height - margin.bottom, class: 'epoch' }));
    return made;
  }

  scaled([step, value]) { return [step, this.kind.scale(value)]; }

  /** A line through points whose heights are scaled. */
  line(points, name) {
    const stride = Math.ceil(points.length / most);
    const chosen = points.filter((_, i) => i % stride === 0 || i === points.length - 1);
    const path = chosen.map(([step, value], i) => `${i ? 'L' : 'M'}${this.x(step).toFixed(1)} ${this.at(value).toFixed(1)}`);
    return element('path', { d: path.join(''), class: name });
  }

  dots(tests, name) {
    return tests.map(([step, value]) => element('circle', { cx: this.x(step), cy: this.y(value), r: 4.5, class: name }));
  }

  description() {
    const text = value => this.name === 'loss' ? value.toFixed(3) : `${(100 * value).toFixed(1)} %`;
    if (this.points.length === 0)
      return `The ${this.name}: nothing yet`;
    const last = of => of.tests.length ? `; on test digits ${text(of.tests.at(-1)[1])}` : '';
    const test = last(this);
    const before = this.before.points.length ? `. The run before: ${text(this.before.points.at(-1)[1])}${last(this.before)}` : '';
    return `The ${this.name}: from ${text(this.points[0][1])} at the beginning to ${text(this.points.at(-1)[1])} ` +
      `at step ${this.points.at(-1)[0]}${test}${before}`;
  }
}
