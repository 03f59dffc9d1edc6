// Networks over HTTP: what can be picked is there, what is wrong is told by its key, what is trained can be downloaded.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { firstSettings, layers, merges, optimizers } from '../page/settings.js';
import { predicted, tensors } from './files.js';
import { bytesOf, examples, latest, post, request, start, until } from './studio.js';

const networks = JSON.parse(readFileSync(path.join(examples, 'studio/page/networks.json'), 'utf8'));
let studio, address;
before(async () => {
  studio = await start('--images', '960', '--epochs', '1000', '--network', 'lenet');
  address = studio.address;
});
after(async () => {
  assert.equal(await studio.stop(), 0);
  studio.clean();
});

const check = async network => JSON.parse((await post(address, '/check', JSON.stringify(network))).text);
const state = () => latest(address, 'state');
const { tutorial } = networks;
const withLayers = (...list) => ({ ...tutorial, layers: list });
const flatten = { class_name: 'Flatten' };

test('the program begins with the network that it is told', async () => {
  assert.equal((await latest(address, 'network')).network.name, 'LeNet-5');
});

/** The parameters that examples/networks.c tells of a network before it trains it. */
function parametersInC(name) {
  return new Promise((found, failed) => {
    const program = spawn(path.join(examples, 'build/networks'), [name, '1', '64'], { cwd: examples });
    let text = '';
    program.stdout.on('data', piece => {
      text += piece;
      const match = text.match(/^\w+: (\d+) parameters/);
      if (match) {
        program.kill();
        found(+match[1]);
      }
    });
    program.on('exit', () => failed(new Error(`networks ${name}: ${text}`)));
  });
}

for (const name of ['convnet', 'lenet', 'dense', 'resnet', 'mobilenet'])
  test(`${name} is the network of examples/networks.c`, async () => {
    const { parameters, shapes, error } = await check(networks[name]);
    assert.equal(error, undefined);
    assert.equal(shapes.length, networks[name].layers.length);
    assert.equal(parameters, await parametersInC(name));
  });

test('the tutorial is the tutorial', async () => assert.equal((await check(tutorial)).parameters, 4_738_826));

test('the layers and optimizers that the library lists can be picked', async () => { // it lists 40 names at most
  const listed = async network => (await check(network)).error.match(/expected one of (.*), found/)[1].split(', ');
  const missing = (await listed(withLayers({ class_name: 'x' }))).filter(name => name !== 'InputLayer' && !layers[name]);
  assert.deepEqual(missing, []);
  assert.deepEqual(Object.keys(optimizers).sort(), (await listed({ ...tutorial, optimizer: { class_name: 'x' } })).sort());
});

for (const [class_name, fields] of Object.entries(layers))
  test(`${class_name} as it is added`, async () => {
    const layer = { class_name, settings: firstSettings(fields), ...merges.has(class_name) && { with: 0 } };
    const before = class_name.endsWith('1D') ? [{ class_name: 'Reshape', settings: { target_shape: [28, 28] } }]
      : class_name === 'GroupNormalization' ? [{ class_name: 'Conv2D', settings: { filters: 8, kernel_size: 3 } }] : [];
    const { error } = await check(withLayers(...before, layer, flatten));
    assert.equal(error, undefined);
  });

for (const [class_name, fields] of Object.entries(optimizers))
  test(`${class_name} as it is picked, and with each of its settings`, async () => {
    const settings = firstSettings(fields);
    assert.equal((await check({ ...tutorial, optimizer: { class_name, settings } })).error, undefined);
    for (const { key, flag } of fields)
      assert.equal((await check({ ...tutorial, optimizer: { class_name, settings: { ...settings, [key]: flag ? true : 0.01 } } })).error, undefined, key);
  });

test('what is wrong is told, with its key and its layer', async () => {
  const conv = settings => ({ class_name: 'Conv2D', settings: { filters: 8, kernel_size: 3, ...settings } });
  const cases = [
    [withLayers(conv({ filters: 0 }), flatten), 1, /filters/],
    [withLayers(conv(), conv({ strides: 'two' }), flatten), 2, /strides/],
    [withLayers(conv({ kernel_size: 29 }), flatten), 1, /29/],
    [withLayers(conv({ activation: 'rlu' }), flatten), 1, /activation.*rlu/],
    [withLayers({ class_name: 'Conv3D' }, flatten), 1, /Conv3D/],
    [withLayers({ ...conv(), other_settings: 'stride: 2' }, flatten), 1, /stride/],
    [withLayers({ ...conv(), other_settings: 'strides' }, flatten), 1, /JSON5|line/],
    [withLayers({ class_name: 'Add' }, flatten), 1, /Add/],
    [withLayers(conv(), { class_name: 'Add', with: 0 }, flatten), 2, /28/],
    [withLayers(conv(), { class_name: 'Add', with: 3 }, flatten), 2, /with: expected a whole number from 0 to 1, found 3/],
    [withLayers(flatten, { class_name: 'Dense', settings: { units: 1e6 } }), 2, /20 million weights/],
    [withLayers(conv()), 0, /Flatten/],
    [{ ...tutorial, optimizer: { class_name: 'SGD', settings: { learning_rate: -1 } } }, 0, /learning_rate.*-1/],
    [{ ...tutorial, optimizer: { class_name: 'SGD', settings: { momentun: 0.9 } } }, 0, /momentun/],
    [{ ...tutorial, optimizer: { class_name: 'Newton' } }, 0, /Newton/],
    [{ ...tutorial, batch_size: 0 }, 0, /batch_size: expected a whole number from 1 to 1024, found 0/],
    [{ ...tutorial, batch_size: 'many' }, 0, /batch_size: .*"many"/],
    [{ ...tutorial, layers: 'none' }, 0, /layers: expected/],
    [{ ...tutorial, name: 'x'.repeat(61) }, 0, /name: expected/],
    ['nonsense', 0, /expected an object/],
  ];
  for (const [network, layer, message] of cases) {
    const said = await check(network);
    assert.match(said.error ?? 'nothing', message, JSON.stringify(network));
    assert.equal(said.layer, layer, JSON.stringify(network));
    const { status, text } = await post(address, '/train', JSON.stringify(network));
    assert.equal(status, 400);
    assert.equal(JSON.parse(text).error, layer ? `layer ${layer}: ${said.error}` : said.error);
  }
  assert.equal((await post(address, '/check', 'no JSON')).status, 200);
  assert.equal((await latest(address, 'network')).network.name, 'LeNet-5', 'nothing of it is trained');
});

test('another network is trained at once, and the run before can still be seen', async () => {
  await until('there are points and a test', async () => (await latest(address, 'exam')).tests.length > 0);
  const network = { ...networks.dense, optimizer: { class_name: 'SGD', settings: { learning_rate: 0.1 } }, batch_size: 16 };
  assert.equal((await post(address, '/train', JSON.stringify(network))).status, 204);
  await until('it is trained', async () => (await latest(address, 'network')).network.name === 'Dense');
  const before = await latest(address, 'before');
  assert.equal(before.network.name, 'LeNet-5');
  assert.ok(before.points.length > 1 && before.tests.length > 0);
  assert.deepEqual((await latest(address, 'network')).network, network);
  await until('an epoch of 60 steps', async () => (await state()).epoch > 0);
  assert.equal((await latest(address, 'exam')).tests[0][0], 60);
});

test('every kind of network is trained and tested', async () => {
  for (const network of [networks.convnet, networks.resnet, networks.mobilenet]) {
    assert.equal((await post(address, '/train', JSON.stringify(network))).status, 204);
    await until(`${network.name} is tested`, async () =>
      (await latest(address, 'network')).network.name === network.name && (await state()).epoch > 0);
    const { count, height, values } = await latest(address, 'filters');
    assert.equal(values.length, count * height * height);
    const digit = Buffer.from(JSON.parse((await request(address, 'GET', '/digit?image=0')).text).picture, 'hex');
    const { maps } = JSON.parse((await post(address, '/ask', digit)).text);
    assert.equal(maps.values.length, 2 * count * maps.height * maps.width);
    assert.ok(maps.values.includes('ff'), 'the brightest is 255');
  }
});

test('a learning rate that is too large stops the training and says why; the next one is not harmed', async () => {
  const network = { ...networks.dense, optimizer: { class_name: 'SGD', settings: { learning_rate: 1e30 } } };
  assert.equal((await post(address, '/train', JSON.stringify(network))).status, 204);
  await until('it has stopped', async () => (await state()).phase === 'stopped');
  assert.match((await state()).why, /loss|weight|NaN|infinite/);
  assert.equal((await post(address, '/train', JSON.stringify(networks.lenet))).status, 204);
  await until('it trains', async () => (await state()).epoch > 0);
  assert.equal((await state()).why, '');
});

test('what is downloaded says what the model says', async () => {
  await post(address, '/stop');
  await until('it has stopped', async () => (await state()).phase === 'stopped');
  const digit = Buffer.from(JSON.parse((await request(address, 'GET', '/digit?image=3')).text).picture, 'hex');
  const { probabilities } = JSON.parse((await post(address, '/ask', digit)).text);
  for (const format of ['c', 'onnx', 'keras', 'model']) {
    const said = predicted(format, await bytesOf(address, `/export?format=${format}`), digit);
    said.forEach((probability, i) => assert.ok(Math.abs(probability - probabilities[i]) < 1e-4, `${format}: ${said}, expected ${probabilities}`));
  }
  const shapes = tensors(await bytesOf(address, '/export?format=weights'));
  assert.deepEqual(shapes['conv2d/kernel'], [5, 5, 1, 6]);
  assert.equal((await request(address, 'GET', '/export?format=exe')).status, 400);
  assert.equal((await request(address, 'GET', '/export')).status, 400);
});
