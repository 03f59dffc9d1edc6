// The program over HTTP: who may call, and what comes of requests that make no sense.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { examples, latest, post, program, request, start, until } from './studio.js';

let studio, address, port;
before(async () => {
  studio = await start('--images', '320', '--epochs', '1000');
  address = studio.address;
  port = new URL(address).port;
});
after(async () => {
  assert.equal(await studio.stop(), 0);
  studio.clean();
});

const picture = Buffer.alloc(784, 9), paper = Buffer.alloc(140 * 140);
const alive = async () => assert.equal((await post(address, '/ask', picture)).status, 200);

test('a page of another site is refused', async () => {
  const own = { Origin: address, 'Content-Length': 0 };
  const cases = [
    ['GET', '/', { Host: 'evil.example' }],
    ['GET', '/events', { Host: `evil.example:${port}` }],
    ['GET', '/', { Host: '127.0.0.1' }],
    ['POST', '/pause', { 'Content-Length': 0 }],
    ['POST', '/pause', { ...own, Origin: 'http://evil.example' }],
    ['POST', '/pause', { ...own, Origin: 'null' }],
    ['POST', '/pause', { ...own, Origin: `http://localhost:${port}` }],
    ['POST', '/pause', { ...own, 'Sec-Fetch-Site': 'cross-site' }],
    ['GET', '/events', { 'Sec-Fetch-Site': 'cross-site' }],
    ['GET', '/digit?image=1', { 'Sec-Fetch-Site': 'same-site' }],
    ['GET', '/digit?image=1', { Origin: 'http://evil.example' }],
  ];
  for (const [method, target, headers] of cases) {
    const { status, text } = await request(address, method, target, { headers });
    assert.equal(status, 403, `${method} ${target} ${JSON.stringify(headers)}`);
    assert.match(JSON.parse(text).error, /^header (Host|Origin|Sec-Fetch-Site): expected .*, found ".*"$/);
  }
  assert.equal((await latest(address, 'state')).phase === 'paused', false);
  assert.equal((await request(address, 'GET', '/', { headers: { Host: `localhost:${port}` } })).status, 200);
  assert.equal((await request(address, 'GET', '/', { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status, 200);
});

test('other addresses of this machine do not answer', async () => {
  for (const host of ['127.0.0.2', '::1']) {
    const socket = net.connect({ host, port });
    const came = await new Promise(end => {
      socket.on('connect', () => end('connected'));
      socket.on('error', () => end('refused'));
    });
    socket.destroy();
    assert.equal(came, 'refused', host);
  }
});

test('bodies and numbers that make no sense are 400, too much is 413', async () => {
  for (const body of [Buffer.alloc(0), Buffer.alloc(783), Buffer.alloc(785), Buffer.alloc(19599), Buffer.from('{}')]) {
    const { status, text } = await post(address, '/ask', body);
    assert.equal(status, 400, `${body.length} bytes`);
    assert.equal(JSON.parse(text).error, `body: expected 784 or 19600 bytes, found ${body.length}`);
  }
  for (const query of ['', '?label=', '?label=10', '?label=-1', '?label=1e1', '?label=99999999999999999999', '?label=1&label=2']) {
    const { status, text } = await post(address, `/teach${query}`, picture);
    assert.equal(status, 400, query);
    assert.match(JSON.parse(text).error, /^label: expected a number below 10/);
  }
  assert.equal((await post(address, '/teach?label=1', paper)).status, 400);
  assert.equal((await request(address, 'GET', '/digit?image=1000')).status, 400);
  assert.equal((await post(address, '/ask', Buffer.alloc(19601))).status, 413);
  const chunked = { Origin: address, 'Transfer-Encoding': 'chunked' };
  assert.equal((await request(address, 'POST', '/ask', { headers: chunked, body: Buffer.alloc(100000) })).status, 413);
  const form = { Origin: address, 'Content-Type': 'multipart/form-data; boundary=x' };
  assert.equal((await request(address, 'POST', '/ask', { headers: form, body: '--x\r\nnonsense' })).status, 400);
  await alive();
});

test('paths that are not there are 404', async () => {
  for (const target of ['/nothing', '/../../etc/passwd', '/%2e%2e/main.cpp', '/studio.js.inc'])
    assert.equal((await request(address, 'GET', target)).status, 404, target);
});

test('what is no HTTP is answered or dropped, and harms nobody', async () => {
  const pieces = ['\0\0\0\0', 'GET\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    `GET /${'a'.repeat(20000)} HTTP/1.1\r\n\r\n`, `GET / HTTP/1.1\r\nX: ${'a'.repeat(100000)}\r\n\r\n`,
    `POST /ask HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${address}\r\nContent-Length: -5\r\n\r\n`,
    `POST /ask HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${address}\r\nContent-Length: 99999999999999999999\r\n\r\n`,
    `POST /ask HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${address}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`];
  for (const piece of pieces) {
    const reply = await new Promise(end => {
      let text = '';
      const socket = net.connect({ host: '127.0.0.1', port }, () => socket.end(piece));
      socket.on('data', data => { text += data; });
      for (const event of ['close', 'error'])
        socket.on(event, () => end(text));
    });
    assert.doesNotMatch(reply, /^HTTP\/1.1 2/, piece.slice(0, 60));
  }
  await alive();
});

test('the page says what it may do', async () => {
  const { status, headers, text } = await request(address, 'GET', '/');
  assert.equal(status, 200);
  assert.match(headers['content-security-policy'], /default-src 'none'/);
  assert.match(headers['content-security-policy'], /frame-ancestors 'none'/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(text, /<html lang="en">/);
});

test('paper without ink has no answer; a picture has ten probabilities', async () => {
  assert.equal((await post(address, '/ask', paper)).text, 'null');
  const digit = JSON.parse((await request(address, 'GET', '/digit?image=0')).text);
  assert.equal(digit.label, 7); // the first of MNIST's test digits
  const reply = JSON.parse((await post(address, '/ask', Buffer.from(digit.picture, 'hex'))).text);
  assert.equal(reply.picture, digit.picture);
  assert.equal(reply.probabilities.length, 10);
  assert.deepEqual([reply.maps.height, reply.maps.width, reply.maps.values.length], [26, 26, 2 * 32 * 26 * 26]);
  assert.ok(Math.abs(reply.probabilities.reduce((a, b) => a + b) - 1) < 0.001);
});

test('commands that make no sense now are 409', async () => {
  assert.equal((await post(address, '/resume')).status, 409);
  assert.equal((await post(address, '/train-on')).status, 409);
  assert.equal((await post(address, '/pause')).status, 204);
  assert.equal((await post(address, '/pause')).status, 409);
  assert.equal((await post(address, '/resume')).status, 204);
});

test('more pages than it has threads for are told so', async () => {
  const sockets = [];
  const statuses = await Promise.all(Array.from({ length: 14 }, () => new Promise(found => {
    const socket = net.connect({ host: '127.0.0.1', port }, () =>
      socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
    socket.once('data', data => found(+String(data).slice(9, 12)));
    sockets.push(socket);
  })));
  assert.deepEqual(statuses.sort(), [...Array(12).fill(200), 503, 503]);
  await alive();
  sockets.forEach(socket => socket.destroy());
  for (let i = 0; i < 20; i++) // which ask for the head alone, and must not hold one
    await request(address, 'HEAD', '/events');
  await until('the threads are free again', async () => (await request(address, 'HEAD', '/')).status === 200
    && (await latest(address, 'state').catch(() => null)));
});

test('Ctrl-C in the midst of training ends it in order and saves the weights', async () => {
  const one = await start('--images', '60000', '--epochs', '5');
  await until('it trains', async () => (await latest(one.address, 'state')).steps > 3);
  const listening = new Promise(end => net.connect(new URL(one.address).port, '127.0.0.1', function () {
    this.write(`GET /events HTTP/1.1\r\nHost: ${new URL(one.address).host}\r\n\r\n`);
    this.on('close', end);
    this.resume();
  }));
  assert.equal(await one.stop(), 0);
  await listening;
  assert.match(one.output(), /weights saved/);
  const file = readFileSync(one.weights);
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))));
  assert.deepEqual(header['conv2d/kernel'].shape, [3, 3, 1, 32]);
  one.clean();
});

test('weights that cannot be saved are said so, at the end', async () => {
  const one = await start('--images', '320', '--epochs', '1', '--weights', '/no/such/folder/w.safetensors');
  await until('it has failed', async () => (await latest(one.address, 'failure')).error.includes('/no/such/folder'));
  assert.equal(await one.stop(), 1);
  assert.match(one.output(), /studio: .*\/no\/such\/folder/);
  one.clean();
});

test('arguments that make no sense are said so', () => {
  const cases = [[['--port', '70000'], 2, /--port: expected a number from 0 to 65535, found "70000"/],
    [['--epochs', 'x'], 2, /--epochs: expected/], [['--images'], 2, /--images: expected a value/], [['--what', '1'], 2, /unknown option --what/],
    [['--network', 'alexnet'], 2, /--network: expected tutorial, .* found "alexnet"/], [['--data', 'missing.npz'], 1, /missing\.npz/]];
  for (const [given, code, message] of cases) {
    const { status, stderr } = spawnSync(program, given, { encoding: 'utf8' });
    assert.equal(status, code, given.join(' '));
    assert.match(stderr, message);
  }
  const { status, stderr } = spawnSync(program, ['--port', port], { encoding: 'utf8', cwd: examples });
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`port ${port} is taken`));
});
