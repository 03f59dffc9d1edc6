// The test after each epoch: what is taken for what, and the worst mistakes.

import { byId, make } from './elements.js';
import { fromHex, onColours, paintDigit, percent } from './pixels.js';

const before = 'Counted over the test digits after each epoch.';

/** The matrix as a table: a row for what a digit is, a column for what the network says. */
export function showConfusion({ tests, confusion }) {
  const accuracy = tests.at(-1)[2];
  const wrong = confusion.flatMap((row, label) => row.filter((_, said) => said !== label));
  const worst = Math.max(2, ...wrong);
  const total = confusion.flat().reduce((a, b) => a + b, 0);
  byId('confusion-note').textContent =
    `After epoch ${tests.length}: ${wrong.reduce((a, b) => a + b, 0).toLocaleString('en')} of ` +
    `${total.toLocaleString('en')} test digits are wrong, ${percent(accuracy, 2)} are right.`;
  const cell = (count, label, said) => {
    const made = make('td', { class: said === label ? 'right' : count ? 'wrong' : 'none' }, count || '');
    if (said !== label && count)
      made.style.setProperty('--heat', `${Math.round(10 + 35 * Math.log(count) / Math.log(worst))}%`);
    return made;
  };
  const axes = make('tr', {}, make('td', { colspan: 2, rowspan: 2 }), make('th', { class: 'axis', colspan: 10, scope: 'colgroup' }, 'predicted'));
  const head = make('tr', {}, ...confusion.map((_, said) => make('th', { scope: 'col' }, said)));
  const rows = confusion.map((row, label) => make('tr', {},
    ...label === 0 ? [make('th', { class: 'axis', rowspan: 10, scope: 'rowgroup' }, make('span', {}, 'true'))] : [],
    make('th', { scope: 'row' }, label), ...row.map((count, said) => cell(count, label, said))));
  byId('matrix').replaceChildren(make('table', {},
    make('caption', { class: 'unseen' }, 'Confusion matrix: a row for each true digit, a column for each predicted one'),
    make('colgroup', {}, make('col', { class: 'narrow' }), make('col', { class: 'narrow' })),
    make('thead', {}, axes, head), make('tbody', {}, ...rows)));
}

export class Mistakes {
  /** `chosen` is called with a mistake that the user picks. */
  constructor(chosen) {
    this.chosen = chosen;
    this.shown = [];
    onColours(() => this.paint());
  }

  set({ epoch, mistakes }) {
    byId('mistakes-note').textContent = mistakes.length
      ? `After epoch ${epoch}: the test digits it got wrong while it was surest. Pick one to put it on the pad.`
      : `After epoch ${epoch} it got every test digit right.`;
    this.shown = mistakes.map(mistake => ({ ...mistake, bytes: fromHex(mistake.picture), canvas: make('canvas', { width: 28, height: 28 }) }));
    byId('worst').replaceChildren(...this.shown.map(mistake => this.item(mistake)));
    this.paint();
  }

  clear() {
    this.shown = [];
    byId('worst').replaceChildren();
    byId('matrix').replaceChildren();
    byId('mistakes-note').textContent = 'Shown after each epoch: the test digits it got wrong while it was surest.';
    byId('confusion-note').textContent = before;
  }

  item(mistake) {
    const { label, said, probability, canvas } = mistake;
    const button = make('button', { type: 'button' }, canvas, make('span', {}, `is ${label}, said ${said}`),
      make('small', {}, percent(probability, 1)), make('span', { class: 'unseen' }, ', put it on the pad'));
    button.addEventListener('click', () => this.chosen(mistake));
    return make('li', {}, button);
  }

  paint() {
    for (const { canvas, bytes } of this.shown)
      paintDigit(canvas, bytes);
  }
}
