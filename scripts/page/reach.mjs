// For everybody: each state by axe-core, the keyboard alone, focus that stays, large type, still pictures, names for plots.

import assert from 'node:assert/strict';
import path from 'node:path';
import { relay } from './relay.mjs';
import { DESKTOP, PASSWORD, PHONE, check, clips, h265, reader, receiver, recorder, store, upload, work } from './world.mjs';

const tell = (server, device, more) => fetch(`${server.url}/api/devices/${device}/status`, {
  method: 'PUT', body: JSON.stringify({
    version: 1, program_version: '0.1.0', clock_unix_ms: Date.now(), service: { mode: 'continuous', interval_s: 300 },
    disk: { free_bytes: 5e8, total_bytes: 1e9 }, tables: { evenement: { waiting: 7, oldest_waiting: { age_seconds: 40 } } }, ...more,
  }),
});

let world;
/** A server with a day of one device and a few others, for all tests here. */
async function home() {
  if (world) return world;
  const server = await receiver('reach');
  const database = path.join(work, 'reach.db');
  const day = recorder('make', database, ...clips);
  recorder('clip', database, h265(), '2');
  await upload(database, server, 'raspberry-1');
  for (const device of ['atelier', 'bakery', 'garage']) await tell(server, device);
  world = { server, day };
  return world;
}

const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return element === document.body ? 'nothing' : (element.getAttribute('aria-label') ?? element.textContent.trim() ?? '').slice(0, 60) || element.id || element.tagName;
});

/** Goes on by Tab until something has the focus; whoever sees the page sees where. */
async function tabTo(page, wanted, key = 'Tab') {
  for (let turn = 0; turn < 120; turn += 1) {
    await page.keyboard.press(key);
    const isSeen = await page.evaluate(() => {
      const box = document.activeElement.getBoundingClientRect();
      return document.activeElement === document.body || box.width > 0 && box.bottom > 0 && box.top < innerHeight && getComputedStyle(document.activeElement).outlineStyle !== 'none';
    });
    assert.ok(isSeen, `the focus is not seen on ${await focused(page)}`);
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`no way to ${wanted} by Tab`);
}

export const tests = {
  async 'the time here stands beside the device’s where they differ'() {
    const server = await receiver('zones');
    for (const [device, utc_offset_s] of [['far', 0], ['near', 19_800], ['absurd', 4_000_000]]) await tell(server, device, { utc_offset_s });
    for (const device of ['far', 'near', 'absurd', 'silent']) {
      for (const time of ['11:00:00', '20:00:00']) await store(server, 'PIR', device, `2025-12-18T${time}`);
    }
    const seen = async (options, device) => {
      const { page, open, close } = await reader(server, options);
      await open(`/day/2025-12-18?device=${device}`);
      await page.locator('.line').nth(1).waitFor();
      // Asked for after the list, and shown before the next frame.
      await page.waitForFunction((end) => performance.getEntriesByType('resource').some(({ name, responseEnd }) => name.endsWith(end) && responseEnd > 0), `/api/devices/${device}`);
      await page.evaluate(() => new Promise((resolve) => { setTimeout(() => requestAnimationFrame(resolve)); }));
      if (device === 'far' && options.timezoneId !== 'UTC') await page.getByText('here').first().waitFor();
      const times = await page.locator('.line .when').allTextContents();
      await close();
      return times;
    };
    const india = { timezoneId: 'Asia/Kolkata' };
    assert.deepEqual(await seen(india, 'far'), ['20:00:00 device time, 19 Dec 01:30 here', '11:00:00 device time, 16:30 here']);
    for (const [options, device] of [[{ timezoneId: 'UTC' }, 'far'], [india, 'near'], [india, 'absurd'], [india, 'silent']]) {
      assert.deepEqual(await seen(options, device), ['20:00:00', '11:00:00'], device);
    }
    // Whoever presses a line meanwhile has pressed it.
    const { page, open, close } = await reader(server, india);
    await page.route('**/api/devices/far', async (route) => {
      const pressed = page.locator('.line').first();
      await pressed.hover();
      await page.mouse.down();
      await route.continue();
    });
    await open('/day/2025-12-18');
    await page.getByText('here').first().waitFor();
    await page.mouse.up();
    await page.waitForURL(/at=20%3A00%3A00/);
    await close();
    await server.stop();
  },

  async 'axe finds nothing in any state, light and dark'() {
    const { server, day } = await home();
    const line = await relay(server);
    for (const options of [{ ...DESKTOP, colorScheme: 'light' }, { ...PHONE, colorScheme: 'dark' }]) {
      const { page, open, expect, close } = await reader(line, options);
      expect(/ERR_|404|Failed to load/);
      await open('/');
      await page.locator('a.name').nth(3).waitFor();
      await page.getByText('Why, and where').click();
      await check(page, 'devices, nobody set up');
      await page.getByRole('searchbox').fill('nobody is called so');
      await page.getByText('No device is like that.').waitFor();
      await check(page, 'no such device');
      await open(`/day/${day}?sensor=Tapis+Salon`);
      await page.locator('.line').first().click();
      await check(page, 'a filtered day');
      await open(`/day/${day}`);
      await page.locator('.line', { hasText: 'clip' }).first().click();
      await page.waitForFunction(() => document.querySelector('video').currentTime > 0.1);
      await check(page, 'a clip that plays');
      await open('/day?camera=2');
      await page.locator('.line').first().click();
      await page.getByText('This browser cannot play H.265.').waitFor();
      await check(page, 'a clip that does not');
      await open('/day/2001-01-01');
      await page.getByRole('link', { name: /^After:/ }).waitFor();
      await check(page, 'an empty day');
      await store(server, 'news', 'raspberry-1', '2001-01-01T12:00:00');
      await page.getByRole('button', { name: '1 new, show' }).waitFor();
      await check(page, 'news');
      recorder('sql', server.database, "DELETE FROM evenement WHERE date LIKE '2001-01-01%'");
      await page.route('**/api/media?**', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"x"}' }));
      await open(`/day/${day}`);
      await page.getByText('The receiver is in trouble').waitFor();
      await check(page, 'an error');
      await page.unroute('**/api/media?**');
      await open('/new');
      await page.getByText(/clips? you have not seen/).waitFor();
      await check(page, 'new clips');
      await open('/day/nowhere');
      await page.getByRole('heading', { name: 'No such page' }).waitFor();
      await check(page, 'nowhere');
      await page.context().setOffline(true);
      line.cut();
      await page.getByText(/Not live since/).waitFor();
      await check(page, 'not live');
      await close();
    }
    line.close();
    // Behind a proxy nobody may read until somebody is set up, and the page says why.
    const { page, open, expect, close } = await reader(server, { extraHTTPHeaders: { 'X-Forwarded-For': '192.0.2.1' } });
    expect(/401/);
    await open('/');
    await page.getByText('sync-receiver user add NAME --admin').first().waitFor();
    await check(page, 'nobody can sign in');
    await close();
  },

  async 'type twice and four times as large fits, and nothing moves for those who want it so'() {
    const { server, day } = await home();
    for (const viewport of [{ width: 640, height: 400 }, { width: 320, height: 256 }]) {
      const { page, open, close } = await reader(server, { viewport, deviceScaleFactor: 2, locale: 'fr-FR', reducedMotion: 'reduce' });
      for (const place of ['/', `/day/${day}`, '/new', '/add']) {
        await open(place);
        await page.locator('.place > *').first().waitFor();
        if (place.startsWith('/day')) await page.locator('.line').first().click();
        await check(page, `${place} at ${viewport.width} px`);
        const moving = await page.evaluate(() => document.getAnimations().length + [...document.querySelectorAll('*')]
          .filter((element) => getComputedStyle(element).scrollBehavior === 'smooth' || getComputedStyle(element).transitionDuration !== '0s').length);
        assert.equal(moving, 0, place);
        // The picture may stay in sight only where the list below it has room.
        const stage = page.locator('.columns .stage');
        if (await stage.count()) assert.notEqual(await stage.evaluate((element) => getComputedStyle(element).position), 'sticky');
      }
      await close();
    }
  },

  async 'on a phone nothing of the frame is cut, and each device begins alike; on a desktop a line is one'() {
    const server = await receiver('frame');
    const database = path.join(work, 'frame.db');
    const day = recorder('make', database, ...clips);
    await upload(database, server, 'raspberry-1');
    for (const device of ['atelier', 'bakery', 'garage']) await tell(server, device);
    await tell(server, 'a-shop-with-a-long-name-of-its-own');
    await tell(server, 'full', { disk: { free_bytes: 1, total_bytes: 1e9 }, utc_offset_s: 45 * 60 });
    const box = (locator) => locator.evaluate((element) => { const { top, bottom, height, right } = element.getBoundingClientRect(); return { top, bottom, height, right }; });
    const phone = await reader(server, { ...PHONE, viewport: { width: 390, height: 844 }, locale: 'fr-FR' });
    await phone.open('/');
    await phone.page.locator('nav .count').filter({ hasText: /\d\d/ }).waitFor();
    assert.ok(await phone.page.locator('nav').evaluate((nav) => nav.scrollWidth <= nav.clientWidth), 'a place is cut');
    const rows = phone.page.locator('tr[data-device]');
    await rows.nth(5).waitFor();
    for (const row of await rows.all()) {
      const [name, state, sign, whole] = [await box(row.locator('.name')), await box(row.locator('.c-state')), await box(row.locator('.c-sign')), await box(row)];
      const device = await row.getAttribute('data-device');
      assert.ok(state.top < name.bottom && state.right > whole.right - 20, `${device}: its state is not beside its name`);
      assert.ok(sign.top >= name.bottom, `${device}: its figures are beside its name`);
    }
    assert.ok((await box(phone.page.locator('.notice code').first())).height < 30, 'the command is on two lines');
    await phone.close();
    const desktop = await reader(server, { timezoneId: 'Asia/Kolkata' });
    await store(server, 'PIR', 'full', `${day}T12:00:00`);
    await desktop.open(`/day/${day}?device=full`);
    await desktop.page.locator('.line').getByText('here').waitFor();
    assert.ok((await box(desktop.page.locator('.line').first())).height <= 46);
    await desktop.close();
    await server.stop();
  },

  async 'plots have names that say what they show'() {
    const { server, day } = await home();
    const { page, open, close } = await reader(server);
    await open('/');
    await page.getByRole('img', { name: 'At most 7 rows waiting in the last 24 hours' }).first().waitFor();
    await open(`/day/${day}`);
    await page.getByRole('img', { name: /^By the hour: \d+ events, \d+ clips; most at 18:00: \d+ events/ }).waitFor();
    await page.getByRole('slider', { name: 'Moments of the day' }).waitFor();
    await page.getByRole('region', { name: 'Player' }).waitFor();
    await close();
  },

  async 'the focus stays where it was when lists change'() {
    const { server } = await home();
    const { page, open, close } = await reader(server);
    await open('/');
    const link = page.getByRole('link', { name: 'garage' });
    await link.focus();
    await tell(server, 'garage', { disk: { free_bytes: 1e7, total_bytes: 1e9 } });
    const again = page.getByRole('button', { name: '1 change: sort again' });
    await again.waitFor();
    assert.equal(await focused(page), 'garage');
    await again.focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('tbody tr').dataset.device === 'garage');
    assert.equal(await focused(page), 'garage', 'the first line');
    await tell(server, 'garage');
    const day = await page.evaluate(() => new Date().toLocaleDateString('sv'));
    await store(server, 'one', 'garage', `${day}T00:00:01`);
    await open(`/day/${day}?device=garage`);
    const lines = page.locator('.line');
    await lines.first().focus();
    await store(server, 'two', 'garage', `${day}T00:00:02`);
    const news = page.getByRole('button', { name: '1 new, show' });
    await news.waitFor();
    assert.match(await focused(page), /one/);
    await news.focus();
    await page.keyboard.press('Enter');
    await lines.nth(1).waitFor();
    assert.match(await focused(page), /two/, 'the news');
    await close();
  },

  async 'all five parts are walked through without a mouse'() {
    const { server, day } = await home();
    server.command(['user', 'add', 'anna', '--admin'], `${PASSWORD}\n`);
    const { page, open, expect, close } = await reader(server);
    expect(/401|404/);
    await open('/');
    // The form comes a moment after its heading, and has the focus at once.
    await page.waitForFunction(() => document.activeElement.id === 'name');
    await page.keyboard.type('anna');
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'raspberry-1' }).waitFor();
    assert.equal(await focused(page), 'Devices', 'the heading of the place');
    // Devices: searched, opened.
    await page.keyboard.press('/');
    await page.keyboard.type('rasp');
    await page.getByText('1 of 1 device').waitFor();
    await tabTo(page, page.getByRole('link', { name: 'raspberry-1' }));
    await page.keyboard.press('Enter');
    await page.waitForURL(/device=raspberry-1/);
    // Search: to the day before by the filter's date, as its address would be typed.
    await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
    await tabTo(page, page.getByRole('link', { name: 'Previous day' }));
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(day));
    await page.locator('.line').nth(20).waitFor();
    await page.keyboard.press('/');
    await tabTo(page, page.getByLabel('Camera', { exact: true }));
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(/camera=1/);
    await page.locator('.line').first().waitFor();
    // Player: by the list, then by keys, then by its own buttons.
    await page.keyboard.press('j');
    await page.waitForFunction(() => document.querySelector('video')?.currentTime > 0.1);
    await tabTo(page, page.getByRole('button', { name: 'Pin' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Pinned', pressed: true }).waitFor();
    const before = await page.locator('video').getAttribute('src');
    await tabTo(page, page.getByRole('button', { name: 'Previous clip' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForFunction((src) => document.querySelector('video').getAttribute('src') !== src, before);
    // New clips: gone through, finished; the focus is not lost with the buttons.
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await page.getByText(/clips? you have not seen/).waitFor();
    await tabTo(page, page.getByRole('button', { name: 'Mark all as seen' }));
    await page.keyboard.press('Enter');
    await page.getByText('You have seen everything.').waitFor();
    assert.equal(await focused(page), 'New clips');
    // Add a device.
    await tabTo(page, page.getByRole('link', { name: 'Add', exact: true }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Add a device' }).waitFor();
    await page.waitForFunction(() => document.activeElement.id === 'device');
    await page.keyboard.type('shop-9');
    await tabTo(page, page.getByLabel('Address of this receiver'));
    await page.keyboard.type('pi.example');
    await page.keyboard.press('Enter');
    await page.getByText('Waiting for its first sign…').waitFor();
    await tabTo(page, page.getByRole('button', { name: 'Copy' }));
    await page.keyboard.press('Enter');
    await page.getByText(/Copied|Selected/).waitFor();
    await tabTo(page, page.getByRole('button', { name: 'Sign out' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await close();
  },
};
