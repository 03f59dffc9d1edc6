// The studio without a server: the same weights as the native library's, under node and in a real browser, and the page as a
// user sees it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Library } from '../browser/mnist.js';
import { pixels } from '../browser/network.js';
import { array } from '../browser/npz.js';
import { Trainer } from '../browser/trainer.js';
import { predicted, tensors } from './files.js';
import { bars, browse, drawDot, drawSeven, examples, field, open, until } from './studio.js';

const folder = path.join(examples, 'build/browser');
const images = 2000, tests = 500;
const few = 320; // where the exact sums take their time
const modules = ['mnist.wasm', 'mnist-relaxed.wasm'];
const networks = JSON.parse(readFileSync(path.join(examples, 'studio/page/networks.json'), 'utf8'));
const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');
let server, address, browser;

/** The hash of the weights after an epoch of so many images, by the native library. */
function native(images) {
  const made = mkdtempSync(path.join(tmpdir(), 'reference-'));
  const weights = path.join(made, 'weights');
  execFileSync(path.join(examples, 'build/native'), [path.join(examples, 'data/mnist.npz'), images, 0, weights]);
  const hash = sha256(readFileSync(weights));
  rmSync(made, { recursive: true });
  return hash;
}

/** Serves the folder as any server of files does, and nothing else. */
function serve() {
  const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', json: 'application/json', wasm: 'application/wasm' };
  return http.createServer((request, response) => {
    const name = new URL(request.url, 'http://x').pathname.slice(1) || 'index.html';
    const file = createReadStream(path.join(folder, path.basename(name)));
    file.on('open', () => response.setHeader('Content-Type', types[name.split('.').at(-1)] ?? 'application/octet-stream'));
    file.on('error', () => response.writeHead(404).end());
    file.pipe(response);
  });
}

before(async () => {
  server = serve().listen(0, '127.0.0.1');
  await new Promise(listening => server.on('listening', listening));
  address = `http://127.0.0.1:${server.address().port}`;
  browser = await browse();
});
after(async () => {
  await browser?.close();
  server.close();
});

test('the library, packed, is smaller than 1.5 MB', () => {
  for (const file of modules) {
    const packed = gzipSync(bytesOf(file), { level: 9 }).length;
    assert.ok(packed < 1.5e6, `${file}: ${packed} bytes`);
  }
});

const bytesOf = file => readFileSync(path.join(folder, file));

/** An epoch under node by the page's own code; the hash of the weights. */
async function trained(file, images, isa) {
  const library = await Library.of(await WebAssembly.compile(bytesOf(file)), isa && { MNIST_ISA: isa });
  const { buffer } = new Uint8Array(readFileSync(path.join(folder, 'mnist.npz')));
  const digits = async (set, count) => ({
    pictures: (await array(buffer, `x_${set}`)).values.subarray(0, count * pixels),
    labels: (await array(buffer, `y_${set}`)).values.subarray(0, count),
  });
  const told = {};
  const trainer = new Trainer(library, { train: await digits('train', images), test: await digits('test', tests) }, networks.tutorial,
    { epochs: 1, seed: 0 }, (name, event) => { told[name] = event; }, () => new Promise(setImmediate));
  await trainer.work(() => trainer.over);
  assert.equal(told.exam.confusion.flat().reduce((a, b) => a + b), tests);
  return sha256(new Uint8Array(trainer.network.weights().buffer));
}

for (const file of modules)
  test(`${file} under node comes to the native library's weights`, async context => {
    if (!WebAssembly.validate(bytesOf(file)))
      return context.skip('SKIPPED: this node has no relaxed SIMD');
    assert.equal(await trained(file, few), native(few));
  });

test('rounded twice, the weights are others, for who asks for that', async () => {
  assert.notEqual(await trained(modules[0], few, 'rounded-twice'), native(few));
});

/** The hash of the page's weights. */
const hashOf = page => page.evaluate(async () => {
  const { send } = await import('./program.js');
  const digest = await crypto.subtle.digest('SHA-256', await send('/weights'));
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
});

test('with relaxed SIMD put aside the page comes to the same weights', async () => {
  const { context, page, complaints } = await open(browser, address, {}, `/?images=${few}&epochs=1&test-images=10&isa=portable`);
  await until('it has finished', () => page.evaluate(() => document.body.dataset.phase === 'finished'));
  assert.equal(await hashOf(page), native(few));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the page trains an epoch, answers meanwhile, and comes to the same weights', async () => {
  const { context, page, complaints } = await open(browser, address, {}, `/?images=${images}&epochs=1&test-images=${tests}`);
  await until('it trains', () => page.evaluate(() => document.body.dataset.phase === 'training'));
  await drawSeven(page);
  await page.waitForFunction(() => document.querySelector('.most'));
  assert.equal(await page.evaluate(() => document.body.dataset.phase), 'training', 'it has answered while it learned');
  assert.ok(Math.abs((await bars(page)).reduce((a, b) => a + b) - 100) <= 5);
  await until('it has finished', () => page.evaluate(() => document.body.dataset.phase === 'finished'));
  assert.equal(await hashOf(page), native(images));
  const counts = await page.$$eval('#matrix td', cells => cells.map(cell => +cell.textContent));
  assert.equal(counts.reduce((a, b) => a + b), tests);
  assert.match(await page.textContent('#tested'), /^\d\d\.\d\d %$/);
  if (process.env.STUDIO_PICTURES)
    await page.screenshot({ path: path.join(process.env.STUDIO_PICTURES, 'browser.png'), fullPage: true });

  // What the user can do once it has ended.
  const says = +(await page.textContent('#says')).match(/\d/)[0], label = (says + 1) % 10;
  await page.locator('#labels button').nth(label).click();
  await page.waitForFunction(label => document.getElementById('taught').textContent.startsWith(`Now it knows: a ${label}`), label);
  await page.click('#train-on');
  await page.click('#pause');
  await page.waitForFunction(() => document.body.dataset.phase === 'paused');
  await page.click('#stop');
  await page.waitForFunction(() => document.body.dataset.phase === 'stopped');
  await page.click('#start-over');
  await page.waitForFunction(() => document.body.dataset.phase === 'training');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('other networks are checked, trained beside the run before, and downloaded', async () => {
  const { context, page, complaints } = await open(browser, address, {}, `/?network=lenet&images=${few}&epochs=2&test-images=100`);
  await page.waitForFunction(() => document.body.dataset.phase === 'finished');
  await drawDot(page);
  await page.waitForFunction(() => document.getElementById('says').textContent === 'Too little ink');
  assert.equal(await page.locator('#tiles > div').count(), 6);

  const parameters = [];
  for (const name of Object.keys(networks)) {
    await page.selectOption('#preset', name);
    await page.waitForFunction(() => /^[\d,]+ parameters$/.test(document.getElementById('parameters').textContent)
      && document.querySelector('#layers li:last-child .shape').textContent !== '');
    parameters.push(+(await page.textContent('#parameters')).replace(/\D/g, ''));
  }
  assert.equal(parameters[0], 4_738_826);
  assert.equal(new Set(parameters).size, 6);

  await page.selectOption('#preset', 'convnet');
  await page.locator('#layers summary').first().click();
  const filters = field(page, 'filters');
  await filters.fill('0');
  await page.waitForFunction(() => /^Layer 1, Conv2D: .*filters/.test(document.getElementById('network-error').textContent));
  await filters.fill('4');
  const optimizer = name => field(page, name, '#optimizer');
  await optimizer('batch_size').fill('0');
  await page.waitForFunction(() => /batch_size/.test(document.getElementById('network-error').textContent));
  await optimizer('batch_size').fill('8');
  await optimizer('learning_rate').fill('-1');
  await page.waitForFunction(() => /learning_rate/.test(document.getElementById('network-error').textContent));
  await optimizer('class').selectOption('Nadam');
  await page.waitForFunction(() => document.getElementById('network-error').textContent === '');
  await page.click('#train');
  await page.waitForFunction(() => document.querySelectorAll('#runs tbody tr').length === 2);
  await page.waitForFunction(() => document.body.dataset.phase === 'finished');
  assert.deepEqual(await page.$$eval('#runs td span', all => all.map(({ textContent }) => textContent)),
    ['Nadam · learning_rate 0.001 · batches of 8', 'SGD · learning_rate 0.05 · momentum 0.9 · nesterov · batches of 64']);
  assert.equal(await page.locator('#tiles > div').count(), 4);

  const { digit, probabilities } = await page.evaluate(async () => {
    const { send, testDigit } = await import('./program.js');
    const { picture } = await testDigit(3);
    const digit = picture.match(/../g).map(byte => parseInt(byte, 16));
    return { digit, probabilities: (await send('/ask', Uint8Array.from(digit))).probabilities };
  });
  const download = async format => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: new RegExp(`\\.${format}$`) }).click()]);
    assert.equal(file.suggestedFilename(), `convnet_changed.${format}`);
    return readFileSync(await file.path());
  };
  for (const format of ['c', 'onnx', 'keras', 'mnist'])
    predicted(format, await download(format), Uint8Array.from(digit)).forEach((said, i) =>
      assert.ok(Math.abs(said - probabilities[i]) < 1e-4, format));
  assert.deepEqual(tensors(await download('safetensors'))['conv2d/kernel'], [3, 3, 1, 4]);

  await optimizer('learning_rate').fill('1e30');
  await page.click('#train');
  await page.waitForFunction(() => /^Training has stopped: ./.test(document.getElementById('why').textContent));
  assert.equal(await page.evaluate(() => document.body.dataset.phase), 'stopped');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('when a file is missing the page says so', async () => {
  const { context, page } = await open(browser, address, {}, '/?images=64&test-images=10&epochs=1');
  await page.route('**/mnist.npz', route => route.fulfill({ status: 404 }));
  await page.reload();
  await page.waitForFunction(() => /mnist\.npz: 404/.test(document.getElementById('phase').textContent));
  await context.close();
});
