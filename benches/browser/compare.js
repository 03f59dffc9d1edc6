// Runs the rounds: asks the page for one measurement after the other.

import { createReadStream } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, isa: { type: 'string' } } });
const here = fileURLToPath(new URL('.', import.meta.url));
const folders = {
  '': here,
  mnist: path.join(here, '../../examples/build/browser'),
  tfjs: path.join(here, 'node_modules/@tensorflow/tfjs/dist'),
  wasm: path.join(here, 'node_modules/@tensorflow/tfjs-backend-wasm/dist'),
};
const types = { html: 'text/html', js: 'text/javascript', wasm: 'application/wasm' };

const server = http.createServer((request, response) => {
  const [, folder, name] = new URL(request.url, 'http://x').pathname.match(/^\/(?:(\w+)\/)?([\w.-]*)$/) ?? [];
  const file = createReadStream(path.join(folders[folder ?? ''] ?? here, name || 'index.html'));
  file.on('open', () => response.setHeader('Content-Type', types[name?.split('.').at(-1) || 'html'] ?? 'application/octet-stream'));
  file.on('error', () => response.writeHead(404).end());
  file.pipe(response);
}).listen(0, '127.0.0.1');
await new Promise(listening => server.on('listening', listening));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
});
const page = await browser.newPage();
page.setDefaultTimeout(600_000);
page.on('pageerror', error => console.error(error.message));
await page.goto(`http://127.0.0.1:${server.address().port}/?${new URLSearchParams(options.isa ? { isa: options.isa } : {})}`);
await page.waitForFunction(() => window.runs, null, { timeout: 600_000 });

const measurements = new Map();
for (const [name, { error }] of Object.entries(await page.evaluate(() => window.runs)))
  measurements.set(name, { error, all: [] });
for (let round = 0; round < +options.rounds; round++)
  for (const [name, { error, all }] of measurements)
    if (!error)
      all.push(await page.evaluate(name => window.run(name), name));

console.log(`${await browser.version()}, ${await page.evaluate(() => window.how)}\n`);
console.log('| milliseconds | libmnist | TensorFlow.js | times |\n|---|---|---|---|');
const median = all => [...all].sort((a, b) => a - b)[all.length >> 1];
const text = ({ error, all }) => error ?? `${median(all).toPrecision(3)} (${Math.min(...all).toPrecision(3)} to ${Math.max(...all).toPrecision(3)})`;
for (const [name, own] of measurements) {
  const [who, what] = name.split(': ');
  if (who !== 'libmnist')
    continue;
  for (const [name, peer] of measurements)
    if (name !== `libmnist: ${what}` && name.endsWith(`: ${what}`)) {
      const times = peer.error ? '' : (median(peer.all) / median(own.all)).toPrecision(3);
      console.log(`| ${what}, ${name.split(': ')[0]} | ${text(own)} | ${text(peer)} | ${times} |`);
    }
}
await browser.close();
server.close();
