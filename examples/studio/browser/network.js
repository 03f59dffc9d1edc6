// The tutorial's network, as it trains and answers.

import { activation } from './mnist.js';

export const side = 28, pixels = side * side, classes = 10;

export class Network {
  constructor(library, seed) {
    this.library = library;
    const { c } = library;
    const graph = c.mnist_graph_new();
    c.mnist_graph_set_seed(graph, BigInt(seed));
    const input = c.mnist_input(graph, side, side, 1);
    let x = c.mnist_conv2d(input, 32, 3, activation.relu);
    x = c.mnist_conv2d(x, 64, 3, activation.relu);
    x = c.mnist_dense(c.mnist_flatten(x), 128, activation.relu);
    x = c.mnist_dense(x, classes, activation.softmax);
    this.model = library.withText('studio', name => library.make('mnist_model_new', input, x, name));
    c.mnist_graph_free(graph);
    library.call('mnist_model_compile', this.model, 0);
  }

  free() { this.library.c.mnist_model_free(this.model); }

  /** A step on digits, bytes and labels: { loss, accuracy } as they were before it. */
  learn(pictures, labels) {
    const data = this.library.digits(pictures, labels);
    try {
      return this.library.lend([16], metrics => {
        if (this.library.call('mnist_model_train_on_batch', this.model, data, metrics) > 0)
          throw new Error('the loss is no number any more');
        const [loss, accuracy] = this.library.at(metrics, 2, Float64Array);
        return { loss, accuracy };
      });
    } finally {
      this.library.c.mnist_dataset_free(data);
    }
  }

  /** The probabilities of `count` digits, [count, classes]. */
  predict(pictures) {
    const count = pictures.length / pixels;
    const data = this.library.digits(pictures, new Uint8Array(count));
    try {
      return this.library.lend([4 * count * classes], said => {
        this.library.call('mnist_model_predict_dataset', this.model, data, said, count * classes);
        return this.library.at(said, count * classes, Float32Array).slice();
      });
    } finally {
      this.library.c.mnist_dataset_free(data);
    }
  }

  /** A weight by its name, row-major. */
  weight(name) {
    const { library, model } = this;
    return library.withText(name, name => library.lend([4 * 8, 4], (dims, rank) => {
      library.call('mnist_model_weight_shape', model, name, dims, 8, rank);
      const sizes = library.at(dims, library.at(rank, 1, Uint32Array)[0], Uint32Array);
      const count = sizes.reduce((a, b) => a * b, 1);
      return library.lend([4 * count], values => {
        library.call('mnist_model_get_weight', model, name, values, count);
        return library.at(values, count, Float32Array).slice();
      });
    }));
  }

  /** All weights, one after the other. */
  weights() {
    const { library, model } = this;
    const names = Array.from({ length: library.c.mnist_model_weights_len(model) },
      (_, i) => library.text(library.c.mnist_model_weight_name(model, i)));
    const all = names.map(name => this.weight(name));
    const whole = new Float32Array(all.reduce((sum, one) => sum + one.length, 0));
    let at = 0;
    for (const one of all) {
      whole.set(one, at);
      at += one.length;
    }
    return whole;
  }

  /** A drawing of square form, light on dark or dark on light, in the form of MNIST's digits; null without a figure. */
  prepare(drawing) {
    const size = Math.sqrt(drawing.length);
    return this.library.lend([drawing.length, 4 * pixels], (from, to) => {
      this.library.at(from, drawing.length).set(drawing);
      try {
        this.library.call('mnist_image_prepare', from, size, size, 1, to, pixels);
      } catch {
        return null;
      }
      return Uint8Array.from(this.library.at(to, pixels, Float32Array));
    });
  }
}
