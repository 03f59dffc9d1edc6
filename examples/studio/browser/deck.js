// The training images as a pack of cards: an epoch shuffles it and deals it from the top. A digit that the user has taught goes
// into the pack with the others.

import { pixels } from './network.js';

export class Deck {
  /** `order(count, seed)` gives an order of so many. */
  constructor({ pictures, labels }, seed, order) {
    this.given = { pictures, labels };
    this.seed = seed;
    this.makeOrder = order;
    this.forget();
  }

  /** Takes out what was added, and begins a new epoch. */
  forget() {
    const { pictures, labels } = this.given;
    this.cards = Array.from(labels, (label, i) => ({ label, picture: pictures.subarray(i * pixels, (i + 1) * pixels) }));
    this.epoch = 0;
    this.shuffle();
  }

  /** A new epoch: all cards, in a fresh order. */
  shuffle() {
    this.order = Array.from(this.makeOrder(this.cards.length, this.seed + this.epoch++), card => this.cards[card]);
    this.dealt = 0;
  }

  get size() { return this.order.length; }

  get left() { return this.order.length - this.dealt; }

  /** The next cards of this epoch, `count` of them or what is left. */
  deal(count) {
    const cards = this.order.slice(this.dealt, this.dealt + count);
    this.dealt += cards.length;
    return Deck.together(cards);
  }

  /** Puts a digit into the pack, `copies` times, among what is left of this epoch and into all that follow. */
  add(card, copies) {
    for (let i = 0; i < copies; i++) {
      const place = this.dealt + Math.floor(Math.random() * (this.left + 1));
      this.order.splice(place, 0, card);
      this.cards.push(card);
    }
  }

  /** Any card of the pack. */
  draw() { return this.cards[Math.floor(Math.random() * this.cards.length)]; }

  /** Cards as the network takes them: their pictures one after the other, and their labels. */
  static together(cards) {
    const pictures = new Uint8Array(cards.length * pixels);
    cards.forEach(({ picture }, i) => pictures.set(picture, i * pixels));
    return { pictures, labels: Uint8Array.from(cards, card => card.label) };
  }
}
