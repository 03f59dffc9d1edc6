// libmnist in WebAssembly: its C functions, called with what they take, errors thrown.

import { wasi } from './wasi.js';

export const dtype = { u8: 1, u32: 9 };                    // MNIST_DTYPE_...

// A module of one function, f32x4.relaxed_madd of zeros: valid where an engine has relaxed SIMD.
const asksForRelaxed = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0,
  65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133, 2, 11);

/** The file of the module that is the fastest here. Their bits are the same. */
export const moduleFile = () => WebAssembly.validate(asksForRelaxed) ? 'mnist-relaxed.wasm' : 'mnist.wasm';

export class Library {
  /** An instance of a compiled module; `environment` are variables of the library, MNIST_ISA among them. */
  static async of(module, environment = {}) {
    const library = new Library();
    const imports = wasi(module, { memory: () => library.c.memory, environment });
    library.c = (await WebAssembly.instantiate(module, imports)).exports;
    library.c._initialize();
    library.error = library.c.mnist_error_new();
    return library;
  }

  /** A view of `count` numbers at an address. It is good until the next call, which may move the memory. */
  at(address, count, Numbers = Uint8Array) {
    return new Numbers(this.c.memory.buffer, address, count);
  }

  text(address) {
    const bytes = this.at(address, this.c.memory.buffer.byteLength - address);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  }

  /** Calls a function that gives a status, the error being its last argument. An error is thrown, any other status is returned. */
  call(name, ...values) {
    const status = this.c[name](...values, this.error);
    if (status < 0)
      throw new Error(this.message());
    return status;
  }

  /** What the last call had to say. */
  message() { return this.text(this.c.mnist_error_message(this.error)); }

  /** Lends memory to `task`, as many bytes as each size says, zeros, and gives what it gives. */
  lend(sizes, task) {
    const blocks = sizes.map(size => this.c.calloc(size, 1));
    try {
      if (blocks.includes(0))
        throw new Error('out of memory');
      return task(...blocks);
    } finally {
      blocks.forEach(block => this.c.free(block));
    }
  }

  /** Calls a function that makes an object: the place for it comes before the error. */
  make(name, ...values) {
    return this.lend([4], out => {
      this.call(name, ...values, out);
      return this.at(out, 1, Uint32Array)[0];
    });
  }

  /** Lends a string. */
  withText(string, task) {
    const bytes = new TextEncoder().encode(`${string}\0`);
    return this.lend([bytes.length], address => {
      this.at(address, bytes.length).set(bytes);
      return task(address);
    });
  }

  /** The sizes that a function writes, whose last arguments are a place for them, its capacity, and one for their number. */
  sizes(call) {
    const most = 8;
    return this.lend([4 * most, 4], (dims, rank) => {
      call(dims, most, rank);
      return Array.from(this.at(dims, this.at(rank, 1, Uint32Array)[0], Uint32Array));
    });
  }

  /** The bytes that a function writes, whose last arguments are a place for them, its capacity, and one for how many they are. */
  bytes(call) {
    return this.lend([4], needed => {
      call(0, 0, needed);
      const count = this.at(needed, 1, Uint32Array)[0];
      return this.lend([count], place => {
        call(place, count, needed);
        return this.at(place, count).slice();
      });
    });
  }

  /** The output of a layer of a graph, by Keras's class and a config in JSON5, on one output or several. */
  layer(graph, inputs, name, config) {
    const output = this.withText(name, name => this.withText(config, config => inputs.length === 1
      ? this.c.mnist_layer(inputs[0], name, config)
      : this.lend([4 * inputs.length], tensors => {
        this.at(tensors, inputs.length, Uint32Array).set(inputs);
        return this.c.mnist_merge(tensors, inputs.length, name, config);
      })));
    this.call('mnist_graph_check', graph);
    return output;
  }

  /** The sizes of an output, without the batch. */
  shape(tensor) {
    const most = 8;
    return this.lend([4 * most], dims => Array.from(this.at(dims, this.c.mnist_tensor_shape(tensor, dims, most), Uint32Array)));
  }

  /** Compiles a model with an optimizer, Keras's class and config in JSON5. */
  compile(model, optimizer) {
    const size = 64, atConfig = 48; // of struct mnist_compile_options
    this.withText(optimizer, text => this.lend([size], options => {
      this.c.mnist_compile_options_init(options, size);
      this.at(options + atConfig, 1, Uint32Array)[0] = text;
      this.call('mnist_model_compile', model, options);
    }));
  }

  /** A dataset of bytes `[n, ...]` and their labels, to be freed. */
  dataset(bytes, dims, labels) {
    const [x, y] = [[bytes, dtype.u8, dims], [labels, labels instanceof Uint32Array ? dtype.u32 : dtype.u8, [dims[0]]]];
    const sizes = [x, y].flatMap(([values, , dims]) => [16, values.byteLength, 4 * dims.length]);
    return this.lend(sizes, (...blocks) => {
      [x, y].forEach(([values, type, dims], i) => {
        const [array, data, sizes] = blocks.slice(3 * i);
        this.at(array, 4, Uint32Array).set([data, type, dims.length, sizes]); // struct mnist_array
        this.at(data, values.length, values.constructor).set(values);
        this.at(sizes, dims.length, Uint32Array).set(dims);
      });
      return this.make('mnist_dataset_new', blocks[0], blocks[3], 0);
    });
  }

  /** Digits of 28 x 28 bytes, in the scale the network knows. */
  digits(pictures, labels) {
    const data = this.dataset(pictures, [labels.length, 28, 28, 1], labels);
    this.call('mnist_dataset_normalize', data, 255);
    return data;
  }

  /** The order in which mnist_dataset_shuffle puts `count` samples. */
  order(count, seed) {
    const data = this.dataset(new Uint8Array(count), [count, 1], Uint32Array.from({ length: count }, (_, i) => i));
    this.call('mnist_dataset_shuffle', data, BigInt(seed));
    const order = this.lend([4 * count], labels => {
      this.call('mnist_dataset_labels', data, labels, count);
      return this.at(labels, count, Uint32Array).slice();
    });
    this.c.mnist_dataset_free(data);
    return order;
  }
}
