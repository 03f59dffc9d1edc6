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
import { bars, browse, drawSeven, examples, open, until } from './studio.js';

const folder = path.join(examples, 'build/browser');
const images = 2000, tests = 500;
const modules = ['mnist.wasm', 'mnist-relaxed.wasm'];
const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');
let expected, server, address, browser;

/** The hash of the weights after an epoch, by the native library. */
function native() {
  const made = mkdtempSync(path.join(tmpdir(), 'reference-'));
  const weights = path.join(made, 'weights');
  execFileSync(path.join(examples, 'build/reference'), [path.join(examples, 'data/mnist.npz'), images, 0, weights]);
  const hash = sha256(readFileSync(weights));
  rmSync(made, { recursive: true });
  return hash;
}

/** Serves the folder as any server of files does, and nothing else. */
function serve() {
  const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', wasm: 'application/wasm' };
  return http.createServer((request, response) => {
    const name = new URL(request.url, 'http://x').pathname.slice(1) || 'index.html';
    const file = createReadStream(path.join(folder, path.basename(name)));
    file.on('open', () => response.setHeader('Content-Type', types[name.split('.').at(-1)] ?? 'application/octet-stream'));
    file.on('error', () => response.writeHead(404).end());
    file.pipe(response);
  });
}

before(async () => {
  expected = native();
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
    const packed = gzipSync(readFileSync(path.join(folder, file)), { level: 9 }).length;
    assert.ok(packed < 1.5e6, `${file}: ${packed} bytes`);
  }
});

/** An epoch under node by the page's own code; the hash of the weights. */
async function trained(file, isa) {
  const library = await Library.of(await WebAssembly.compile(readFileSync(path.join(folder, file))), isa && { MNIST_ISA: isa });
  const { buffer } = new Uint8Array(readFileSync(path.join(folder, 'mnist.npz')));
  const digits = async (set, count) => ({
    pictures: (await array(buffer, `x_${set}`)).values.subarray(0, count * pixels),
    labels: (await array(buffer, `y_${set}`)).values.subarray(0, count),
  });
  const told = {};
  const trainer = new Trainer(library, { train: await digits('train', images), test: await digits('test', tests) },
    { epochs: 1, seed: 0 }, (name, news) => { told[name] = news; }, () => new Promise(setImmediate));
  await trainer.work(() => trainer.over);
  assert.equal(told.exam.confusion.flat().reduce((a, b) => a + b), tests);
  assert.ok(told.exam.tests[0][2] > 0.8, `accuracy ${told.exam.tests[0][2]}`);
  return sha256(new Uint8Array(trainer.network.weights().buffer));
}

for (const [file, isa] of [[modules[0]], [modules[1]], [modules[1], 'portable']])
  test(`${file}${isa ? `, ${isa}` : ''} under node comes to the native library's weights`, async () => {
    assert.equal(await trained(file, isa), expected);
  });

test('the page trains an epoch, answers meanwhile, and comes to the same weights', async () => {
  const { context, page, complaints } = await open(browser, address, {}, `/?images=${images}&epochs=1&test-images=${tests}`);
  await until('it trains', () => page.evaluate(() => document.body.dataset.phase === 'training'));
  await drawSeven(page);
  await page.waitForFunction(() => document.querySelector('.most'));
  assert.equal(await page.evaluate(() => document.body.dataset.phase), 'training', 'it has answered while it learned');
  assert.ok(Math.abs((await bars(page)).reduce((a, b) => a + b) - 100) <= 5);
  await until('it has finished', () => page.evaluate(() => document.body.dataset.phase === 'finished'));
  const hash = await page.evaluate(async () => {
    const { send } = await import('./program.js');
    const digest = await crypto.subtle.digest('SHA-256', await send('/weights'));
    return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
  });
  assert.equal(hash, expected);
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

test('when a file is missing the page says so', async () => {
  const { context, page } = await open(browser, address, {}, '/?images=64&test-images=10&epochs=1');
  await page.route('**/mnist.npz', route => route.fulfill({ status: 404 }));
  await page.reload();
  await page.waitForFunction(() => /mnist\.npz: 404/.test(document.getElementById('phase').textContent));
  await context.close();
});
