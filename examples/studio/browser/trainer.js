// What trains in the page: steps, one after the other, and between two of them whatever the user wants.
//
// It does what the served studio does (trainer.cpp, lesson.hpp, exam.hpp), and tells the same. There are no threads: the
// browser gets its turn after each step, so that a question waits for no more than that.

import { Deck } from './deck.js';
import { classes, Network, pixels } from './network.js';

const stepsAPoint = 10, filtersPause = 100; // ms
const examBatch = 100, mistakesShown = 12;
const lessonBatch = 32, lessonRound = 2, lessonRounds = 60, sure = 0.8, copiesKept = 8, quickTest = 500;
const stateOf = { run: 'training', pause: 'paused', stop: 'stopped' };

const most = list => list.indexOf(Math.max(...list));
const rounded = value => Math.round(value * 1e4) / 1e4;
const described = ({ description, shapes, parameters }) => ({ network: description, shapes, parameters });
const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');

export class Trainer {
  /**
   * `data` is { train, test }, each { pictures, labels }; `description` is that of the network that is trained first;
   * `tell(name, told)` is called with each event; `turn()` lets the browser do what waits to be done.
   */
  constructor(library, data, description, { epochs, seed }, tell, turn) {
    Object.assign(this, { library, epochs, seed, tell, turn });
    this.test = data.test;
    this.deck = new Deck(data.train, seed, (count, seed) => library.order(count, seed));
    this.lessons = [];
    this.network = this.run = null;
    this.curve = 0; // its number
    this.next = new Network(library, description, this.seed++);
    this.begin();
  }

  // Commands.

  pause() { this.want(this.command === 'run' && !this.over, 'there is no training to pause', 'pause'); }

  resume() { this.want(this.command === 'pause', 'training is not paused', 'run'); }

  stop() { this.want(this.command !== 'stop' && !this.over, 'there is no training to stop', 'stop'); }

  trainOn() {
    this.want(this.command === 'stop' || this.over, 'training has not ended', 'run');
    this.goal = this.epoch + 1;
  }

  startOver() {
    this.want(this.command === 'stop' || this.over, 'training has not ended', 'run');
    this.train(this.network.description);
  }

  /** Trains another network; the training so far becomes the one that this one is compared with. */
  train(description) {
    this.next?.free();
    this.next = new Network(this.library, description, this.seed++);
    this.command = 'run';
    this.wake?.();
  }

  /** What the library says of a network: its shapes and parameters, or what is wrong with it. */
  check(description) {
    try {
      const network = new Network(this.library, description, 0), said = described(network);
      network.free();
      return said;
    } catch ({ message, layer = 0 }) {
      return { error: message, layer };
    }
  }

  /** What the weights of this moment say of a picture, and what the first layer finds in it. */
  ask(picture) {
    const filters = this.network.filters(), maps = filters && this.network.maps(filters, picture);
    const largest = Math.max(1e-6, maps?.values.reduce((most, value) => Math.max(most, value), 0) ?? 0);
    const bytes = maps && Array.from(maps.values, value => Math.round(255 * Math.max(0, value) / largest));
    return {
      probabilities: Array.from(this.network.predict(picture), rounded), picture: hex(picture),
      maps: maps && { ...maps, values: hex(bytes) },
    };
  }

  /** "No, that was a 7": a few steps on one digit, when its turn has come. */
  teach(picture, label) {
    return new Promise((done, failed) => {
      this.lessons.push({ card: { picture, label }, done, failed });
      this.wake?.();
    });
  }

  testDigit(image) {
    return { image, label: this.test.labels[image], picture: hex(this.testPicture(image)) };
  }

  get over() { return this.epoch >= this.goal; }

  want(can, refusal, command) {
    if (!can)
      throw new Error(refusal);
    this.command = command;
    this.wake?.();
  }

  // The work.

  /** Trains until `until()` says so; by itself for ever. */
  async work(until = () => false) {
    while (!until()) {
      if (this.lessons.length > 0)
        await this.giveLesson(this.lessons.shift());
      else if (this.next)
        this.begin();
      else if (this.command === 'run' && !this.over)
        await this.step();
      else {
        this.show(this.over ? 'finished' : stateOf[this.command]);
        this.showFilters();
        await new Promise(wake => { this.wake = wake; });
      }
    }
  }

  /** Begins to train the next network. */
  begin() {
    const before = this.run?.points.length > 0 ? this.run : this.before;
    this.network?.free();
    Object.assign(this, { network: this.next, next: null, before });
    this.deck.forget();
    this.run = { network: this.network.description, points: [], tests: [] };
    Object.assign(this, { command: 'run', why: '', epoch: 0, goal: this.epochs, steps: 0, speed: 0 });
    this.gathered = { images: 0, loss: 0, right: 0 };
    this.tell('curve', { curve: ++this.curve, from: 0, points: [] });
    this.tell('network', described(this.network));
    if (before)
      this.tell('before', before);
    this.showFilters();
    this.show('training');
  }

  async step() {
    const began = performance.now();
    const { pictures, labels } = this.deck.deal(this.network.description.batch_size);
    let loss, accuracy;
    this.why = '';
    try {
      ({ loss, accuracy } = this.network.learn(pictures, labels));
    } catch (error) { // it has diverged, or the memory does not suffice
      Object.assign(this, { command: 'stop', why: error.message });
      return;
    }
    this.steps++;
    this.gather(labels.length, loss, accuracy);
    this.measure(labels.length, (performance.now() - began) / 1000);
    this.show('training');
    if (performance.now() >= this.filtersDue)
      this.showFilters();
    await this.turn();
    if (this.deck.left === 0) {
      await this.examine();
      this.deck.shuffle();
      this.epoch++;
    }
  }

  /** A point of the curve after a few steps: their mean. */
  gather(images, loss, accuracy) {
    const sum = this.gathered;
    sum.images += images;
    sum.loss += loss * images;
    sum.right += accuracy * images;
    if (this.steps % stepsAPoint !== 0)
      return;
    const point = [this.steps, rounded(sum.loss / sum.images), rounded(sum.right / sum.images)];
    this.run.points.push(point);
    this.tell('curve', { curve: this.curve, from: this.run.points.length, points: [point] });
    this.gathered = { images: 0, loss: 0, right: 0 };
  }

  /** Images a second, over about the last second. */
  measure(images, seconds) {
    if (seconds > 0)
      this.speed += (this.steps === 1 ? 1 : Math.min(1, seconds)) * (images / seconds - this.speed);
  }

  testPicture(image) { return this.test.pictures.subarray(image * pixels, (image + 1) * pixels); }

  /** What the network says of the test digits, some at a time; calls back with each one's number and probabilities. */
  async sit(count, heard) {
    for (let first = 0; first < count; first += examBatch) {
      const end = Math.min(count, first + examBatch);
      const said = this.network.predict(this.test.pictures.subarray(first * pixels, end * pixels));
      for (let image = first; image < end; image++)
        heard(image, said.subarray((image - first) * classes, (image - first + 1) * classes));
      await this.turn();
    }
  }

  async examine() {
    this.showFilters();
    this.show('testing');
    const count = this.test.labels.length, confusion = Array.from({ length: classes }, () => new Array(classes).fill(0));
    const mistakes = [];
    let loss = 0;
    await this.sit(count, (image, said) => {
      const label = this.test.labels[image], chosen = most(Array.from(said));
      confusion[label][chosen]++;
      loss -= Math.log(Math.max(said[label], 1e-7));
      if (chosen !== label)
        mistakes.push({ image, label, said: chosen, probability: rounded(said[chosen]) });
    });
    const right = confusion.reduce((sum, row, label) => sum + row[label], 0);
    this.run.tests.push([this.steps, rounded(loss / count), right / count]);
    this.tell('exam', { tests: this.run.tests, confusion });
    const worst = mistakes.sort((a, b) => b.probability - a.probability).slice(0, mistakesShown)
      .map(mistake => ({ ...mistake, picture: hex(this.testPicture(mistake.image)) }));
    this.tell('mistakes', { epoch: this.epoch + 1, mistakes: worst });
  }

  /** The share of some test digits that it knows. */
  async quickTest() {
    const count = Math.min(quickTest, this.test.labels.length);
    let right = 0;
    await this.sit(count, (image, said) => { right += most(Array.from(said)) === this.test.labels[image]; });
    return right / count;
  }

  /**
   * Rounds of two steps until it is sure of the digit. There is one copy of it in a batch, among digits that it knows: one that
   * sees the same picture again and again forgets others for it.
   */
  async giveLesson({ card, done, failed }) {
    try {
      this.show('teaching');
      const ask = () => Array.from(this.network.predict(card.picture), rounded);
      const before = ask(), accuracyBefore = await this.quickTest();
      let after = before, steps = 0;
      for (let round = 0; round < lessonRounds && !(steps > 0 && after[card.label] >= sure); round++) {
        for (let i = 0; i < lessonRound; i++) {
          const { pictures, labels } = Deck.together([card, ...Array.from({ length: lessonBatch - 1 }, () => this.deck.draw())]);
          this.network.learn(pictures, labels);
          steps++;
        }
        after = ask();
        await this.turn();
      }
      this.deck.add(card, copiesKept);
      this.showFilters();
      const known = after[card.label] >= sure, accuracyAfter = await this.quickTest();
      done({ before, after, steps, known, accuracyBefore, accuracyAfter });
    } catch (error) {
      failed(error);
    }
  }

  // What is told.

  show(phase) {
    this.tell('state', {
      phase, why: this.why, epoch: this.epoch, epochs: this.goal, done: rounded(1 - this.deck.left / this.deck.size), steps: this.steps,
      speed: Math.round(this.speed), testDigits: this.test.labels.length,
    });
  }

  /** The first layer's filters; large ones less often. */
  showFilters() {
    const { count = 0, height, width, values = [] } = this.network.filters() ?? {};
    this.filtersDue = performance.now() + filtersPause * (1 + Math.floor(values.length / 2000));
    this.tell('filters', { count, height, width, values: Array.from(values, rounded) });
  }
}
