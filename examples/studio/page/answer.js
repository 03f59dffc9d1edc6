// What the network says of the digit on the pad, and what it is told when that is wrong.

import { byId, make } from './elements.js';
import { fromHex, onColours, paintDigit, percent } from './pixels.js';
import { send } from './program.js';

const lookEvery = 150; // ms, during a lesson
const tooLittle = 'Too little ink';
const most = list => list.indexOf(Math.max(...list));

export class Answer {
  /** `pad` holds the digit; `seen` is called with what the first layer finds in each picture, or null. */
  constructor(pad, seen) {
    this.pad = pad;
    this.seen = seen;
    this.picture = null;
    this.rows = Array.from({ length: 10 }, (_, digit) => this.addRow(digit));
    this.buttons = Array.from({ length: 10 }, (_, digit) => this.addButton(digit));
    onColours(() => this.showPicture());
    this.show(null);
  }

  /** Asks about what is on the pad; while a question is under way only the newest waits. */
  async ask() {
    const blank = this.pad.empty || this.pad.tooLittle;
    if (blank)
      this.show(null); // at once, also while a question is under way
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    try {
      this.show(blank ? null : await send('/ask', this.pad.bytes()));
    } catch {
      this.show(null); // a speck that is no digit, or the program has ended, which the page says elsewhere
    }
    this.asking = false;
    if (this.again) {
      this.again = false;
      this.ask();
    }
  }

  /** Asks, and once the user has come to rest says the answer to a screen reader as well. */
  changed() {
    byId('taught').textContent = '';
    this.ask();
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      if (this.probabilities)
        byId('spoken').textContent = `It says ${this.says}, ${percent(this.probabilities[this.says])}.`;
      else if (this.pad.tooLittle)
        byId('spoken').textContent = tooLittle;
    }, 900);
  }

  show(reply) {
    const probabilities = this.pad.empty || this.pad.tooLittle ? null : reply?.probabilities ?? null;
    this.probabilities = probabilities;
    this.says = probabilities && most(probabilities);
    byId('says').textContent = probabilities ? `It says ${this.says}` : this.pad.tooLittle ? tooLittle : 'Nothing yet';
    byId('sure').textContent = probabilities ? percent(probabilities[this.says]) : '';
    this.rows.forEach(({ row, bar, text }, digit) => {
      const share = probabilities ? probabilities[digit] : 0;
      row.classList.toggle('most', digit === this.says);
      bar.style.transform = `scaleX(${share})`;
      text.textContent = probabilities ? percent(share) : '';
    });
    this.buttons.forEach(button => { button.disabled = !probabilities; });
    this.picture = probabilities && fromHex(reply.picture);
    this.showPicture();
    this.seen(probabilities && reply.maps);
  }

  showPicture() {
    byId('seen').classList.toggle('blank', !this.picture);
    if (this.picture)
      paintDigit(byId('seen'), this.picture);
  }

  async teach(label) {
    const body = this.pad.bytes();
    const taught = byId('taught');
    this.teaching = true;
    this.buttons.forEach(button => { button.setAttribute('aria-disabled', 'true'); });
    taught.textContent = `Learning that this is a ${label}`;
    const look = setInterval(() => this.ask(), lookEvery);
    try {
      taught.textContent = this.report(label, await send(`/teach?label=${label}`, body));
    } catch (error) {
      taught.textContent = `It could not be taught: ${error.message}`;
    }
    clearInterval(look);
    this.teaching = false;
    this.buttons.forEach(button => { button.removeAttribute('aria-disabled'); });
    this.ask();
  }

  report(label, { before, after, steps, known, accuracyBefore, accuracyAfter }) {
    const was = most(before);
    const change = known
      ? `Now it knows: a ${label}, ${percent(after[label])}. Before, it said ${was} with ${percent(before[was])}.`
      : `It still hesitates: ${label} with ${percent(after[label])}. Tell it once more.`;
    return `${change} ${steps} steps; of other test digits it knows ${percent(accuracyAfter, 1)}` +
      ` (before, ${percent(accuracyBefore, 1)}).`;
  }

  addRow(digit) {
    const bar = make('span', { class: 'bar' }), text = make('span', { class: 'text' });
    const row = make('li', {}, make('b', {}, digit), make('span', { class: 'track' }, bar), text);
    byId('bars').append(row);
    return { row, bar, text };
  }

  addButton(digit) {
    const button = make('button', { type: 'button' }, digit);
    button.addEventListener('click', () => this.teaching || this.teach(digit));
    byId('labels').append(button);
    return button;
  }
}
