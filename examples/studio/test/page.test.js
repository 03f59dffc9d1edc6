// The page in a real browser: what a user sees and does.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { bars, browse, drawSeven, news, open, patience, post, start, until } from './studio.js';

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

const steps = async () => (await news(address, 'state')).steps;
const text = (page, id) => page.locator(`#${id}`).textContent();
const phaseIs = (page, phase) => page.waitForFunction(wanted => document.body.dataset.phase === wanted, phase);
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
  await drawSeven(page);
  await page.waitForFunction(() => document.querySelector('.most'));
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
    const { phase, done } = await news(address, 'state');
    return phase === 'training' && done > 0.05 && done < 0.6;
  });
  const before = await news(address, 'state');
  await page.waitForFunction(() => document.querySelector('.most'));
  await page.locator('#labels button').nth(3).click();
  await page.waitForFunction(() => /^Now it knows: a 3/.test(document.getElementById('taught').textContent));
  const now = await news(address, 'state');
  assert.ok(now.epoch + now.done > before.epoch + before.done, `${before.epoch + before.done}, then ${now.epoch + now.done}`);
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
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const { name, outline } = await page.evaluate(() => {
        const on = document.activeElement, style = getComputedStyle(on);
        return { name: on.id || on.getAttribute('aria-label') || on.textContent, outline: `${style.outlineStyle} ${style.outlineWidth}` };
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
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.equal(Math.max(...ground) < 100, scheme === 'dark');
    assert.equal(await page.locator('.bar').first().evaluate(bar => getComputedStyle(bar).transitionDuration), '0s');
    await photograph(page, scheme);
    assert.deepEqual(complaints, []);
    await context.close();
  });

for (const width of [320, 360])
  test(`on a phone ${width} pixels wide, drawn by finger`, async () => {
    const phone = { viewport: { width, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
    const { context, page, complaints } = await open(browser, address, phone);
    await page.waitForSelector('#worst button');
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
  await page.waitForFunction(() => /to .* at step \d+$/.test(document.querySelector('#loss-chart svg').getAttribute('aria-label')));
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
