// The page in a real browser: what a user sees and does.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { predicted, tensors } from './files.js';
import { bars, browse, drawDot, drawSeven, field, latest, open, patience, post, request, start, until } from './studio.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let studio, address, browser;
before(async () => {
  studio = await start('--images', '3200', '--epochs', '500');
  address = studio.address;
  browser = await browse();
});
beforeEach(() => post(address, '/resume')); // should a test have ended in a pause
after(async () => {
  await browser.close();
  assert.equal(await studio.stop(), 0);
  studio.clean();
});

const steps = async () => (await latest(address, 'state')).steps;
const text = (page, id) => page.locator(`#${id}`).textContent();
const phaseIs = (page, phase) => page.waitForFunction(wanted => document.body.dataset.phase === wanted, phase);
const parameters = (page, wanted) =>
  page.waitForFunction(wanted => document.getElementById('parameters').textContent === `${wanted} parameters`, wanted);
const photograph = (page, name) => process.env.STUDIO_PICTURES
  && page.screenshot({ path: path.join(process.env.STUDIO_PICTURES, `${name}.png`), fullPage: true });

/** Violations that axe calls serious or worse. */
async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => `${node.target} ${node.failureSummary}`).join('; ')}`);
}

test('it learns while one looks on: curves grow, filters change, a digit has an answer', async () => {
  const { context, page, complaints } = await open(browser, address);
  await drawSeven(page);
  await page.waitForFunction(() => document.querySelector('.most'));
  const shares = await bars(page);
  assert.equal(shares.length, 10);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 100) <= 5, `rounded percentages: ${shares}`);

  const filter = () => page.locator('#tiles canvas').first().evaluate(canvas => canvas.toDataURL());
  await page.waitForSelector('#tiles canvas');
  assert.equal(await page.locator('#tiles > div').count(), 32);
  const filterBefore = await filter();
  const curve = () => page.locator('#loss-chart .mean').getAttribute('d');
  await page.waitForFunction(() => document.querySelector('#loss-chart .mean')?.getAttribute('d').length > 20);
  const curveBefore = await curve();
  await until('the curve has grown', async () => (await curve()).length > curveBefore.length);
  assert.notEqual(await filter(), filterBefore);
  await page.waitForFunction(() => +document.getElementById('speed').textContent.replace(',', '') > 0);

  // After an epoch: the matrix counts every test digit, the worst mistakes come surest first.
  await page.waitForSelector('#matrix td.right');
  const counts = await page.$$eval('#matrix td', cells => cells.map(cell => +cell.textContent));
  assert.equal(counts.reduce((a, b) => a + b), 1000);
  await page.waitForSelector('#worst button');
  const sure = await page.$$eval('#worst small', all => all.map(one => parseFloat(one.textContent)));
  assert.deepEqual(sure, [...sure].sort((a, b) => b - a));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('pause, resume; while it is paused a digit has an answer and can be taught', async () => {
  const { context, page, complaints } = await open(browser, address);
  await page.click('#pause');
  await phaseIs(page, 'paused');
  const paused = await steps();
  await page.click('#clear');
  await page.evaluate(() => { document.getElementById('spoken').textContent = ''; });
  await drawSeven(page);
  await page.waitForFunction(() => /^It says/.test(document.getElementById('spoken').textContent)); // the pen has come to rest
  assert.equal(await text(page, 'pause'), 'Resume');

  const says = +(await text(page, 'says')).match(/\d/)[0];
  const label = (says + 1) % 10; // wrong on purpose
  await page.locator('#labels button').nth(label).click();
  await page.waitForFunction(() => /^Now it knows/.test(document.getElementById('taught').textContent));
  assert.match(await text(page, 'taught'), new RegExp(`^Now it knows: a ${label}, .* it said ${says} `));
  await page.waitForFunction(wanted => document.getElementById('says').textContent === wanted, `It says ${label}`);
  assert.equal(await steps(), paused, 'no step of training while it is paused');
  await phaseIs(page, 'paused');

  await page.click('#pause');
  await phaseIs(page, 'training');
  await until('it goes on', async () => (await steps()) > paused);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a digit can be taught while it trains, and the epoch goes on where it was', async () => {
  const { context, page, complaints } = await open(browser, address);
  await until('it is well inside an epoch', async () => {
    const { phase, done } = await latest(address, 'state');
    return phase === 'training' && done > 0.05 && done < 0.6;
  });
  const before = await latest(address, 'state');
  await page.waitForFunction(() => document.querySelector('.most'));
  await page.locator('#labels button').nth(3).click();
  await page.waitForFunction(() => /^Now it knows: a 3/.test(document.getElementById('taught').textContent));
  const now = await latest(address, 'state');
  assert.ok(now.epoch + now.done > before.epoch + before.done, `${before.epoch + before.done}, then ${now.epoch + now.done}`);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a dot is too little ink, and cannot be taught', async () => {
  const { context, page, complaints } = await open(browser, address);
  await page.waitForFunction(() => document.querySelector('.most'));
  await drawDot(page);
  await page.waitForFunction(() => document.getElementById('says').textContent === 'Too little ink');
  assert.deepEqual(await bars(page), Array(10).fill(NaN));
  assert.equal(await page.locator('#labels button:enabled').count(), 0);
  await page.waitForFunction(() => document.getElementById('spoken').textContent === 'Too little ink');
  await drawSeven(page);
  await page.waitForFunction(() => /^It says \d$/.test(document.getElementById('says').textContent));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('axes, lines and the matrix are named', async () => {
  const { context, page } = await open(browser, address);
  await page.waitForSelector('#matrix td.right');
  const ticks = id => page.$$eval(`#${id} text`, all => all.map(({ textContent }) => textContent));
  for (const id of ['loss-chart', 'accuracy-chart'])
    assert.equal((await ticks(id)).at(-1), 'steps');
  const accuracy = await ticks('accuracy-chart');
  for (const tick of ['0 %', '90 %', '99 %', '99.9 %', '100 %'])
    assert.ok(accuracy.includes(tick), `${tick} in ${accuracy}`);
  assert.deepEqual(await page.$$eval('figcaption', all => all.map(({ textContent }) => textContent)),
    ['Loss log scale', 'Accuracy log scale of the error rate']);
  assert.deepEqual(await page.$$eval('#learn .key li', all => all.map(({ textContent }) => textContent.trim())),
    ['mean of 10 steps', 'running mean', 'end of an epoch', 'on test digits']);
  assert.equal(await text(page, 'confusion-title'), 'Confusion matrix');
  assert.deepEqual(await page.$$eval('#matrix .axis', all => all.map(({ textContent }) => textContent)), ['predicted', 'true']);
  const bottoms = await page.$$eval('#draw, #learn', all => all.map(one => Math.round(one.getBoundingClientRect().bottom)));
  assert.equal(bottoms[0], bottoms[1]);
  const left = await page.evaluate(() => {
    const section = document.getElementById('draw');
    return section.getBoundingClientRect().bottom - [...section.children].at(-2).getBoundingClientRect().bottom;
  });
  assert.ok(left < 60, `${left} empty pixels below the labels`);
  await context.close();
});

test('layers are changed, added, moved and removed; what is wrong is told in the library\'s words', async () => {
  const { context, page, complaints } = await open(browser, address);
  await parameters(page, '4,738,826');
  const rows = () => page.$$eval('#layers li', all => all.map(({ firstChild }) => firstChild.firstChild.textContent));
  assert.deepEqual(await rows(), ['1Conv2D filters 32 · kernel_size 3 · relu 26 × 26 × 32',
    '2Conv2D filters 64 · kernel_size 3 · relu 24 × 24 × 64', '3Flatten  36864', '4Dense units 128 · relu 128']);
  assert.equal(await text(page, 'changed'), '');

  await page.locator('#layers summary').first().click();
  await field(page, 'filters').fill('none');
  await page.waitForFunction(() => /^Layer 1, Conv2D: .*filters.*none/.test(document.getElementById('network-error').textContent));
  assert.equal(await page.locator('#layers li').first().getAttribute('class'), 'wrong');
  assert.equal(await page.locator('#train').isDisabled(), true);
  assert.equal(await text(page, 'changed'), 'Not trained yet');
  await field(page, 'filters').fill('16');
  await field(page, 'padding').selectOption('same');
  await field(page, 'other settings').fill("kernel_initializer: 'he_normal', strides: [2, 2]");
  await parameters(page, '1,190,506');
  assert.equal(await text(page, 'network-error'), '');
  assert.match((await rows())[0], /^1Conv2D filters 16 · kernel_size 3 · relu · same · kernel_initializer: 'he_normal', strides: \[2, 2\] 14 × 14 × 16$/);

  await page.selectOption('#new-class', 'MaxPooling2D');
  assert.equal(await text(page, 'add'), 'Add below layer 1');
  await page.click('#add');
  assert.deepEqual((await rows()).map(row => row.match(/^\d(\w+)/)[1]), ['Conv2D', 'MaxPooling2D', 'Conv2D', 'Flatten', 'Dense']);
  await page.getByRole('button', { name: 'Move down' }).click();
  await page.waitForFunction(() => document.activeElement.textContent === 'Move down');
  await parameters(page, '305,770');
  await page.getByRole('button', { name: 'Remove' }).click();
  await parameters(page, '1,190,506');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /^3Flatten/, 'the focus is on what came up');

  await page.locator('#layers summary').first().click();
  await field(page, 'class').selectOption('SeparableConv2D');
  assert.match((await rows())[0], /^1SeparableConv2D filters 16 · kernel_size 3/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('another network and optimizer are trained beside the run before, and downloaded', async () => {
  const { context, page, complaints } = await open(browser, address);
  await page.waitForFunction(() => document.querySelectorAll('#loss-chart .test').length > 0);
  await page.selectOption('#preset', 'lenet');
  await parameters(page, '61,706');
  const optimizer = name => field(page, name, '#optimizer');
  assert.equal(await optimizer('learning_rate').inputValue(), '0.05');
  await optimizer('learning_rate').fill('-1');
  await page.waitForFunction(() => /learning_rate.*-1/.test(document.getElementById('network-error').textContent));
  await optimizer('class').selectOption('AdamW');
  assert.equal(await page.evaluate(() => document.activeElement.value), 'AdamW', 'the focus stays');
  await optimizer('learning_rate').fill('0.002');
  await optimizer('batch_size').fill('16');
  await page.waitForFunction(() => document.getElementById('network-error').textContent === '');
  await page.click('#train');
  await page.waitForFunction(() => document.querySelector('#loss-chart .before')?.getAttribute('d').length > 20);
  await page.waitForFunction(() => document.querySelectorAll('#loss-chart .test').length > 0);
  assert.equal(await text(page, 'changed'), '');
  const runs = await page.$$eval('#runs tbody tr', all => all.map(row => [...row.cells].map(({ textContent }) => textContent.trim())));
  assert.deepEqual(runs.map(cells => cells.slice(0, 2)), [
    ['this run', 'LeNet-5, changed AdamW · learning_rate 0.002 · batches of 16'],
    ['run before', 'Tutorial Adam · learning_rate 0.001 · batches of 32']]);
  for (const cells of runs)
    assert.match(cells[2], /^\d+\.\d\d % on test digits$/);
  assert.match(await page.locator('#loss-chart svg').getAttribute('aria-label'), /The run before: \d/);
  assert.equal(await page.locator('#tiles > div').count(), 6);
  await photograph(page, 'compared');

  const late = await open(browser, address); // sees the same
  await late.page.waitForFunction(() => document.querySelectorAll('#runs tbody tr').length === 2);
  await late.page.waitForFunction(() => document.querySelector('#loss-chart .before')?.getAttribute('d').length > 20);
  assert.equal(await late.page.locator('#preset').inputValue(), 'lenet');
  await late.context.close();

  await page.click('#pause');
  await phaseIs(page, 'paused');
  const digit = Buffer.from(JSON.parse((await request(address, 'GET', '/digit?image=3')).text).picture, 'hex');
  const { probabilities } = JSON.parse((await post(address, '/ask', digit)).text);
  const download = async format => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: new RegExp(`\\.${format}$`) }).click()]);
    assert.equal(file.suggestedFilename(), `lenet_5_changed.${format}`);
    return readFileSync(await file.path());
  };
  for (const format of ['c', 'onnx', 'keras', 'mnist'])
    predicted(format, await download(format), digit).forEach((said, i) => assert.ok(Math.abs(said - probabilities[i]) < 1e-4, format));
  assert.deepEqual(tensors(await download('safetensors'))['dense_2/kernel'], [84, 10]);
  await page.selectOption('#preset', 'tutorial');
  await page.click('#train');
  await phaseIs(page, 'training');
  assert.deepEqual([...complaints, ...late.complaints], []);
  await context.close();
});

test('a training that diverges says why, and the next one goes on', async () => {
  const { context, page, complaints } = await open(browser, address);
  await field(page, 'learning_rate', '#optimizer').fill('1e30');
  await page.click('#train');
  await phaseIs(page, 'stopped');
  await page.waitForFunction(() => /^Training has stopped: ./.test(document.getElementById('why').textContent));
  assert.deepEqual(await violations(page), []);
  await page.selectOption('#preset', 'tutorial');
  await page.click('#train');
  await phaseIs(page, 'training');
  await page.waitForFunction(() => document.getElementById('why').textContent === '');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a worst mistake can be put on the pad', async () => {
  const { context, page, complaints } = await open(browser, address);
  const first = page.locator('#worst button').first();
  await first.waitFor();
  await post(address, '/pause');
  await phaseIs(page, 'paused');
  const [, is, said] = (await first.textContent()).match(/is (\d), said (\d)/);
  await first.click();
  await page.waitForFunction(label => document.getElementById('about').textContent.endsWith(`a ${label}.`), is);
  assert.notEqual(is, said);
  await post(address, '/resume');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('all of it by keyboard, the focus in sight', async () => {
  const { context, page, complaints } = await open(browser, address);
  const reach = async wanted => {
    for (let i = 0; i < 90; i++) {
      await page.keyboard.press('Tab');
      const { name, outline } = await page.evaluate(() => {
        const on = document.activeElement, style = getComputedStyle(on);
        const label = on.labels?.[0]?.firstChild.textContent;
        const named = on === document.body ? '' : on.id || on.getAttribute('aria-label') || label || on.textContent; // '': past the last
        return { name: named, outline: `${style.outlineStyle} ${style.outlineWidth}` };
      });
      assert.equal(outline, name ? 'solid 3px' : outline, `the focus on ${name}`);
      if (name === wanted)
        return;
    }
    assert.fail(`no way to ${wanted}`);
  };
  await reach('pause');
  await page.keyboard.press('Enter');
  await phaseIs(page, 'paused');
  await reach('try');
  await page.locator('#clear').evaluate(button => button.click());
  assert.equal(await text(page, 'says'), 'Nothing yet');
  await page.keyboard.press('Space');
  await page.waitForFunction(() => /^On the pad: test digit/.test(document.getElementById('about').textContent));
  await page.waitForFunction(() => /^It says \d, \d+ %/.test(document.getElementById('spoken').textContent));
  await reach('4');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /^Now it knows: a 4/.test(document.getElementById('taught').textContent));
  assert.equal(await page.evaluate(() => document.activeElement.textContent), '4', 'the focus stays');

  // A layer is opened, moved and taken out, and a setting changed.
  await reach('2Conv2D filters 64 · kernel_size 3 · relu 24 × 24 × 64');
  await page.keyboard.press('Enter');
  await reach('filters');
  await page.keyboard.type('8');
  await parameters(page, '593,874');
  await reach('Move up');
  await page.keyboard.press('Enter');
  assert.match(await page.locator('#layers li').first().textContent(), /^1Conv2D filters 8/);
  assert.equal(await page.evaluate(() => document.activeElement.labels[0].firstChild.textContent), 'class', 'the first cannot be moved up');
  await page.reload();
  await phaseIs(page, 'paused');
  await reach('pause');
  await page.keyboard.press('Enter');
  await phaseIs(page, 'training');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a screen reader is not talked at while it trains', async () => {
  const { context, page } = await open(browser, address);
  await page.waitForFunction(() => document.querySelector('.most'));
  await page.waitForTimeout(1500); // what it says of the first digit
  const changes = await page.evaluate(() => new Promise(found => {
    const seen = [];
    for (const region of document.querySelectorAll('[role=status], [aria-live]'))
      new MutationObserver(() => seen.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
    setTimeout(() => found(seen), 4000);
  }));
  assert.deepEqual(changes, []);
  await context.close();
});

for (const scheme of ['light', 'dark'])
  test(`accessible in ${scheme} colours`, async () => {
    const { context, page, complaints } = await open(browser, address, { colorScheme: scheme, reducedMotion: 'reduce' });
    await drawSeven(page);
    await page.waitForSelector('#worst button');
    await page.waitForFunction(() => document.querySelector('.most'));
    assert.deepEqual(await violations(page), []);
    await photograph(page, `${scheme}-plain`);
    await page.selectOption('#preset', 'resnet');
    await page.locator('#layers summary').nth(17).click();
    await field(page, 'with').selectOption('2');
    await page.waitForFunction(() => /^Layer 18, Add/.test(document.getElementById('network-error').textContent));
    assert.deepEqual(await violations(page), [], 'an open layer that is wrong');
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.equal(Math.max(...ground) < 100, scheme === 'dark');
    assert.equal(await page.locator('.bar').first().evaluate(bar => getComputedStyle(bar).transitionDuration), '0s');
    await photograph(page, scheme);
    assert.deepEqual(complaints, []);
    await context.close();
  });

for (const width of [320, 390])
  test(`on a phone ${width} pixels wide, drawn by finger`, async () => {
    const phone = { viewport: { width, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
    const { context, page, complaints } = await open(browser, address, phone);
    await page.waitForSelector('#worst button');
    await page.selectOption('#preset', 'resnet');
    await page.locator('#layers summary').nth(1).click();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, 'no scrolling to the side');
    await page.click('#clear');
    await page.locator('#pad').scrollIntoViewIfNeeded();
    const box = await page.locator('#pad').boundingBox(), top = await page.evaluate(() => scrollY);
    const finger = await context.newCDPSession(page);
    const touch = (type, ...at) => finger.send('Input.dispatchTouchEvent', {
      type, touchPoints: at.map(([x, y]) => ({ x: box.x + x * box.width, y: box.y + y * box.height })),
    });
    await touch('touchStart', [0.5, 0.2]);
    for (let y = 0.2; y < 0.8; y += 0.05)
      await touch('touchMove', [0.5, y]);
    await touch('touchEnd');
    await page.waitForFunction(() => document.querySelector('.most'));
    assert.equal(await page.evaluate(() => scrollY), top, 'drawing does not scroll');
    const small = await page.$$eval('button:not([hidden])', all => all.map(one => one.getBoundingClientRect())
      .filter(({ width, height }) => width < 36 || height < 36).length);
    assert.equal(small, 0, 'buttons for fingers');
    assert.deepEqual(await violations(page), []);
    await photograph(page, `phone-${width}`);
    assert.deepEqual(complaints, []);
    await context.close();
  });

test('stop; another epoch; start over; a page opened later sees the same', async () => {
  const { context, page, complaints } = await open(browser, address);
  await page.click('#stop');
  await phaseIs(page, 'stopped');
  const stopped = await steps();
  await until('the weights are saved', () => { try { return readFileSync(studio.weights).length > 1e6; } catch { return false; } });
  assert.ok(await page.evaluate(() => document.activeElement.id !== ''), 'the focus has moved on');
  const late = await open(browser, address);
  assert.equal(await text(late.page, 'place'), await text(page, 'place'));
  await late.page.waitForFunction(() => document.querySelectorAll('#loss-chart .test').length > 0);
  await late.page.waitForSelector('#matrix td.right');
  await late.context.close();

  await page.click('#train-on');
  await until('it trains on', async () => (await steps()) > stopped);
  await page.waitForFunction(() => document.body.dataset.phase === 'finished', null, { timeout: patience });
  assert.equal(await page.locator('#pause').isVisible(), false);

  await page.click('#start-over');
  await phaseIs(page, 'training');
  await until('it has begun anew', async () => (await steps()) < stopped);
  await page.waitForFunction(() => /to .* at step \d+/.test(document.querySelector('#loss-chart svg').getAttribute('aria-label')));
  await page.click('#stop');
  await phaseIs(page, 'stopped');
  assert.deepEqual([...complaints, ...late.complaints], []);
  await context.close();
});

test('when the program ends the page says so', async () => {
  const one = await start('--images', '320', '--epochs', '1000');
  const { context, page } = await open(browser, one.address);
  assert.equal(await one.stop('SIGTERM'), 0);
  await page.waitForFunction(() => document.getElementById('phase').textContent === 'The program has ended');
  assert.equal(await page.locator('#pause').isDisabled(), true);
  await context.close();
  one.clean();
});
