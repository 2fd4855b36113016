// The page in a real browser, fed by real uploaders. Run by scripts/test-page.sh.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {
  DESKTOP, NARROW, PASSWORD, PHONE, check, clips, file, finish, follow, h265, reader, receiver, recorder, root, upload, work,
} from './world.mjs';
import { tests as flow } from './flow.mjs';
import { tests as hostile } from './hostile.mjs';
import { tests as known } from './known.mjs';
import { tests as live } from './live.mjs';
import { tests as much } from './much.mjs';
import { tests as pressed } from './pressed.mjs';
import { tests as reach } from './reach.mjs';
import { tests as trouble } from './trouble.mjs';

const pictures = process.argv.includes('--screenshots') ? path.join(root, 'docs', 'page') : path.join(root, 'target', 'page');
fs.mkdirSync(pictures, { recursive: true });
const picture = (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`) });

const server = await receiver('server');
const database = path.join(work, 'surveillance.db');
const day = recorder('make', database, ...clips);
const state = (page, device) => page.locator(`tr[data-device="${device}"] .badge`);

/** Devices in different states, as they would tell of themselves. */
async function someFleet() {
  const hour = 3600;
  for (const [device, waiting, age_seconds, free] of [['atelier', 3, 40, 4], ['bakery', 212, 2 * hour, 40], ['garage', 0, null, 61], ['warehouse', 0, null, 88], ['raspberry-1', 0, null, 50]]) {
    const status = {
      version: 1, program_version: '0.1.0', clock_unix_ms: Date.now(), service: { mode: 'continuous', interval_s: 300 },
      disk: { free_bytes: free * 1e7, total_bytes: 1e9 }, tables: { evenement: { waiting, oldest_waiting: age_seconds && { age_seconds } } },
    };
    const answer = await fetch(`${server.url}/api/devices/${device}/status`, { method: 'PUT', body: JSON.stringify(status) });
    assert.equal(answer.status, 204);
  }
  recorder('sql', server.database, "UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-42 minutes') WHERE device_id = 'warehouse'");
  recorder('sql', server.database, "INSERT INTO device_backlog SELECT 'bakery', unixepoch() / 900 * 900 - 900 * value, max(0, 212 - 5 * value) FROM (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 60) SELECT value FROM n)");
}

const tests = {
  async 'a receiver without a device names the next step'() {
    const { page, open, close } = await reader(server);
    await open('/');
    await page.getByRole('link', { name: 'Add the first' }).waitFor();
    await check(page, 'no device');
    await close();
  },

  async 'a device appears by itself when it first sends'() {
    const { page, open, close } = await reader(server);
    await open('/');
    await page.getByText('No device yet.').waitFor();
    await upload(database, server, 'raspberry-1');
    // In whichever state: it tells of this machine's disk.
    await state(page, 'raspberry-1').waitFor();
    await page.getByText('1 of 1 device').waitFor();
    await close();
  },

  async 'an event appears live on the open day, and in the list when it is asked for'() {
    const { page, open, close } = await reader(server);
    await open('/day');
    await page.getByText('Nothing on this day.').waitFor();
    await page.locator('.live.on').waitFor();
    const uploader = follow(database, server, 'raspberry-1');
    await new Promise((resolve) => { setTimeout(resolve, 0); });
    recorder('event', database, '3');
    const began = Date.now();
    await page.getByRole('button', { name: '1 new, show' }).waitFor();
    assert.ok(Date.now() - began < 10_000);
    recorder('clip', database, clips[0], '1');
    await page.getByRole('button', { name: '2 new, show' }).click();
    const lines = page.locator('.list .line');
    await lines.nth(1).waitFor();
    assert.match(await lines.nth(0).textContent(), /Caméra 1.*clip/);
    assert.match(await lines.nth(1).textContent(), /Bouton Arrêt.*event/);
    await page.waitForFunction(() => document.querySelector('video')?.currentTime > 0.2);
    await uploader.stop();
    await close();
  },

  async 'a clip plays, seeks, and is followed by the next'() {
    const { page, open, close } = await reader(server);
    await open(`/day/${day}`);
    assert.notEqual(await page.evaluate(() => document.createElement('video').canPlayType('video/mp4; codecs="avc1.64001e"')), '');
    const films = page.locator('.line', { hasText: 'clip' });
    await films.nth(2).click();
    const video = page.locator('video');
    await page.waitForFunction(() => document.querySelector('video').currentTime > 0.3);
    await video.evaluate((element) => { element.currentTime = 4.5; });
    await page.waitForFunction(() => document.querySelector('video').currentTime > 4.6);
    const before = await video.getAttribute('src');
    await page.keyboard.press('n');
    await page.waitForFunction((src) => document.querySelector('video').getAttribute('src') !== src, before);
    await page.keyboard.press('p');
    await page.waitForFunction((src) => document.querySelector('video').getAttribute('src') === src, before);
    await page.keyboard.press('>');
    assert.equal(await video.evaluate((element) => element.playbackRate), 1.5);
    await page.waitForFunction(() => document.querySelector('video').currentTime > 0.3);
    await page.keyboard.press('Escape');
    await page.keyboard.press(' ');
    assert.equal(await video.evaluate((element) => element.paused), true);
    await page.keyboard.press('x');
    await page.getByRole('button', { name: 'Pinned', pressed: true }).waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
    assert.match(download.suggestedFilename(), /^raspberry-1-.*\.mp4$/);
    await close();
  },

  async 'a search and a moment can be linked'() {
    const { page, open, close } = await reader(server);
    await open(`/day/${day}`);
    await page.getByLabel('Sensor', { exact: true }).selectOption('Tapis Salon');
    await page.waitForURL(/sensor=Tapis\+Salon/);
    await page.locator('.line').first().waitFor();
    const names = await page.locator('.line .what').allTextContents();
    assert.ok(names.length > 5 && names.every((name) => name.startsWith('Tapis Salon')), names.join());
    await page.locator('.line').nth(7).click();
    await page.waitForURL(/at=\d\d%3A\d\d%3A\d\d|at=\d\d:\d\d:\d\d/);
    const chosen = await page.locator('.line[aria-current]').textContent();
    const link = page.url();
    await open('/');
    await page.goto(link);
    await page.locator('.line[aria-current]').waitFor();
    assert.equal(await page.locator('.line[aria-current]').textContent(), chosen);
    // A day without anything leads to one that has.
    await open('/day/2020-01-01?device=raspberry-1');
    await page.getByRole('link', { name: /^After:/ }).click();
    await page.waitForURL(new RegExp(`/day/${day}`));
    await close();
  },

  async 'what a browser cannot play or show is said, with the way out'() {
    const odd = path.join(work, 'odd.db');
    recorder('make', odd, ...clips);
    for (const table of ['evenement', 'media']) recorder('sql', odd, `DELETE FROM ${table}`);
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
    for (const [clip, camera] of [[h265(), '1'], [file('photo', png), '2'], [file('text', '<h1>no</h1>'), '1']]) {
      recorder('clip', odd, clip, camera);
    }
    await upload(odd, server, 'odd <b>name</b> & "more"');
    const { page, open, close } = await reader(server);
    await open(`/day?device=${encodeURIComponent('odd <b>name</b> & "more"')}`);
    const lines = page.locator('.line');
    await lines.nth(2).click();
    await page.getByText('This browser cannot play H.265. Download the clip.').waitFor();
    await lines.nth(1).click();
    await page.locator('.stage img').waitFor();
    assert.equal(await page.locator('.stage img').evaluate((image) => image.decode().then(() => image.naturalWidth)), 1);
    await lines.nth(0).click();
    await page.getByText('This is neither a video nor a picture').waitFor();
    assert.equal(await page.locator('b').count(), 0);
    await page.locator('.player').getByText('odd <b>name</b> & "more"').waitFor();
    await close();
    recorder('sql', server.database, "DELETE FROM media WHERE device_id LIKE 'odd%'");
    recorder('sql', server.database, "DELETE FROM device_row WHERE device_id LIKE 'odd%'");
    recorder('sql', server.database, "DELETE FROM device WHERE device_id LIKE 'odd%'");
  },

  async 'a device that falls silent is shown so without a reload'() {
    const { page, open, close } = await reader(server);
    await open('/');
    await state(page, 'raspberry-1').waitFor();
    assert.notEqual(await state(page, 'raspberry-1').textContent(), '✕ Silent');
    // Two days pass at the server.
    recorder('sql', server.database, 'UPDATE device_row SET row_at = row_at - 172800');
    recorder('sql', server.database, "UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', received_at, '-2 days')");
    await state(page, 'raspberry-1').filter({ hasText: 'Silent' }).waitFor();
    await page.getByText(/No sign for/).waitFor();
    await page.waitForFunction(() => document.title.startsWith('(1)') && document.querySelector('link[rel=icon]').href.includes('icon-bad'));
    await check(page, 'a silent device');
    await page.getByRole('button', { name: /1 Silent/ }).click();
    await page.waitForURL(/state=silent/);
    recorder('sql', server.database, 'UPDATE device_row SET row_at = row_at + 172800');
    await close();
  },

  async 'new clips are gone through with one key and finished'() {
    const { page, open, close } = await reader(server);
    await open('/new');
    const bar = page.locator('main [role=status]');
    const left = async () => Number(/\d+/.exec(await bar.textContent())[0]);
    await page.getByText(/clips you have not seen/).waitFor();
    const first = await left();
    await check(page, 'new clips');
    const taken = page.waitForResponse((answer) => answer.request().method() === 'PUT' && answer.url().endsWith('/api/new'));
    await page.keyboard.press('n');
    await page.waitForFunction((n) => document.querySelector('main [role=status]').textContent.startsWith(`${n - 1} `), first);
    await taken;
    await open('/new');
    await page.waitForFunction((n) => document.querySelector('main [role=status]')?.textContent.startsWith(`${n - 1} `), first);
    await page.getByRole('button', { name: 'Mark all as seen' }).click();
    await page.getByText('You have seen everything.').waitFor();
    assert.equal(await page.locator('nav .count').textContent(), '');
    await close();
  },

  async 'every place fits phone and desktop, light and dark, in both languages, and axe finds nothing'() {
    for (const [options, places] of [
      [{ ...NARROW, locale: 'fr-FR' }, ['/', `/day/${day}`, '/new', '/kept', '/add', '/nowhere-at-all']],
      [{ ...PHONE, colorScheme: 'dark' }, ['/', `/day/${day}`]],
      [{ ...DESKTOP, colorScheme: 'dark', locale: 'fr-FR' }, ['/', `/day/${day}`, '/add']],
    ]) {
      const { page, open, expect, close } = await reader(server, options);
      for (const place of places.slice(0, -1)) {
        await open(place);
        await page.locator('h1').waitFor({ state: 'attached' });
        await page.locator('.place > *').first().waitFor();
        if (place.startsWith('/day')) await page.locator('.line').first().waitFor();
        await check(page, `${place} ${JSON.stringify(options.viewport)}`);
        assert.equal(await page.evaluate(() => document.documentElement.lang), options.locale ? 'fr' : 'en');
      }
      expect(/404/);
      await close();
    }
  },

  async 'everything is done by keyboard alone'() {
    const { page, open, close } = await reader(server);
    await open('/');
    await page.locator('a.name').first().waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/device=raspberry-1/);
    await page.goto(`${server.url}/day/${day}`);
    const slider = page.getByRole('slider', { name: 'Moments of the day' });
    await page.locator('.line').first().waitFor();
    await slider.focus();
    await page.keyboard.press('Home');
    const first = await slider.getAttribute('aria-valuetext');
    assert.match(first, /^\d\d:\d\d:\d\d, /);
    await page.keyboard.press('ArrowRight');
    assert.notEqual(await slider.getAttribute('aria-valuetext'), first);
    await page.keyboard.press('+');
    await slider.blur();
    await page.keyboard.press('j');
    assert.ok(await page.evaluate(() => document.activeElement.classList.contains('line')));
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'f-device');
    await page.keyboard.press('?');
    assert.equal(await page.getByRole('dialog').count(), 0, 'a key in a field is a letter');
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await check(page, 'help');
    await page.getByLabel('Switch single keys off').check();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    assert.match(page.url(), /\/day\//);
    await close();
  },

  async 'the language can be changed'() {
    const { page, open, close } = await reader(server, { locale: 'fr-CA' });
    await open('/');
    await page.getByRole('heading', { name: 'Appareils' }).waitFor();
    await page.getByRole('button', { name: 'EN' }).click();
    await page.getByRole('heading', { name: 'Devices' }).waitFor();
    await close();
  },

  async 'the first view is small'() {
    const { page, close } = await reader(server);
    const sizes = new Map();
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    session.on('Network.loadingFinished', (event) => sizes.set(event.requestId, event.encodedDataLength));
    await page.goto(server.url);
    await page.locator('a.name').first().waitFor();
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    console.log(`   first view: ${(total / 1000).toFixed(1)} KB in ${sizes.size} requests, headers included`);
    assert.ok(total < 60_000 && sizes.size <= 18, `${total} bytes, ${sizes.size} requests`);
    await close();
  },

  async 'pictures of the page'() {
    await someFleet();
    const desktop = await reader(server, { ...DESKTOP });
    await desktop.open(`/day/${day}`);
    await desktop.page.locator('.line', { hasText: 'Caméra 1' }).nth(1).click();
    await desktop.page.waitForFunction(() => document.querySelector('video')?.currentTime > 1);
    await desktop.page.keyboard.press(' ');
    await desktop.page.evaluate(() => scrollTo(0, 0));
    await picture(desktop.page, 'day');
    await desktop.close();
    // As somebody sees it who is set up.
    server.command(['user', 'add', 'cora', '--admin'], `${PASSWORD}\n`);
    const signIn = async ({ page, open, expect }) => {
      expect(/401/);
      await open('/');
      await page.getByLabel('Name').fill('cora');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.keyboard.press('Enter');
      await page.locator('a.name').nth(4).waitFor();
    };
    const phone = await reader(server, { ...PHONE, colorScheme: 'dark' });
    await signIn(phone);
    await check(phone.page, 'a fleet');
    await picture(phone.page, 'devices');
    await phone.close();
    const wide = await reader(server, { ...DESKTOP });
    await signIn(wide);
    assert.deepEqual(await wide.page.locator('.badge').allTextContents(), ['✕ Silent', '■ Disk low', '▲ Backlog', '● OK', '● OK']);
    await check(wide.page, 'a fleet, wide');
    await picture(wide.page, 'devices-wide');
    await wide.close();
    server.command(['user', 'remove', 'cora']);
  },

  async 'what was removed is told, and a sensor is marked as important'() {
    await upload(database, server, 'raspberry-1');
    recorder('sql', server.database, "INSERT INTO removal (day, device_id, kind, reason, rows, bytes, oldest, newest) VALUES (date(), 'bakery', 'media', 'age', 3, 5000000, '2025-10-01T10:00:00.000Z', '2025-10-02T10:00:00.000Z')");
    recorder('sql', server.database, "INSERT INTO removal_trouble (one, reason, since_at, last_at) VALUES (1, 'clips/x.mp4: Permission denied', unixepoch() - 120, unixepoch())");
    const { page, open, close } = await reader(server, PHONE);
    await open(`/day/${day}`);
    const event = page.locator('.line', { hasText: 'event' }).first();
    const top = () => page.locator('.list').evaluate((element) => element.getBoundingClientRect().top + scrollY);
    await event.waitFor();
    const before = await top();
    await event.click();
    const mark = page.getByRole('button', { name: 'Important:' });
    await mark.waitFor();
    assert.equal(await top(), before, 'the list moves under the finger');
    await mark.click();
    await page.getByRole('button', { name: 'Important:', pressed: true }).waitFor();
    await check(page, 'an important sensor');
    await page.getByRole('link', { name: 'Kept' }).click();
    await page.getByText('bakery: 3 clips, 5 MB.').waitFor();
    await page.getByText('Older than what is kept; they came from').waitFor();
    await page.getByRole('alert').getByText('Permission denied').waitFor();
    await page.getByText('Nobody is told').waitFor();
    await check(page, 'what was removed');
    await page.getByRole('button', { name: 'is no longer important' }).click();
    await page.getByText('is no longer important.').waitFor();
    assert.deepEqual((await (await fetch(`${server.url}/api/important`)).json()).items, []);
    recorder('sql', server.database, 'DELETE FROM removal_trouble');
    await close();
  },

  async 'people sign in, see what is theirs, and sign out'() {
    server.command(['user', 'add', 'anna', '--admin'], `${PASSWORD}\n`);
    server.command(['user', 'add', 'ben', '--devices', 'shop-*'], `${PASSWORD}\n`);
    const { page, open, expect, close } = await reader(server, PHONE);
    expect(/401/);
    await open('/');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await check(page, 'sign in');
    await page.getByLabel('Name').fill('ben');
    await page.getByLabel('Password').fill('wrong wrong');
    await page.keyboard.press('Enter');
    await page.getByText('Name or password is wrong.').waitFor();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Devices' }).waitFor();
    await page.getByText('No device yet.').waitFor();
    assert.equal(await page.getByRole('link', { name: 'Add', exact: true }).count(), 0);
    assert.equal(await page.evaluate(() => document.cookie), '');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await open(`/day/${day}`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await close();
  },

  async 'an admin adds a device, and its first sign is awaited'() {
    const { page, open, expect, close } = await reader(server);
    expect(/401|404/);
    await open('/add');
    await page.getByLabel('Name').fill('anna');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Add a device' }).waitFor();
    await page.getByText('Until now anyone may store here.').waitFor();
    await page.getByLabel('Name of the device').fill('shop-81');
    await page.getByLabel('Address of this receiver').fill(server.url);
    await page.getByRole('button', { name: 'Make its token' }).click();
    const settings = await page.getByLabel('Settings with the token').inputValue();
    assert.match(settings, new RegExp(`^BACKEND_URL=${server.url}\nDEVICE_ID=shop-81\nBACKEND_TOKEN=[\\w-]{43}\n$`));
    await page.getByText('Waiting for its first sign…').waitFor();
    await check(page, 'add');
    const shop = path.join(work, 'shop.db');
    recorder('make', shop, ...clips);
    recorder('event', shop, '1');
    const token = /BACKEND_TOKEN=(.*)/.exec(settings)[1];
    await upload(shop, server, 'shop-81', { BACKEND_TOKEN: token });
    await page.getByText(/It is there: sign/).waitFor();
    await page.getByRole('link', { name: 'See its day' }).click();
    await page.waitForURL(/device=shop-81/);
    await page.locator('.line').first().waitFor();
    await close();
  },

  async 'a page says that the receiver is gone, and comes back with it'() {
    const { page, open, expect, close } = await reader(server);
    expect(/401|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET/);
    await open('/');
    await page.getByLabel('Name').fill('anna');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('.live.on').waitFor();
    await server.stop();
    await page.getByText(/Not live since/).waitFor();
    await close();
  },
};

const only = process.argv.slice(2).filter((word) => !word.startsWith('--'));
let failed = null;
for (const [name, test] of Object.entries({ ...tests, ...flow, ...trouble, ...hostile, ...known, ...live, ...much, ...pressed, ...reach })) {
  if (only.length && !only.some((word) => name.includes(word))) continue;
  const began = Date.now();
  try {
    await test();
    console.log(`ok ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    console.error(`FAILED ${name}\n${error.stack}`);
    failed = name;
    break;
  }
}
await finish();
if (failed) process.exit(1);
