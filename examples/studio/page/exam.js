// The test after each epoch: what is taken for what, and the worst mistakes.

import { fromHex, onColours, paintDigit, percent } from './pixels.js';

const byId = id => document.getElementById(id);

function make(name, text = '', attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, value);
  return made;
}

/** The matrix as a table: a row for what a digit is, a column for what was said. */
export function showConfusion({ tests, confusion }) {
  const accuracy = tests.at(-1)[2];
  const wrong = confusion.flatMap((row, label) => row.filter((_, said) => said !== label));
  const worst = Math.max(2, ...wrong);
  const total = confusion.flat().reduce((a, b) => a + b, 0);
  byId('confusion-note').textContent =
    `After epoch ${tests.length}: ${wrong.reduce((a, b) => a + b, 0).toLocaleString('en')} of ` +
    `${total.toLocaleString('en')} test digits are wrong, ${percent(accuracy, 2)} are right.`;
  const table = make('table');
  table.append(make('caption', 'Rows: what it is. Columns: what the network says.'));
  const head = make('tr');
  head.append(make('td'), ...confusion.map((_, said) => make('th', said, { scope: 'col' })));
  table.append(head);
  confusion.forEach((row, label) => {
    const line = make('tr');
    line.append(make('th', label, { scope: 'row' }));
    row.forEach((count, said) => {
      const cell = make('td', count || '', { class: said === label ? 'right' : count ? 'wrong' : 'none' });
      if (said !== label && count)
        cell.style.setProperty('--heat', `${Math.round(10 + 35 * Math.log(count) / Math.log(worst))}%`);
      line.append(cell);
    });
    table.append(line);
  });
  byId('matrix').replaceChildren(table);
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
    this.shown = mistakes.map(mistake => ({ ...mistake, bytes: fromHex(mistake.picture), canvas: make('canvas') }));
    byId('worst').replaceChildren(...this.shown.map(mistake => this.item(mistake)));
    this.paint();
  }

  clear() {
    this.shown = [];
    byId('worst').replaceChildren();
    byId('matrix').replaceChildren();
    byId('mistakes-note').textContent = 'Shown after each epoch: the test digits it got wrong while it was surest.';
    byId('confusion-note').textContent = 'Counted over the test digits after each epoch.';
  }

  item(mistake) {
    const { label, said, probability, canvas } = mistake;
    canvas.width = canvas.height = 28;
    const button = make('button', '', { type: 'button' });
    button.append(canvas, make('span', `is ${label}, said ${said}`), make('small', percent(probability, 1)),
      make('span', ', put it on the pad', { class: 'unseen' }));
    button.addEventListener('click', () => this.chosen(mistake));
    const item = make('li');
    item.append(button);
    return item;
  }

  paint() {
    for (const { canvas, bytes } of this.shown)
      paintDigit(canvas, bytes);
  }
}
