// What is pressed while answers are slow, and what is said when none come.

import assert from 'node:assert/strict';
import { gate } from './gate.mjs';
import { check, reader, recorder, until, withClips } from './world.mjs';

const NOISE = /ERR_|Failed to load resource/;

const unseen = async (server) => (await fetch(`${server.url}/api/new?limit=100`)).json();
const caption = (page) => page.locator('.caption').textContent();

export const tests = {
  async 'quick presses go through every new clip, and only what was passed is seen'() {
    const { server } = await withClips('quick');
    const before = await unseen(server);
    const { page, open, close } = await reader(server);
    // No answer comes until the test lets it.
    const held = [];
    await page.route('**/api/new', (route) => {
      if (route.request().method() !== 'PUT') return route.continue();
      held.push(route);
      return null;
    });
    await open('/new');
    await page.getByText(`${before.count} clips you have not seen`).waitFor();
    const seen = [await caption(page)];
    for (let press = 1; press <= 3; press += 1) {
      await page.keyboard.press('Enter');
      await page.getByText(`${before.count - press} clips you have not seen`).waitFor();
      seen.push(await caption(page));
    }
    assert.equal(new Set(seen).size, 4, `each clip once: ${seen}`);
    assert.equal(held.length, 1, 'one request at a time');
    // A key that is held down is one press.
    await page.keyboard.down('n');
    for (let turn = 0; turn < 5; turn += 1) await page.keyboard.down('n');
    await page.keyboard.up('n');
    await page.getByRole('button', { name: 'Seen, next' }).focus();
    await page.keyboard.down('Enter');
    for (let turn = 0; turn < 5; turn += 1) await page.keyboard.down('Enter');
    await page.keyboard.up('Enter');
    await page.getByText(`${before.count - 5} clips you have not seen`).waitFor();
    await page.keyboard.press('p');
    await page.getByText(`${before.count - 4} clips you have not seen`).waitFor();
    while ((await unseen(server)).count > before.count - 5) await Promise.all(held.splice(0).map((route) => route.continue()));
    await page.unroute('**/api/new');
    assert.equal((await unseen(server)).items[0].id, before.items[5].id);
    await close();
    await server.stop();
  },

  async 'what could not be marked as seen is said, and marked when the line is back'() {
    const { server } = await withClips('unmarked');
    const before = await unseen(server);
    const { page, open, expect, close } = await reader(server);
    expect(NOISE);
    await page.clock.install();
    await open('/new');
    await page.getByText(`${before.count} clips you have not seen`).waitFor();
    await page.context().setOffline(true);
    await page.keyboard.press('n');
    await page.keyboard.press('n');
    await page.getByRole('alert').getByText('Not marked as seen yet: the receiver does not answer.').waitFor();
    await page.getByText(`${before.count - 2} clips you have not seen`).waitFor();
    assert.equal((await unseen(server)).count, before.count);
    await page.context().setOffline(false);
    await until(async () => (await unseen(server)).count === before.count - 2, 'not tried again');
    await page.getByText('Not marked as seen yet').waitFor({ state: 'hidden' });
    // A receiver in trouble is asked again after a while.
    await page.route('**/api/new', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"x"}' }), { times: 1 });
    await page.keyboard.press('n');
    await page.getByText('Not marked as seen yet: the receiver is in trouble.').waitFor();
    await page.clock.fastForward(31_000);
    await until(async () => (await unseen(server)).count === before.count - 3, 'not tried again after a refusal');
    // What was pressed last counts although the reader is elsewhere at once.
    await page.keyboard.press('n');
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await until(async () => (await unseen(server)).count === before.count - 4, 'the last press is lost');
    await close();
    await server.stop();
  },

  async 'what was pressed last counts although the page is closed at once'() {
    const { server } = await withClips('closed');
    const before = await unseen(server);
    const line = await gate(server);
    const { page, open, close } = await reader(line);
    await open('/new');
    await page.getByText(`${before.count} clips you have not seen`).waitFor();
    const wait = line.wait(/\/api\/new$/);
    await page.keyboard.press('n');
    await wait.stopped;
    await page.goto('about:blank');
    wait.release();
    await until(async () => (await unseen(server)).count === before.count - 1, 'the last press is lost');
    await close();
    line.close();
    await server.stop();
  },

  async 'a queue longer than a page is gone through to its end, each clip once'() {
    const { server } = await withClips('long_queue');
    const columns = 'date, capteur_id, capteur_nom, numero_camera, device_id, source, size_bytes, sha256';
    for (const copy of ['a', 'b', 'c']) {
      recorder('sql', server.database, `INSERT INTO media (${columns}, file) SELECT ${columns}, file || '${copy}' FROM media`);
    }
    // Who looks for the first time is shown the newest alone.
    await fetch(`${server.url}/api/new`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: '{"seen":0}' });
    const { count } = await unseen(server);
    assert.ok(count > 110, count);
    const { page, open, expect, close } = await reader(server);
    expect(NOISE);
    await open('/new');
    await page.getByText(`${count} clips you have not seen`).waitFor();
    const seen = new Set();
    const shown = () => page.getByRole('link', { name: 'Its day' }).getAttribute('href');
    for (let left = count; left > 0; left -= 1) {
      await page.getByText(new RegExp(`^${left} clips? you have not seen`)).waitFor();
      seen.add(new URL(await shown(), server.url).searchParams.get('clip'));
      await page.keyboard.press('n');
    }
    await page.getByText('You have seen everything.').waitFor();
    assert.equal(seen.size, count);
    await until(async () => (await unseen(server)).count === 0, 'not all of it is seen');
    await close();
    await server.stop();
  },

  async 'a clip that ends offers the next with its time and camera'() {
    const { server, day } = await withClips('ended');
    const before = await unseen(server);
    const { page, open, close } = await reader(server);
    await open('/new');
    await page.waitForFunction(() => document.querySelector('video')?.duration > 0);
    await page.evaluate(() => { document.querySelector('video').currentTime = 1e6; });
    const clip = before.items[1];
    const offer = page.locator('.stage').getByRole('button', { name: `Seen, next ${clip.date.slice(11, 19)} · ${clip.capteur.nom}` });
    await offer.focus();
    await check(page, 'a clip that ended');
    await page.keyboard.press('Enter');
    await page.getByText(`${before.count - 1} clips you have not seen`).waitFor();
    assert.equal(await offer.count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Seen, next');
    await page.waitForFunction(() => document.querySelector('video').currentTime > 0.1);
    // A day's clips lead on in the same way; its last one ends.
    await open(`/day/${day}`);
    const films = page.locator('.line', { hasText: 'clip' });
    await films.nth(1).click();
    const last = await page.locator('video').getAttribute('src');
    await films.nth(2).click();
    const end = () => page.evaluate(() => { document.querySelector('video').currentTime = 1e6; });
    await page.waitForFunction((src) => document.querySelector('video').getAttribute('src') !== src && document.querySelector('video').duration > 0, last);
    await end();
    const following = page.locator('.stage').getByRole('button', { name: /^Next clip \d\d:\d\d:\d\d · / });
    await following.focus();
    await check(page, 'a clip of a day that ended');
    await page.keyboard.press('Enter');
    await page.waitForFunction((src) => document.querySelector('video').getAttribute('src') === src && document.querySelector('video').currentTime > 0.1, last);
    assert.equal(await page.evaluate(() => document.activeElement.localName), 'video');
    await films.nth(0).click();
    await page.waitForFunction((src) => document.querySelector('video').getAttribute('src') !== src && document.querySelector('video').duration > 0, last);
    await end();
    await page.waitForFunction(() => document.querySelector('video').ended);
    assert.equal(await following.count(), 0);
    await close();
    await server.stop();
  },
};
