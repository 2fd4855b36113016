// The live stream: one a tab, none while hidden; nothing missed and nothing twice, whatever becomes of the line.

import assert from 'node:assert/strict';
import path from 'node:path';
import { relay } from './relay.mjs';
import { clips, follow, local, pass, reader, receiver, recorder, renderers, store, turn, until, work } from './world.mjs';

const NOISE = /ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_INTERNET_DISCONNECTED|ERR_NETWORK|ERR_FAILED/;

/** Whatever day it is when this is run, and whatever hour the page's clock is set to. */
const DAY = '2025-12-18';

/** The open day of a reader behind a line of its own. */
async function openDay(name, { clock = false, day = DAY } = {}) {
  const server = await receiver(name);
  const line = await relay(server);
  const one = await reader(line);
  one.expect(NOISE);
  if (clock) await one.page.clock.install();
  await one.open(`/day/${day}`);
  await one.page.locator('.live.on').waitFor();
  await one.page.getByText('Nothing on this day.').waitFor();
  await store(server, 'first', 'raspberry-1', `${day}T12:00:00`);
  await one.page.getByRole('button', { name: '1 new, show' }).click();
  await one.page.locator('.line').waitFor();
  return {
    ...one, server, line,
    close: async () => {
      await one.close();
      line.close();
      await server.stop();
    },
  };
}

const names = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => `sensor ${from + index}`);

async function storeAll(server, sensors) {
  for (const sensor of sensors) await store(server, sensor, 'raspberry-1', `${DAY}T12:00:00`);
}

/** All rows of the list are those that were stored, once each. */
async function sees(page, sensors) {
  const found = await page.locator('.line .what').allTextContents();
  assert.deepEqual(found.map((text) => text.split(' raspberry-1')[0].trim()).sort(), ['first', ...sensors].sort());
}

const news = (page, n) => page.getByRole('button', { name: `${n} new, show` });
const show = (page, n) => news(page, n).click();

export const tests = {
  async 'a tab has one stream, a hidden one none, and one that is shown again has missed nothing'() {
    const { page, open, server, line, close } = await openDay('hidden');
    assert.equal(line.streams(), 1);
    for (const place of ['Devices', 'New', 'Day', 'Devices', 'Day']) {
      await page.getByRole('navigation').getByRole('link', { name: place }).click();
      await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
    }
    await open(`/day/${DAY}`);
    await page.locator('.live.on').waitFor();
    await page.locator('.line').waitFor();
    await until(() => line.streams() === 1, 'places opened streams of their own');
    for (const round of [1, 2]) {
      await turn(page, true);
      await until(() => line.streams() === 0, 'the stream of a hidden tab stays open');
      await storeAll(server, names(round * 100, round * 100 + 29));
      assert.equal(await page.getByRole('button', { name: /new, show/ }).count(), 0);
      await turn(page, false);
      await show(page, 30);
      await until(() => line.streams() === 1, 'no stream');
    }
    // The list has pages of 50.
    await page.getByRole('button', { name: 'Show more' }).click();
    await sees(page, [...names(100, 129), ...names(200, 229)]);
    await open('/');
    await until(() => line.streams() === 1, 'a page that was left keeps its stream');
    await close();
  },

  async 'a line that died without a word is noticed, and nothing is missed or seen twice'() {
    const { page, server, line, close } = await openDay('dead', { clock: true });
    await storeAll(server, ['sensor 1']);
    await page.getByRole('button', { name: '1 new, show' }).waitFor();
    line.die();
    await storeAll(server, names(2, 4));
    await pass(page, 60_000, news(page, 4));
    await show(page, 4);
    await sees(page, names(1, 4));
    await page.locator('.live.on').waitFor();
    await close();
  },

  async 'a laptop that slept shows what came meanwhile, after minutes and after hours'() {
    const { page, server, line, close } = await openDay('sleep', { clock: true });
    const asleep = await renderers();
    for (const pid of asleep) process.kill(pid, 'SIGSTOP');
    line.die();
    await storeAll(server, names(1, 3));
    for (const pid of asleep) process.kill(pid, 'SIGCONT');
    await pass(page, 300_000, news(page, 3));
    await show(page, 3);
    await sees(page, names(1, 3));
    line.die();
    await storeAll(server, names(4, 6));
    // Too long for row by row: the lists are read anew.
    await pass(page, 3 * 3_600_000, page.locator('.line', { hasText: 'sensor 6' }));
    await sees(page, names(1, 6));
    await storeAll(server, ['sensor 7']);
    await show(page, 1);
    await sees(page, names(1, 7));
    assert.equal(line.streams(), 1);
    await close();
  },

  async 'a network that comes back is used at once'() {
    const { page, server, line, close } = await openDay('offline', { clock: true });
    await page.context().setOffline(true);
    line.cut();
    await page.getByText(/Not live since/).waitFor();
    await until(() => line.streams() === 0, 'a stream over a line that was cut');
    // No time passes that could bring the next try.
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 60_000));
    await storeAll(server, names(1, 3));
    await page.context().setOffline(false);
    await until(() => line.streams() === 1, 'not tried again');
    await page.clock.resume();
    await show(page, 3);
    await sees(page, names(1, 3));
    await page.locator('.live.on').waitFor();
    await close();
  },

  async 'the page comes back live after a restart of the receiver, and after its death'() {
    const { page, server, line, close } = await openDay('restart');
    let now = server;
    for (const [signal, first] of [['SIGTERM', 1], ['SIGKILL', 4]]) {
      await now.stop(signal);
      await page.getByText(/Not live since/).waitFor();
      now = await receiver('restart');
      line.lead(now);
      await storeAll(now, names(first, first + 2));
      await show(page, 3);
      await page.locator('.live.on').waitFor();
    }
    await sees(page, names(1, 6));
    await now.stop();
    await close();
  },

  async 'an event of the recorder is seen soon'() {
    const database = path.join(work, 'soon.db');
    recorder('make', database, ...clips);
    const { page, server, close } = await openDay('soon', { day: local(new Date()).slice(0, 10) });
    const uploader = follow(database, server, 'raspberry-1');
    await page.evaluate(() => {
      window.seen = new Map();
      new MutationObserver(() => {
        const found = /^(\d+) new/.exec(document.querySelector('.news').textContent);
        if (found && !window.seen.has(Number(found[1]))) window.seen.set(Number(found[1]), Date.now());
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    const took = [];
    for (let number = 1; number <= 12; number += 1) {
      const committed = Number(recorder('event', database, '3'));
      await page.getByRole('button', { name: `${number} new, show` }).waitFor();
      const seen = await page.evaluate((count) => window.seen.get(count), number);
      // The first waits for a whole day that the uploader finds at its start.
      if (number > 1) took.push(seen - committed);
    }
    took.sort((one, other) => one - other);
    console.log(`   recorder's commit to the open page: median ${took[Math.floor(took.length / 2)]} ms, most ${took.at(-1)} ms`);
    assert.ok(took.at(-1) < 3000, `${took}`);
    await uploader.stop();
    await close();
  },

  async 'a day that was opened in a hidden tab, or whose first stream failed, lacks nothing once it is live'() {
    const server = await receiver('background');
    const line = await relay(server);
    for (const [day, begin, goOn] of [
      [DAY, (page) => page.addInitScript(() => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: !sessionStorage.seen });
        sessionStorage.seen = true;
      }), (page) => turn(page, false)],
      ['2025-12-19', (page) => page.route('**/api/live', (route) => route.abort()), async (page) => {
        await page.unroute('**/api/live');
        await page.clock.fastForward(31_000);
      }],
    ]) {
      const { page, open, expect, close } = await reader(line);
      expect(NOISE);
      await page.clock.install();
      const storeThen = (sensor) => store(server, sensor, 'raspberry-1', `${day}T12:00:00`);
      await storeThen('first');
      await begin(page);
      await open(`/day/${day}`);
      await page.locator('.line').waitFor();
      for (const sensor of names(1, 2)) await storeThen(sensor);
      await goOn(page);
      await page.locator('.live.on').waitFor();
      await page.locator('.line').nth(2).waitFor();
      await sees(page, names(1, 2));
      await close();
    }
    line.close();
    await server.stop();
  },
};
