// A layer of the network as a row: closed, its class, settings and output; open, fields to change them.

import { make } from './elements.js';
import { labelled, named, options, settingFields } from './fields.js';
import { firstSettings, inOrder, inShort, layers as classes, merges } from './settings.js';

/** What a layer takes that takes the image. */
export const image = { class_name: 'Image' };

export class Row {
  /**
   * `editor` has `layers`, all in order; `changed()`, to be called when a setting has; `rebuilt(layer)`, when rows must be made
   * anew, that of `layer` being open; `named()`, `opened()`, `move(layer, by)` and `remove(layer)`.
   */
  constructor(layer, editor, open) {
    Object.assign(this, { layer, editor, open });
    this.summary = make('span', { class: 'summary' });
    this.shape = make('span', { class: 'shape' });
    const number = editor.layers.indexOf(layer) + 1;
    const head = make('summary', {}, make('span', { class: 'number' }, number), make('b', {}, layer.class_name), ' ', this.summary, ' ', this.shape);
    this.details = make('details', { name: 'layer', open }, head);
    this.details.addEventListener('toggle', () => this.toggled());
    this.item = make('li', {}, this.details);
    this.describe();
    if (open)
      this.fill();
  }

  toggled() {
    this.open = this.details.open;
    if (this.open && this.details.children.length === 1)
      this.fill();
    if (this.open)
      this.item.scrollIntoView({ block: 'nearest' });
    this.editor.opened();
  }

  /** Gives the focus to a button that says so, if it can be pressed, else to the class. */
  focus(text) {
    const button = [...this.details.querySelectorAll('button:enabled')].find(({ textContent }) => textContent === text);
    (button ?? this.details.querySelector('select')).focus();
  }

  describe() {
    const { layer, editor } = this;
    const number = other => other === image ? 'the image' : `layer ${editor.layers.indexOf(other) + 1}`;
    const parts = [inShort(layer), layer.from && `from ${number(layer.from)}`, layer.with && `with ${number(layer.with)}`];
    this.summary.textContent = parts.filter(part => part).join(' · ');
  }

  /** What the program says of it: the shape that comes out, or nothing, and whether it is wrong. */
  show(shape, wrong) {
    this.shape.textContent = shape ? shape.join(' × ') : '';
    this.item.classList.toggle('wrong', wrong);
  }

  fill() {
    const { layer, editor } = this;
    const changed = () => {
      this.describe();
      editor.changed();
    };
    const buttons = make('div', { class: 'buttons' },
      this.button('Move up', editor.layers[0] === layer, () => editor.move(layer, -1)),
      this.button('Move down', editor.layers.at(-1) === layer, () => editor.move(layer, 1)),
      this.button('Remove', false, () => editor.remove(layer)));
    this.details.append(make('div', { class: 'fields' }, this.classField(), ...this.inputFields(changed),
      ...settingFields(classes[layer.class_name] ?? [], layer, changed), buttons));
  }

  button(text, disabled, act) {
    const made = make('button', { type: 'button', disabled }, text);
    made.addEventListener('click', act);
    return made;
  }

  classField() {
    const { layer, editor } = this;
    const field = make('select', {}, ...options(named(Object.keys(classes)), layer.class_name));
    field.addEventListener('change', () => {
      const fields = classes[field.value], keys = new Set(fields.map(({ key }) => key));
      const kept = Object.entries(layer.settings).filter(([key]) => keys.has(key));
      layer.class_name = field.value;
      layer.settings = inOrder(fields, { ...firstSettings(fields), ...Object.fromEntries(kept) });
      if (!merges.has(field.value))
        delete layer.with;
      editor.named();
      editor.rebuilt(layer);
    });
    return labelled('class', field);
  }

  /** Which outputs it takes. */
  inputFields(changed) {
    const { layer, editor } = this, { layers } = editor;
    const above = layers.slice(0, layers.indexOf(layer));
    const field = (key, first) => {
      const pairs = [['', first], ['0', 'the image'], ...above.map(({ class_name: name }, i) => [`${i + 1}`, `${i + 1} ${name}`])];
      const at = layer[key] === image ? 0 : layers.indexOf(layer[key]) + 1;
      const made = make('select', {}, ...options(pairs, layer[key] ? `${at}` : ''));
      made.addEventListener('change', () => {
        if (made.value === '')
          delete layer[key];
        else
          layer[key] = layers[made.value - 1] ?? image;
        changed();
      });
      return labelled(key, made);
    };
    return [field('from', 'the layer above'), ...merges.has(layer.class_name) ? [field('with', 'choose a layer')] : []];
  }
}
