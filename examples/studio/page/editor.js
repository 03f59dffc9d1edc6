// The network: one of the examples to start from, its layers, the optimizer; checked by the library as they change.

import { byId, make, setText } from './elements.js';
import { labelled, named, options, settingFields, textField } from './fields.js';
import { Row, image } from './row.js';
import { firstSettings, inOrder, layers as classes, optimizers } from './settings.js';

const rest = 250; // ms without a change, before the library is asked
const changedName = ', changed';

export class Editor {
  /** `check(description)` gives what the library says of a network; `train(description)` trains it. */
  constructor(examples, { check, train }) {
    Object.assign(this, { examples, ask: check });
    this.rows = [];
    byId('preset').append(...options(Object.entries(examples).map(([key, { name }]) => [key, name])));
    byId('preset').addEventListener('change', () => this.edit(examples[byId('preset').value]));
    byId('new-class').append(...options(named(Object.keys(classes)), 'Conv2D'));
    byId('add').addEventListener('click', () => this.add());
    byId('train').addEventListener('click', async () => {
      if (await this.check())
        train(this.description());
    });
  }

  /** What the program trains; shown, unless the user is at changing another. */
  running(network) {
    const untouched = !this.layers || !this.isChanged();
    this.trained = JSON.stringify(this.descriptionOf(this.read(network)));
    if (untouched)
      this.edit(network);
    else
      this.mark();
  }

  /** Takes over a network, as the program describes it, to be changed. */
  edit(network) {
    this.network = this.read(network);
    const [key] = Object.entries(this.examples).find(([, { name }]) => name === network.name.replace(changedName, '')) ?? [];
    byId('preset').value = key ?? '';
    this.showOptimizer();
    this.rebuilt();
  }

  get layers() { return this.network?.layers; }

  /** A description whose layers refer to layers by themselves, not by their numbers, so that they can be moved. */
  read({ name, layers, optimizer, batch_size }) {
    const made = layers.map(({ class_name, settings, other_settings }) =>
      ({ class_name, settings: inOrder(classes[class_name], settings), other_settings }));
    layers.forEach((layer, i) => {
      for (const key of ['from', 'with'])
        if (layer[key] !== undefined)
          made[i][key] = made[layer[key] - 1] ?? image;
    });
    return {
      name, layers: made, batch_size,
      optimizer: { ...optimizer, settings: inOrder(optimizers[optimizer.class_name], optimizer.settings) },
    };
  }

  description() { return this.descriptionOf(this.network); }

  descriptionOf({ name, layers, optimizer, batch_size }) {
    const configured = ({ class_name, settings, other_settings: others }) =>
      ({ class_name, settings: inOrder(classes[class_name] ?? optimizers[class_name], settings), ...others && { other_settings: others } });
    const number = other => other === image ? 0 : layers.indexOf(other) + 1;
    return {
      name, batch_size, optimizer: configured(optimizer),
      layers: layers.map(layer => ({
        ...configured(layer), ...layer.from && { from: number(layer.from) }, ...layer.with && { with: number(layer.with) },
      })),
    };
  }

  isChanged() { return JSON.stringify(this.description()) !== this.trained; }

  // What the user does.

  /** A layer below the one whose row is open, or at the end. */
  add() {
    const name = byId('new-class').value, at = this.rows.findIndex(({ open }) => open);
    const layer = { class_name: name, settings: firstSettings(classes[name]) };
    this.layers.splice(at < 0 ? this.layers.length : at + 1, 0, layer);
    this.named();
    this.rebuilt(layer);
  }

  move(layer, by) {
    const at = this.layers.indexOf(layer);
    this.layers.splice(at, 1);
    this.layers.splice(at + by, 0, layer);
    this.named();
    this.rebuilt(layer, by < 0 ? 'Move up' : 'Move down');
  }

  remove(layer) {
    const at = this.layers.indexOf(layer);
    this.layers.splice(at, 1);
    for (const other of this.layers)
      for (const key of ['from', 'with'])
        if (other[key] === layer)
          delete other[key];
    this.named();
    this.rebuilt();
    (this.rows[at] ?? this.rows.at(-1))?.details.firstChild.focus();
    if (this.rows.length === 0)
      byId('add').focus();
  }

  /** A setting has changed. */
  changed() {
    this.named();
    this.mark();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), rest);
  }

  /** A network that is no example's any more says so in its name. */
  named() {
    if (!this.network.name.endsWith(changedName))
      this.network.name += changedName;
  }

  // What the user sees.

  /** Makes the rows anew, that of `layer` being open; its button `focused`, or its class, has the focus. */
  rebuilt(layer, focused) {
    this.rows = this.layers.map(each => new Row(each, this, each === layer));
    byId('layers').replaceChildren(...this.rows.map(({ item }) => item));
    this.rows.find(({ open }) => open)?.focus(focused);
    this.opened();
    this.mark();
    this.check();
  }

  opened() {
    const at = this.rows.findIndex(({ open }) => open);
    byId('add').textContent = at < 0 ? 'Add at the end' : `Add below layer ${at + 1}`;
  }

  showOptimizer() {
    const { optimizer } = this.network, changed = () => this.changed();
    const which = make('select', {}, ...options(named(Object.keys(optimizers)), optimizer.class_name));
    which.addEventListener('change', () => {
      this.network.optimizer = { class_name: which.value, settings: firstSettings(optimizers[which.value]) };
      changed();
      this.showOptimizer();
      byId('optimizer').querySelector('select').focus();
    });
    const batch = textField(this.network.batch_size);
    batch.addEventListener('input', () => {
      this.network.batch_size = /^\d+$/.test(batch.value.trim()) ? +batch.value : batch.value;
      changed();
    });
    byId('optimizer').replaceChildren(labelled('class', which), labelled('batch_size', batch),
      ...settingFields(optimizers[optimizer.class_name] ?? [], optimizer, changed));
  }

  mark() {
    setText('changed', this.trained !== undefined && this.isChanged() ? 'Not trained yet' : '');
  }

  /** Asks the library and shows what it says; whether the network is a good one. */
  async check() {
    clearTimeout(this.timer);
    const asked = this.asked = (this.asked ?? 0) + 1;
    const said = await this.ask(this.description()).catch(error => ({ error: error.message, layer: 0 }));
    if (asked !== this.asked)
      return false; // it has changed since
    const { error, layer, shapes, parameters } = said;
    this.rows.forEach((row, i) => row.show(shapes?.[i], error !== undefined && layer === i + 1));
    setText('parameters', error === undefined ? `${parameters.toLocaleString('en')} parameters` : '');
    setText('network-error', error === undefined ? '' : layer ? `Layer ${layer}, ${this.layers[layer - 1].class_name}: ${error}` : error);
    byId('train').disabled = error !== undefined;
    return error === undefined;
  }
}
