// Fields to set a layer or an optimizer with.

import { make } from './elements.js';
import { textOf } from './settings.js';

/** What was typed: a number, a list, true or false as JSON has them, else text, of which the library says what is wrong. */
function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function options(pairs, chosen) {
  return pairs.map(([value, text]) => make('option', { value, selected: value === chosen }, text));
}

export const named = names => names.map(name => [name, name]);

/** A field with its key as its label. */
export const labelled = (key, field) => make('label', {}, make('span', {}, key), field);

export const textField = (value, placeholder = '') =>
  make('input', { type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', value, placeholder });

/**
 * Fields for the settings of `what`, { settings, other_settings }, which they change; `changed` is called when they have. A
 * setting that is left empty has Keras's default, which the field shows.
 */
export function settingFields(fields, what, changed) {
  const made = fields.map(field => labelled(field.key, settingField(field, what.settings[field.key], value => {
    if (value === undefined)
      delete what.settings[field.key];
    else
      what.settings[field.key] = value;
    changed();
  })));
  const others = textField(what.other_settings ?? '', "key: value, key: 'text'");
  others.addEventListener('input', () => {
    what.other_settings = others.value;
    changed();
  });
  const label = labelled('other settings', others);
  label.className = 'wide';
  return [...made, label];
}

function settingField({ key, usual, choices, flag, needed }, value, set) {
  if (choices) {
    const field = make('select', {}, ...options(named(choices), value ?? choices[0]));
    field.addEventListener('change', () => set(field.value === choices[0] && !needed ? undefined : field.value));
    return field;
  }
  if (flag) {
    const field = make('input', { type: 'checkbox' });
    field.checked = value ?? usual;
    field.addEventListener('change', () => set(field.checked === usual ? undefined : field.checked));
    return field;
  }
  const field = textField(value === undefined ? '' : textOf(value), usual ?? 'needed');
  field.dataset.key = key;
  field.addEventListener('input', () => set(field.value.trim() === '' ? undefined : valueOf(field.value.trim())));
  return field;
}
