// The page: news from the program to the parts, and wishes of the user to the program.

import { Answer } from './answer.js';
import { Curve } from './curves.js';
import { Mistakes, showConfusion } from './exam.js';
import { Filters } from './filters.js';
import { Pad } from './pad.js';
import { fromHex, percent } from './pixels.js';
import { listen, send, testDigit } from './program.js';

const byId = id => document.getElementById(id);
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
const answer = new Answer(pad, picture => filters.look(picture));
const curves = { loss: new Curve(byId('loss-chart'), 'loss'), accuracy: new Curve(byId('accuracy-chart'), 'accuracy') };
const mistakes = new Mistakes(({ image, label, picture }) => {
  putOnPad(image, label, picture);
  byId('draw').scrollIntoView({ block: 'nearest' });
});

// News.

let state = {}, askedAt = 0, spokenOf = '';

function showState(news) {
  const weightsChanged = news.steps !== state.steps || news.phase !== state.phase;
  const first = !state.phase;
  state = news;
  const { phase, epoch, epochs, done, speed } = news;
  const ended = phase === 'stopped' || phase === 'finished';
  setText('phase', phases[phase]);
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

function setText(id, text) {
  if (byId(id).textContent !== text)
    byId(id).textContent = text;
}

/** Shows or hides a button; the focus of one that goes moves on to one that comes. */
function showButton(button, shown) {
  const focused = document.activeElement === button;
  button.hidden = !shown;
  button.disabled = false;
  if (!shown && focused)
    queueMicrotask(() => document.querySelector('header button:not([hidden])').focus());
}

function showCurve({ from, points }) {
  if (from === 0) {
    curves.loss.clear();
    curves.accuracy.clear();
    mistakes.clear();
    for (const id of ['loss', 'accuracy', 'tested'])
      setText(id, '–');
  }
  for (const [step, loss, accuracy] of points) {
    curves.loss.points.push([step, loss]);
    curves.accuracy.points.push([step, accuracy]);
    setText('loss', loss.toFixed(3));
    setText('accuracy', percent(accuracy, 1));
  }
  curves.loss.redraw();
  curves.accuracy.redraw();
}

function showExam(news) {
  showConfusion(news);
  setText('tested', percent(news.tests.at(-1)[2], 2));
  curves.loss.tests = news.tests.map(([step, loss]) => [step, loss]);
  curves.accuracy.tests = news.tests.map(([step, , accuracy]) => [step, accuracy]);
  curves.loss.redraw();
  curves.accuracy.redraw();
}

const hear = {
  state: showState,
  curve: showCurve,
  filters: news => filters.set(news),
  exam: showExam,
  mistakes: news => mistakes.set(news),
  loading: ({ what }) => setText('phase', what),
  failure: ({ error }) => setText('phase', `Training has failed: ${error}`),
};

function ended() {
  setText('phase', 'The program has ended');
  setText('place', '');
  setText('speed', '–');
  document.querySelectorAll('header button').forEach(button => { button.disabled = true; });
}

// Wishes.

async function wish(path) {
  try {
    await send(path);
  } catch (error) {
    setText('place', error.message);
  }
}

byId('pause').addEventListener('click', () => wish(state.phase === 'paused' ? '/resume' : '/pause'));
byId('stop').addEventListener('click', () => wish('/stop'));
byId('train-on').addEventListener('click', () => wish('/train-on'));
byId('start-over').addEventListener('click', () => wish('/start-over'));
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
