// The runs in the charts: the one that is being trained, and the one before.

import { byId, make } from './elements.js';
import { percent } from './pixels.js';
import { inOrder, inShort, optimizers } from './settings.js';

/** An optimizer in short: "SGD · learning_rate 0.05". */
const inWords = ({ class_name: name, settings, other_settings }) =>
  [name, inShort({ settings: inOrder(optimizers[name], settings), other_settings })].filter(part => part).join(' · ');

/** The accuracy on test digits, or, before there was a test, on what it was trained on. */
function accuracyOf({ points, tests }) {
  if (tests.length > 0)
    return `${percent(tests.at(-1)[2], 2)} on test digits`;
  return points.length > 0 ? `${percent(points.at(-1)[2], 1)} in training` : '';
}

function row(name, line, run) {
  const { name: network, optimizer, batch_size } = run.network;
  return make('tr', {}, make('th', { scope: 'row' }, make('i', { class: line }), ` ${name}`),
    make('td', {}, make('b', {}, network), ' ', make('span', {}, `${inWords(optimizer)} · batches of ${batch_size}`)),
    make('td', {}, accuracyOf(run)));
}

/** Each run is { network, points, tests }; there may be none before. */
export function showRuns(now, before) {
  byId('runs').tBodies[0].replaceChildren(row('this run', 'mean-line', now), ...before ? [row('run before', 'before-line', before)] : []);
}
