// What the tests share: the program, started on a free port, and a browser that looks at it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const examples = fileURLToPath(new URL('../..', import.meta.url));
export const program = path.join(examples, 'build/studio');
export const patience = 120_000; // ms; a machine may be busy

/** Starts the program; `stop()` ends it as Ctrl-C does and gives its exit code. */
export async function start(...options) {
  const folder = mkdtempSync(path.join(tmpdir(), 'studio-'));
  const weights = path.join(folder, 'studio.safetensors');
  const child = spawn(program, ['--port', '0', '--test-images', '1000', '--weights', weights, ...options], { cwd: examples });
  let output = '';
  const ended = once(child, 'exit');
  const address = await new Promise((found, failed) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', text => {
        output += text;
        const match = output.match(/http:\/\/127\.0\.0\.1:\d+/);
        if (match)
          found(match[0]);
      });
    ended.then(([code]) => failed(new Error(`the program ended with ${code}: ${output}`)));
  });
  return {
    address,
    weights,
    output: () => output,
    async stop(signal = 'SIGINT') {
      child.kill(signal);
      const [code] = await ended;
      return code;
    },
    clean() { rmSync(folder, { recursive: true }); },
  };
}

/** A request as any program could send it: { status, headers, text }. */
export function request(address, method, target, { headers = {}, body = '' } = {}) {
  return new Promise((found, failed) => {
    const url = new URL(address);
    const sent = http.request({ host: url.hostname, port: url.port, method, path: target, headers, agent: false },
      response => {
        let text = '';
        response.on('data', piece => { text += piece; });
        response.on('end', () => found({ status: response.statusCode, headers: response.headers, text }));
      });
    sent.on('error', failed);
    sent.end(body);
  });
}

/** A post as the page sends it. */
export const post = (address, target, body = '') =>
  request(address, 'POST', target, { headers: { Origin: address, 'Content-Length': body.length }, body });

/** What a GET gives, as bytes. */
export async function bytesOf(address, target) {
  const response = await fetch(`${address}${target}`);
  assert.equal(response.status, 200, target);
  return Buffer.from(await response.arrayBuffer());
}

/** The latest event of one kind. */
export function latest(address, kind) {
  return new Promise((found, failed) => {
    const sent = http.get(`${address}/events`, response => {
      let text = '';
      response.on('data', piece => {
        text += piece;
        const match = text.match(new RegExp(`event: ${kind}\ndata: (.*)\n\n`));
        if (match) {
          sent.destroy();
          found(JSON.parse(match[1]));
        }
      });
      response.on('error', () => {}); // the end that we made
      response.on('end', () => failed(new Error(`${response.statusCode} without a ${kind}: ${text}`)));
    });
    sent.on('error', failed);
  });
}

export async function until(what, holds) {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise(wake => setTimeout(wake, 100))) {
    const value = await holds();
    if (value)
      return value;
  }
  assert.fail(`it did not come to this: ${what}`);
}

export const browse = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** The page in a window of its own; `complaints` gathers errors on the console, and requests that leave the program. */
export async function open(browser, address, options = {}, query = '') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', message => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(error.message));
  context.on('request', made => made.url().startsWith(`${address}/`) || complaints.push(`asks for ${made.url()}`));
  await page.goto(`${address}${query}`);
  await page.waitForSelector('body[data-phase]');
  return { context, page, complaints };
}

/** Draws a seven with the mouse. */
export async function drawSeven(page) {
  const box = await page.locator('#pad').boundingBox();
  const to = (x, y) => page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 8 });
  await to(0.3, 0.25);
  await page.mouse.down();
  await to(0.7, 0.25);
  await to(0.45, 0.8);
  await page.mouse.up();
}

/** Touches the pad with the mouse and no more. */
export async function drawDot(page) {
  const box = await page.locator('#pad').boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
}

/** What the ten bars say, in percent. */
/** The field called so among those of the open layer, or elsewhere. */
export const field = (page, name, among = 'details[open] .fields') =>
  page.locator(`${among} label`).filter({ has: page.locator(`span:text-is("${name}")`) }).locator('input, select');

export const bars = page => page.$$eval('#bars .text', all => all.map(one => parseFloat(one.textContent)));
