// Lists that change under a reader, and answers that come late, half, or not at all.

import assert from 'node:assert/strict';
import { gate } from './gate.mjs';
import { PHONE, check, pass, reader, receiver, recorder, withClips } from './world.mjs';

const NOISE = /ERR_|Failed to load resource/;

async function tell(server, device, free = 50, ageS = 0) {
  const status = {
    version: 1, program_version: '0.1.0', clock_unix_ms: Date.now(), service: { mode: 'continuous', interval_s: 300 },
    disk: { free_bytes: free * 1e7, total_bytes: 1e9 }, tables: {},
  };
  const answer = await fetch(`${server.url}/api/devices/${device}/status`, { method: 'PUT', body: JSON.stringify(status) });
  assert.equal(answer.status, 204);
  if (ageS) recorder('sql', server.database, `UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-${ageS} seconds') WHERE device_id = '${device}'`);
}

/** The receiver reads its devices once a second: waits until it lists these. */
async function listed(server, { total, low }) {
  for (const end = Date.now() + 15_000; ;) {
    const list = await (await fetch(`${server.url}/api/devices?limit=1`)).json();
    if (list.total === total && list.counts.disk_low === low) return;
    assert.ok(Date.now() < end, JSON.stringify(list.counts));
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

const badge = (page, device) => page.locator(`tr[data-device="${device}"] .badge`);

/** The page asks for its list again. */
const later = (page) => page.clock.fastForward(10_000);

export const tests = {
  async 'a device that left the list shown is told as it is now'() {
    const server = await receiver('left');
    await tell(server, 'zebra', 4);
    await tell(server, 'garage');
    const { page, open, expect, close } = await reader(server);
    expect(/404/);
    await page.clock.install();
    // By a filter.
    await open('/?state=disk_low');
    await page.getByText('1 of 1 device').waitFor();
    await tell(server, 'zebra');
    await later(page);
    await badge(page, 'zebra').getByText('OK').waitFor();
    await page.getByText('1 of 1 device').waitFor();
    await page.getByRole('button', { name: '1 change: sort again' }).click();
    await page.getByText('No device is like that.').waitFor();
    // And by its place, where the list has more than a page.
    for (let number = 0; number < 60; number += 1) await tell(server, `hut-${number}`);
    await tell(server, 'zebra', 4);
    await listed(server, { total: 62, low: 1 });
    await open('/');
    await page.getByText('50 of 62 devices').waitFor();
    await badge(page, 'zebra').getByText('Disk low').waitFor();
    await tell(server, 'zebra');
    await later(page);
    await badge(page, 'zebra').getByText('OK').waitFor();
    // Somebody else has come up in its place.
    await page.getByRole('button', { name: '2 changes: sort again' }).waitFor();
    await close();
    await server.stop();
  },

  async 'an older search never stands under a newer text, and one that failed is said'() {
    const server = await receiver('search');
    for (const device of ['atelier', 'garage']) await tell(server, device);
    for (let number = 0; number < 60; number += 1) await tell(server, `hut-${number}`);
    await tell(server, 'low', 4);
    const { page, open, expect, close } = await reader(server);
    expect(NOISE);
    await page.clock.install();
    await open('/');
    await page.locator('a.name').nth(49).waitFor();
    const ended = new Promise((resolve) => {
      for (const name of ['requestfinished', 'requestfailed']) page.on(name, (request) => { if (request.url().includes('q=atelier')) resolve(); });
    });
    let holdIt = null;
    const held = new Promise((resolve) => { holdIt = resolve; });
    await page.route('**/api/devices?q=atelier&**', (route) => holdIt(route), { times: 1 });
    await page.getByRole('searchbox').fill('atelier');
    await page.clock.fastForward(300);
    const late = await held;
    await page.getByRole('searchbox').fill('garage');
    await page.clock.fastForward(300);
    await page.getByText('1 of 1 device').waitFor();
    await late.continue().catch(() => null);
    await ended;
    await later(page);
    assert.deepEqual(await page.locator('a.name').allTextContents(), ['garage']);
    // A filter that no answer came to: said at once, and it comes by itself.
    await page.getByRole('searchbox').fill('');
    await page.clock.fastForward(300);
    await page.getByText('50 of 63 devices').waitFor();
    const alert = page.getByRole('alert');
    await page.route('**/api/devices?state=disk_low&**', (route) => route.abort());
    await page.getByRole('button', { name: '1 Disk low' }).click();
    await alert.getByText('The receiver does not answer.').waitFor();
    await check(page, 'a filter without an answer');
    await page.unroute('**/api/devices?state=disk_low&**');
    await later(page);
    await page.getByText('1 of 1 device').waitFor();
    assert.equal(await alert.count(), 0);
    await page.getByRole('button', { name: '1 Disk low' }).click();
    await page.getByText('50 of 63 devices').waitFor();
    await page.route('**/api/devices?*cursor*', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"x"}' }));
    await page.getByRole('button', { name: 'Show more' }).click();
    await alert.getByText('The receiver is in trouble').waitFor();
    await page.unroute('**/api/devices?*cursor*');
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByText('63 of 63 devices').waitFor();
    assert.equal(await alert.count(), 0);
    await close();
    await server.stop();
  },

  async 'a clip whose line breaks is not called unplayable, and goes on where it was'() {
    const { server, day } = await withClips('broken');
    const line = await gate(server);
    const { page, open, expect, close } = await reader(line);
    expect(NOISE);
    await open(`/day/${day}`);
    await page.waitForFunction(() => document.querySelector('video')?.readyState > 0);
    // Midway, and then nothing but refusals. The browser may still be at the clip that stood there first.
    const first = await page.evaluate(() => document.querySelector('video').getAttribute('src'));
    const other = { test: (url) => url.endsWith('/video') && url !== first };
    const hold = line.hold(other, 200_000, { every: true });
    await page.locator('.line', { hasText: 'Caméra 1' }).first().click();
    await hold.stopped;
    await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
    line.refuse(/\/video/);
    hold.cut();
    const alert = page.getByRole('alert').getByText('The clip did not come through.');
    await alert.waitFor();
    assert.equal(await page.getByText('cannot play').count(), 0);
    await check(page, 'a clip that broke off');
    const again = page.getByRole('button', { name: 'Try again' });
    const at = await page.evaluate(() => document.querySelector('video').currentTime);
    assert.ok(at > 0.5);
    // Still no line: it is said again, and the place is not forgotten.
    await again.click();
    await alert.waitFor();
    await again.waitFor();
    line.refuse(null);
    await page.evaluate(() => {
      window.first = null;
      document.querySelector('video').addEventListener('timeupdate', (event) => { window.first ??= event.target.currentTime; });
    });
    await again.click();
    await page.waitForFunction(() => window.first !== null);
    assert.ok(await page.evaluate(() => window.first) >= at - 0.5, 'not where it was');
    await alert.waitFor({ state: 'hidden' });
    await close();
    line.close();
    await server.stop();
  },

  async 'an answer that stands still midway is asked for again, and a slow one moves no clock'() {
    const server = await receiver('half');
    await tell(server, 'garage', 50, 20);
    await tell(server, 'zebra');
    const line = await gate(server);
    const { page, open, expect, close } = await reader(line);
    expect(NOISE);
    await page.clock.install();
    let hold = line.hold(/\/api\/devices\?/, 40);
    await open('/');
    await hold.stopped;
    // Eight seconds of a long list.
    await page.clock.fastForward(8000);
    hold.release();
    const sign = page.locator('tr[data-device="garage"] .c-sign');
    await sign.waitFor();
    const seconds = Number(/\d+/.exec(await sign.textContent())[0]);
    assert.ok(seconds >= 28, `${seconds} s ago: the list's way is taken for the clock's`);
    // A line that died midway.
    hold = line.hold(/\/api\/devices\?/, 40);
    await page.getByRole('searchbox').fill('gar');
    await page.clock.fastForward(300);
    await hold.stopped;
    await pass(page, 21_000, page.getByText('1 of 1 device'));
    await page.waitForURL(/q=gar/);
    await close();
    line.close();
    await server.stop();
  },

  async '“ago” follows the receiver’s clock, and the reader’s again once that is right'() {
    const server = await receiver('skew');
    await tell(server, 'garage', 50, 200);
    const { page, open, close } = await reader(server);
    await page.clock.install({ time: Date.now() + 3_600_000 });
    await open('/');
    const sign = page.locator('tr[data-device="garage"] .c-sign');
    await sign.getByText('3 min').waitFor();
    await tell(server, 'garage', 50, 320);
    // Right at the moment at which the list is read anew.
    await page.clock.setSystemTime(Date.now() - 10_000);
    await later(page);
    await sign.getByText('5 min').waitFor();
    await close();
    await server.stop();
  },

  async 'a page that did not come in whole says so, and one that does asks for all at once'() {
    const server = await receiver('whole');
    await tell(server, 'garage');
    const { page, open, expect, close } = await reader(server);
    expect(NOISE);
    // What the browser says of the module that lacks.
    expect(/^$/);
    const words = '**/words/en.js';
    await page.route(words, (route) => route.fulfill({ status: 503 }));
    await open('/');
    const said = page.getByText('This page did not come in whole.');
    assert.equal(await said.isVisible(), false);
    // Eight seconds later.
    await page.evaluate(() => { for (const animation of document.getAnimations()) animation.finish(); });
    await said.waitFor();
    await check(page, 'not in whole');
    await page.unroute(words);
    // Nothing waits for the words but what is shown.
    let release;
    const released = new Promise((resolve) => { release = resolve; });
    await page.route(words, async (route) => {
      await released;
      await route.fallback();
    });
    const asked = ['/api/me', 'views/devices.js', 'views/device_line.js'].map((end) => page.waitForRequest((request) => request.url().endsWith(end)));
    await page.getByRole('link', { name: 'load it again' }).click();
    await Promise.all(asked);
    release();
    await page.locator('a.name').waitFor();
    assert.equal(await said.count(), 0);
    await close();
    await server.stop();
  },

  async 'a day that stays open holds so many rows and counts the others'() {
    const DAY = '2025-12-18';
    const server = await receiver('tabs');
    await tell(server, 'device-0');
    recorder('fill', server.database, DAY, '1', '4995');
    const { page, open, close } = await reader(server);
    await open(`/day/${DAY}`);
    await page.locator('.line').first().waitFor();
    await page.locator('.live.on').waitFor();
    const cut = page.getByText('The newest 5,000 are drawn; the hours count all.');
    assert.equal(await cut.count(), 0);
    for (let number = 0; number < 12; number += 1) {
      const body = JSON.stringify({ date: `${DAY}T23:59:${10 + number}`, capteur: { id: 1, nom: `live ${number}`, etat: 1 }, device_id: 'device-0', source: 'sync_service' });
      const answer = await fetch(`${server.url}/api/evenements`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      assert.equal(answer.status, 201);
    }
    await page.getByRole('button', { name: '12 new, show' }).waitFor();
    await cut.waitFor();
    await page.getByRole('button', { name: '12 new, show' }).click();
    await page.locator('.line', { hasText: 'live 11' }).waitFor();
    await cut.waitFor();
    await page.getByRole('img', { name: /^By the hour: 5,007 events/ }).waitFor();
    await close();
    await server.stop();
  },

  async 'the hours and the keys are reached without a mouse, and a mouse let go outside drags no more'() {
    const DAY = '2025-12-18';
    const server = await receiver('hands');
    recorder('fill', server.database, DAY, '1', '200');
    const { page, open, close } = await reader(server);
    await open(`/day/${DAY}`);
    await page.locator('.line').first().waitFor();
    const hour = (time) => page.getByRole('toolbar', { name: 'Show an hour' }).getByRole('button', { name: new RegExp(`^${time}: `) });
    await hour('00:00').focus();
    for (let turn = 0; turn < 6; turn += 1) await page.keyboard.press('ArrowRight');
    // News draw the hours anew; the focus stays.
    const body = JSON.stringify({ date: `${DAY}T12:00:00`, capteur: { id: 1, nom: 'live', etat: 1 }, device_id: 'device-0', source: 'sync_service' });
    await fetch(`${server.url}/api/evenements`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    await page.getByRole('button', { name: '1 new, show' }).waitFor();
    assert.ok(await hour('06:00').evaluate((button) => button === document.activeElement));
    await page.keyboard.press('Enter');
    await page.locator('.lanes .hour', { hasText: '06:30' }).waitFor();
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await page.locator('.lanes .hour', { hasText: '00:30' }).waitFor();
    await check(page, 'an hour by keyboard');
    // The button of the mouse goes up where the page does not hear it.
    const shown = () => page.locator('.lanes .hour').allTextContents();
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.locator('.lanes .hour', { hasText: '00:00' }).waitFor({ state: 'detached' });
    const slider = page.getByRole('slider');
    const before = await shown();
    await slider.evaluate((element) => {
      const send = (name, clientX, buttons) => element.dispatchEvent(new PointerEvent(name, { bubbles: true, pointerId: 1, pointerType: 'mouse', clientX, clientY: 300, buttons }));
      send('pointerdown', 300, 1);
      send('pointermove', 302, 1);
      for (const x of [320, 360, 420, 500]) send('pointermove', x, 0);
    });
    await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
    assert.deepEqual(await shown(), before);
    await close();
    // 1280 px at 400 %: a desktop with a keyboard. A phone has none.
    for (const [options, isThere] of [[{ viewport: { width: 320, height: 256 } }, true], [PHONE, false]]) {
      const large = await reader(server, options);
      await large.open('/');
      await large.page.getByText('No device yet.').or(large.page.locator('a.name').first()).waitFor();
      assert.equal(await large.page.getByRole('button', { name: 'Keys' }).isVisible(), isThere);
      await check(large.page, 'large type');
      await large.close();
    }
    await server.stop();
  },
};
