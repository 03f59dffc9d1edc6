// The page: events from the program to the parts, and the user's commands to the program.

import { Answer } from './answer.js';
import { Curve } from './curves.js';
import { Editor } from './editor.js';
import { byId, setText } from './elements.js';
import { Mistakes, showConfusion } from './exam.js';
import { showExports } from './exports.js';
import { Filters } from './filters.js';
import { Pad } from './pad.js';
import { fromHex, percent } from './pixels.js';
import { listen, send, testDigit } from './program.js';
import { showRuns } from './runs.js';

const phases = {
  training: 'Training', paused: 'Paused', teaching: 'Learning your digit', testing: 'Testing',
  stopped: 'Stopped', finished: 'Finished',
};
const askEvery = 250; // ms, while the weights change

const filters = new Filters(byId('tiles'));
const pad = new Pad(byId('pad'), byId('hint'), () => {
  if (!pad.picture)
    byId('about').textContent = '';
  answer.changed();
});
const answer = new Answer(pad, maps => filters.look(maps));
const curves = { loss: new Curve(byId('loss-chart'), 'loss'), accuracy: new Curve(byId('accuracy-chart'), 'accuracy') };
const mistakes = new Mistakes(({ image, label, picture }) => {
  putOnPad(image, label, picture);
  byId('draw').scrollIntoView({ block: 'nearest' });
});

const editor = new Editor(await (await fetch('networks.json')).json(), {
  check: async network => send('/check', JSON.stringify(network)),
  train: async network => {
    await command('/train', JSON.stringify(network));
    byId('learn').scrollIntoView({ block: 'nearest' });
  },
});
showExports(() => now.network?.name ?? 'network');

// Events.

let state = {}, askedAt = 0, spokenOf = '';
const now = { network: null, points: [], tests: [] }; // this run
let before = null, shownCurve = null;

function showState(told) {
  const weightsChanged = told.steps !== state.steps || told.phase !== state.phase;
  const first = !state.phase;
  state = told;
  const { phase, epoch, epochs, done, speed, why } = told;
  const ended = phase === 'stopped' || phase === 'finished';
  setText('phase', phases[phase]);
  setText('why', why && `Training has stopped: ${why}`);
  speakOf(phase);
  setText('place', phase === 'finished' ? `${epoch} of ${epochs} epochs` : `epoch ${Math.min(epoch + 1, epochs)} of ${epochs}`);
  setText('speed', phase === 'training' ? speed.toLocaleString('en') : '–');
  document.body.dataset.phase = phase;
  byId('done').value = phase === 'testing' || phase === 'finished' ? 1 : done;
  setText('pause', phase === 'paused' ? 'Resume' : 'Pause');
  for (const [id, shown] of [['pause', !ended], ['stop', !ended], ['train-on', ended], ['start-over', ended]])
    showButton(byId(id), shown);
  if (weightsChanged && !pad.empty && !document.hidden && performance.now() - askedAt > askEvery) {
    askedAt = performance.now();
    answer.ask();
  }
  if (first && pad.empty)
    tryTestDigit(); // so that there is something to see
}

/** Tells a screen reader what the user has brought about, and the end; not each epoch and test. */
function speakOf(phase) {
  const spoken = phase === 'testing' || phase === 'teaching' ? spokenOf : phase;
  if (spoken !== spokenOf && spokenOf)
    byId('spoken').textContent = `${phases[phase]}. On test digits: ${byId('tested').textContent}`;
  spokenOf = spoken;
}

/** Shows or hides a button; the focus of one that goes moves on to one that comes. */
function showButton(button, shown) {
  const focused = document.activeElement === button;
  button.hidden = !shown;
  button.disabled = false;
  if (!shown && focused)
    queueMicrotask(() => document.querySelector('header button:not([hidden])').focus());
}

/** Another curve is another run's; what it trains, and what the run before was, are told behind it. */
function showCurve({ curve, points }) {
  if (curve !== shownCurve) {
    shownCurve = curve;
    Object.assign(now, { points: [], tests: [] });
    before = null;
    mistakes.clear();
    for (const id of ['loss', 'accuracy', 'tested'])
      setText(id, '–');
  }
  for (const [, loss, accuracy] of points.slice(-1)) {
    setText('loss', loss.toFixed(3));
    setText('accuracy', percent(accuracy, 1));
  }
  now.points.push(...points);
  showCurves();
}

function showNetwork({ network }) {
  now.network = network;
  editor.running(network);
  showCurves();
}

function showBefore(run) {
  before = run;
  showCurves();
}

function showExam(told) {
  showConfusion(told);
  setText('tested', percent(told.tests.at(-1)[2], 2));
  now.tests = told.tests;
  showCurves();
}

function showCurves() {
  curves.loss.show(now, before);
  curves.accuracy.show(now, before);
  if (now.network)
    showRuns(now, before);
}

const hear = {
  network: showNetwork,
  before: showBefore,
  state: showState,
  curve: showCurve,
  filters: told => filters.set(told),
  exam: showExam,
  mistakes: told => mistakes.set(told),
  loading: ({ what }) => setText('phase', what),
  failure: ({ error }) => setText('phase', `Training has failed: ${error}`),
};

function ended() {
  setText('phase', 'The program has ended');
  setText('place', '');
  setText('speed', '–');
  document.querySelectorAll('header button').forEach(button => { button.disabled = true; });
}

// Commands.

async function command(path, body) {
  try {
    await send(path, body);
  } catch (error) {
    setText('place', error.message);
  }
}

byId('pause').addEventListener('click', () => command(state.phase === 'paused' ? '/resume' : '/pause'));
byId('stop').addEventListener('click', () => command('/stop'));
byId('train-on').addEventListener('click', () => command('/train-on'));
byId('start-over').addEventListener('click', () => command('/start-over'));
byId('clear').addEventListener('click', () => pad.clear());
byId('try').addEventListener('click', tryTestDigit);

function putOnPad(image, label, picture) {
  byId('about').textContent = `On the pad: test digit ${image.toLocaleString('en')}, a ${label}.`;
  pad.put(fromHex(picture));
}

async function tryTestDigit() {
  const { image, label, picture } = await testDigit(Math.floor(Math.random() * state.testDigits));
  putOnPad(image, label, picture);
}

listen(hear, ended);
