// A network, as the page describes it (network.hpp says how), as it trains and answers.

export const side = 28, pixels = side * side, classes = 10;
const mostWeights = 20e6, mostFilters = 32, largestBatch = 1024;

/** Why a description becomes no model: `layer` is the number of the one that is wrong, 0 when it is no single layer's fault. */
export class BadNetwork extends Error {
  constructor(message, layer) {
    super(message);
    this.layer = layer;
  }
}

/** Keras's settings as a text of JSON5. */
function configOf({ settings = {}, other_settings: others }) {
  const config = JSON.stringify(settings);
  return others ? `${config.slice(0, -1)}${config === '{}' ? '' : ','}${others}}` : config;
}

/** The description's layers on each other, each shape being added to `shapes`; the last one's output, which is Dense(10, softmax). */
function stack(library, graph, input, { layers }, shapes) {
  const outputs = [input];
  layers.forEach((layer, i) => {
    const { class_name: name, from = i, with: second } = layer;
    try {
      if (!(from <= i) || second > i)
        throw new Error(`expected layers above it, found ${from > i ? from : second}`);
      const inputs = [outputs[from], ...second === undefined ? [] : [outputs[second]]];
      const output = library.layer(graph, inputs, name, configOf(layer));
      const shape = library.shape(output);
      if (library.shape(inputs[0]).at(-1) * shape.at(-1) > mostWeights)
        throw new Error('it has more than 20 million weights, which is more than the studio trains');
      outputs.push(output);
      shapes.push(shape);
    } catch (error) {
      throw new BadNetwork(error.message, i + 1);
    }
  });
  const last = library.shape(outputs.at(-1));
  if (last.length !== 1)
    throw new Error(`The last layer gives [${last}], Dense at the end takes a list of numbers: put Flatten or GlobalAveragePooling2D there`);
  return library.layer(graph, [outputs.at(-1)], 'Dense', `{units: ${classes}, activation: 'softmax'}`);
}

export class Network {
  /** A compiled model with fresh weights. Throws BadNetwork. */
  constructor(library, description, seed) {
    Object.assign(this, { library, description, shapes: [] });
    const { c } = library, { name, optimizer, batch_size: batch } = description;
    if (!Number.isInteger(batch) || batch < 1 || batch > largestBatch)
      throw new BadNetwork(`batch_size: expected a whole number from 1 to ${largestBatch}, found ${JSON.stringify(batch)}`, 0);
    const graph = c.mnist_graph_new();
    try {
      c.mnist_graph_set_seed(graph, BigInt(seed));
      const input = c.mnist_input(graph, side, side, 1);
      const output = stack(library, graph, input, description, this.shapes);
      this.model = library.withText(name, name => library.make('mnist_model_new', input, output, name));
      library.compile(this.model, `{class_name: ${JSON.stringify(optimizer.class_name)}, config: ${configOf(optimizer)}}`);
    } catch (error) {
      this.free();
      throw error instanceof BadNetwork ? error : new BadNetwork(error.message, 0);
    } finally {
      c.mnist_graph_free(graph);
    }
  }

  free() { this.library.c.mnist_model_free(this.model ?? 0); }

  get parameters() { return this.library.c.mnist_model_count_params(this.model); }

  /** A step on digits, bytes and labels: { loss, accuracy } as they were before it. Throws when the loss is no number any more. */
  learn(pictures, labels) {
    const data = this.library.digits(pictures, labels);
    try {
      return this.library.lend([16], metrics => {
        if (this.library.call('mnist_model_train_on_batch', this.model, data, metrics) > 0)
          throw new Error(this.library.message());
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

  get weightNames() {
    const { library, model } = this;
    return Array.from({ length: library.c.mnist_model_weights_len(model) }, (_, i) => library.text(library.c.mnist_model_weight_name(model, i)));
  }

  weightShape(name) {
    const { library, model } = this;
    return library.withText(name, name => library.sizes((...place) => library.call('mnist_model_weight_shape', model, name, ...place)));
  }

  /** A weight by its name, row-major. */
  weight(name) {
    const { library, model } = this;
    const count = this.weightShape(name).reduce((a, b) => a * b, 1);
    return library.withText(name, name => library.lend([4 * count], values => {
      library.call('mnist_model_get_weight', model, name, values, count);
      return library.at(values, count, Float32Array).slice();
    }));
  }

  /** All weights, one after the other. */
  weights() {
    const all = this.weightNames.map(name => this.weight(name));
    const whole = new Float32Array(all.reduce((sum, one) => sum + one.length, 0));
    let at = 0;
    for (const one of all) {
      whole.set(one, at);
      at += one.length;
    }
    return whole;
  }

  /** The first layer's filters, if they look at the image itself: { layer, height, width, count, all, values }, filter by filter; else null. */
  filters() {
    const name = this.weightNames.find(name => /\/(depthwise_)?kernel$/.test(name));
    const shape = name ? this.weightShape(name) : [];
    const isDense = shape.length === 2 && shape[0] === pixels;
    if (!isDense && !(shape.length === 4 && shape[2] === 1))
      return null;
    const [height, width] = isDense ? [side, side] : shape, count = Math.min(mostFilters, shape.at(-1));
    const kernel = this.weight(name);
    const values = Float32Array.from({ length: count * height * width },
      (_, i) => kernel[(i % (height * width)) * shape.at(-1) + Math.floor(i / (height * width))]);
    return { layer: name.slice(0, name.lastIndexOf('/')), height, width, count, all: shape.at(-1), values };
  }

  /** What the layer of these filters gives for a picture: { height, width, values }, filter by filter; null when it does not give a map for each. */
  maps({ layer, count, all }, picture) {
    const { library, model } = this;
    return library.withText(layer, layer => {
      const shape = library.sizes((...place) => library.call('mnist_model_layer_shape', model, layer, ...place));
      if (shape.length !== 3 || shape[2] !== all)
        return null;
      const [height, width, channels] = shape, length = height * width * channels;
      const given = library.lend([4 * pixels, 4 * length], (image, values) => {
        library.at(image, pixels, Float32Array).set(Float32Array.from(picture, byte => byte / 255));
        library.call('mnist_model_predict_layer', model, layer, image, 1, values, length);
        return library.at(values, length, Float32Array).slice();
      });
      const values = Float32Array.from({ length: count * height * width },
        (_, i) => given[(i % (height * width)) * channels + Math.floor(i / (height * width))]);
      return { height, width, values };
    });
  }

  /** The model as the bytes of a file: what `mnist_model_save_memory` and others like it write. */
  saved(name, ...options) {
    const { library, model } = this;
    return library.bytes((...place) => library.call(name, model, ...options, ...place));
  }

  savedAsC(prefix) { return this.library.withText(prefix, prefix => this.saved('mnist_model_save_c_memory', prefix, 0)); }

  /** A drawing of square form, light on dark or dark on light, in the form of MNIST's digits; null without a digit. */
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
