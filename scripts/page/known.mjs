// What is known, and how it is said: of the line, of a device, of what happens once only.

import assert from 'node:assert/strict';
import { relay } from './relay.mjs';
import { PASSWORD, PHONE, check, local, pass, reader, receiver, recorder, signIn, store, turn } from './world.mjs';

const NOISE = /ERR_|Failed to load/;

/** What a device tells of itself. */
async function tell(server, device, more = {}, token = '') {
  const answer = await fetch(`${server.url}/api/devices/${device}/status`, {
    method: 'PUT', headers: token ? { Authorization: `Bearer ${token}` } : {}, body: JSON.stringify({
      version: 1, program_version: '0.1.0', clock_unix_ms: Date.now(), service: { mode: 'continuous', interval_s: 300 },
      disk: { free_bytes: 5e8, total_bytes: 1e9 }, tables: { evenement: { waiting: 212, oldest_waiting: { age_seconds: 40 } } }, ...more,
    }),
  });
  assert.equal(answer.status, 204);
}

/** A device's last sign was longer ago than it was. */
const silence = (server, device, ago) => recorder('sql', server.database, `UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '${ago}') WHERE device_id = '${device}'`);

export const tests = {
  async 'a new device gets an address at which it finds the receiver'() {
    const server = await receiver('address');
    const { page, open, expect, close } = await reader(server);
    expect(/404/);
    await open('/add');
    const name = page.getByLabel('Name of the device');
    const address = page.getByLabel('Address of this receiver');
    const make = page.getByRole('button', { name: 'Make its token' });
    assert.equal(await address.inputValue(), '', 'nothing invented');
    await page.getByText('on another machine means that machine itself').waitFor();
    await check(page, 'add, asked for an address');
    await name.fill('shop-1');
    await make.click();
    assert.equal(await page.locator('textarea').count(), 0, 'no token without an address');
    await address.fill('not an address');
    await make.click();
    await page.getByText('This is no address').waitFor();
    const { port } = new URL(server.url);
    for (const [typed, written] of [
      ['192.0.2.7', `http://192.0.2.7:${port}`], ['pi.example:81', 'http://pi.example:81'],
      ['https://pi.example/sync/', 'https://pi.example/sync'],
    ]) {
      await open('/add');
      await name.fill(`shop-${written.length}`);
      await address.fill(typed);
      await make.click();
      const settings = await page.getByLabel('Settings with the token').inputValue();
      assert.equal(settings.split('\n')[0], `BACKEND_URL=${written}`);
    }
    await close();
    await server.stop();
    const named = await receiver('address', { RECEIVER_PUBLIC_URL: 'https://sync.example/' });
    const other = await reader(named);
    await other.open('/add');
    assert.equal(await other.page.getByLabel('Address of this receiver').inputValue(), 'https://sync.example');
    await other.close();
    await named.stop();
  },

  async 'a token that is shown once outlives an hour away'() {
    const server = await receiver('once');
    const { page, open, expect, close } = await reader(server);
    expect(/404/);
    await page.clock.install();
    await open('/add');
    await page.locator('.live.on').waitFor();
    await page.getByLabel('Name of the device').fill('shop-1');
    await page.getByLabel('Address of this receiver').fill('pi.example');
    await page.keyboard.press('Enter');
    const shown = page.getByLabel('Settings with the token');
    const settings = await shown.inputValue();
    await turn(page, true);
    await page.clock.fastForward('01:05:00');
    const again = page.waitForResponse((answer) => answer.url().includes('/api/new'));
    await turn(page, false);
    // What follows a long absence was done.
    await again;
    await page.locator('.live.on').waitFor();
    assert.equal(await shown.inputValue(), settings);
    // And another place is read anew, as ever.
    await page.getByRole('link', { name: 'Devices' }).click();
    await page.getByText('No device yet.').waitFor();
    await turn(page, true);
    await tell(server, 'shop-1', {}, /BACKEND_TOKEN=(.*)/.exec(settings)[1]);
    await page.clock.fastForward('01:05:00');
    await turn(page, false);
    await page.getByRole('link', { name: 'shop-1' }).waitFor();
    await close();
    await server.stop();
  },

  async 'why a token is refused is said'() {
    const server = await receiver('refused');
    server.command(['user', 'add', 'anna', '--admin', '--devices', 'shop-*'], `${PASSWORD}\n`);
    for (let n = 0; n < 2; n += 1) server.command(['token', 'add', 'shop-1']);
    const one = await reader(server);
    const { page, expect, close } = one;
    expect(/403|409/);
    await signIn(one, 'anna', '/add');
    await page.getByLabel('Address of this receiver').fill('pi.example');
    await page.getByLabel('Name of the device').fill('shop-1');
    await page.keyboard.press('Enter');
    await page.getByText('has two tokens already').waitFor();
    await page.getByLabel('Name of the device').fill('garage');
    await page.keyboard.press('Enter');
    await page.getByText('not yours to see, so you cannot add it').waitFor();
    await close();
    await server.stop();
  },

  async 'a place that cannot be fetched is said, and comes with the line'() {
    const server = await receiver('fetched');
    const line = await relay(server);
    const { page, open, expect, close } = await reader(line);
    expect(NOISE);
    await open('/');
    await page.getByText('No device yet.').waitFor();
    await page.context().setOffline(true);
    line.cut();
    await page.getByRole('link', { name: 'Kept' }).click();
    await page.getByText('The receiver does not answer.').waitFor();
    await page.getByRole('link', { name: 'Kept' }).waitFor();
    await page.context().setOffline(false);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'What is kept' }).waitFor();
    await page.waitForFunction(() => location.hash === '');
    // A receiver that was renewed has its modules elsewhere: one reload brings them.
    let old = 0;
    await page.route('**/views/new.js', (route) => {
      old += 1;
      return old === 1 ? route.fulfill({ status: 404 }) : route.continue();
    });
    await page.getByRole('link', { name: 'New' }).click();
    await page.getByText('You have seen everything.').waitFor();
    await page.waitForFunction(() => location.hash === '');
    assert.ok(old > 0);
    await close();
    line.close();
    await server.stop();
  },

  async 'nobody is told to sign in where nobody can'() {
    const server = await receiver('nobody');
    const { page, open, expect, close } = await reader(server, { extraHTTPHeaders: { 'X-Forwarded-For': '192.0.2.1' } });
    expect(/401/);
    await open('/');
    await page.getByRole('heading', { name: 'Nobody can sign in yet' }).waitFor();
    assert.equal(await page.title(), 'Nobody can sign in yet – Receiver');
    server.command(['user', 'add', 'anna', '--admin'], `${PASSWORD}\n`);
    await open('/');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await close();
    await server.stop();
  },

  async 'sentences go on after a day'() {
    const server = await receiver('sentences');
    await tell(server, 'garage');
    silence(server, 'garage', '-3 days');
    await tell(server, 'bakery', { service: { mode: 'continuous', interval_s: 86_400 } });
    silence(server, 'bakery', '-2 days');
    recorder('sql', server.database, "INSERT INTO removal_trouble (one, reason, since_at, last_at) VALUES (1, 'x', unixepoch() - 300000, unixepoch())");
    for (const [locale, said] of [
      ['en-GB', ['No sign for 3 days.', 'last sign 2 days ago.', 'first noticed 3 days ago.']],
      ['fr-FR', ['Aucun signe depuis 3 j.', 'dernier signe il y a 2 j.', 'depuis 3 j.']],
    ]) {
      const { page, open, close } = await reader(server, { locale });
      await open('/');
      for (const text of said.slice(0, 2)) await page.getByText(text).waitFor();
      await open('/kept');
      await page.getByText(said[2]).waitFor();
      await close();
    }
    await server.stop();
  },

  async 'what is shown without a line is called the last known, and the notice stays in sight'() {
    const server = await receiver('known');
    for (let n = 0; n < 12; n += 1) await tell(server, `shop-${n}`);
    const line = await relay(server);
    const { page, open, expect, close } = await reader(line, PHONE);
    expect(NOISE);
    await open('/');
    const known = page.locator('tr[data-device="shop-3"]').getByText('last known');
    await page.locator('.live.on').waitFor();
    await page.getByRole('link', { name: 'shop-3' }).waitFor();
    assert.equal(await known.isVisible(), false);
    await page.context().setOffline(true);
    line.cut();
    const notice = page.getByText(/Not live since/);
    await notice.waitFor();
    assert.equal(await notice.getAttribute('aria-live'), 'polite');
    await known.waitFor();
    await page.getByRole('link', { name: 'shop-9' }).scrollIntoViewIfNeeded();
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const { y, height } = await notice.boundingBox();
    assert.ok(y >= 0 && y + height <= PHONE.viewport.height, `${y}`);
    await check(page, 'last known');
    await page.context().setOffline(false);
    await page.locator('.live.on').waitFor();
    await known.waitFor({ state: 'hidden' });
    assert.equal(await page.locator('.lost').textContent(), '');
    await page.getByRole('status').getByText('live').waitFor({ state: 'attached' });
    await close();
    line.close();
    await server.stop();
  },

  async 'of a silent device nothing is said as if it were of now, and its link leads to its last day'() {
    const server = await receiver('silent');
    await tell(server, 'garage', { utc_offset_s: 0, disk: { free_bytes: 4e7, total_bytes: 1e9 } });
    silence(server, 'garage', '-3 days');
    await store(server, 'PIR', 'bakery');
    const { page, open, close } = await reader(server);
    await open('/');
    const row = page.locator('tr[data-device="garage"]');
    await row.getByText('No sign for 3 days. Last known: 4% of the disk is free.').waitFor();
    const cells = ['.c-waiting', '.c-disk', '.c-clock'].map((name) => row.locator(name).textContent());
    assert.deepEqual(await Promise.all(cells), ['unknown', '–', '–']);
    await row.getByRole('link').click();
    const last = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
    await page.waitForURL(`${server.url}/day/${last}?device=garage`);
    await page.getByText(/^✕ Silent since \d+ \w+, \d\d:\d\d; 212 rows waited then: what happened since is not here yet\./).waitFor();
    await check(page, 'a silent device on its day');
    await close();
    await server.stop();
  },

  async 'a day says what its device says of itself'() {
    const server = await receiver('said');
    await tell(server, 'fast', { clock_unix_ms: Date.now() + 3 * 3_600_000 + 5000 });
    await tell(server, 'slow', { clock_unix_ms: Date.now() - 7_200_000 - 60_000 });
    await tell(server, 'behind', { tables: { evenement: { waiting: 212, oldest_waiting: { age_seconds: 7300 } } } });
    await tell(server, 'right');
    const { page, open, close } = await reader(server);
    for (const [device, text] of [
      ['fast', '◆ Its clock is 3 hrs ahead: these times are too.'], ['slow', '◆ Its clock is 2 hrs behind: these times are too.'],
      ['behind', '▲ 212 rows wait on it, the oldest for 2 hrs: they are not here yet.'],
    ]) {
      await open(`/day?device=${device}`);
      await page.locator('.said').getByText(text).waitFor();
    }
    await check(page, 'what a device says of itself');
    // It follows: the rows have come.
    await tell(server, 'behind');
    await store(server, 'PIR', 'behind');
    await page.locator('.said').waitFor({ state: 'hidden' });
    await open('/day?device=right');
    await page.getByText('Nothing on this day that fits').waitFor();
    assert.equal(await page.locator('.said').isVisible(), false);
    await close();
    await server.stop();
  },

  async 'a night does not end at midnight: the list goes on, and arrows pass by days without'() {
    const server = await receiver('night');
    for (const [sensor, device, date] of [
      ['PIR', 'garage', '2025-12-10T23:50:00'], ['door', 'garage', '2025-12-10T23:59:59'], ['PIR', 'garage', '2025-12-18T00:00:01'],
      ['PIR', 'bakery', '2025-12-17T12:00:00'],
    ]) await store(server, sensor, device, date);
    const { page, open, close } = await reader(server, PHONE);
    await open('/day/2025-12-18?device=garage');
    await page.getByRole('link', { name: /^Wed,? 10 Dec.*: 2 events — show$/ }).waitFor();
    await check(page, 'the day before');
    await page.getByRole('link', { name: 'Previous day' }).click();
    await page.waitForURL(/2025-12-10\?device=garage/);
    await page.waitForFunction(() => document.querySelector('[title="Next day"]').getAttribute('href') === '/day/2025-12-18?device=garage');
    await page.getByRole('link', { name: 'Next day' }).click();
    await page.waitForURL(/2025-12-18\?device=garage/);
    await page.getByRole('link', { name: /^Wed,? 10 Dec.*: 2 events — show$/ }).click();
    await page.waitForURL(/2025-12-10\?device=garage/);
    // Without a filter the arrows go by days.
    await open('/day/2025-12-18');
    await page.getByRole('link', { name: /^Wed,? 17 Dec.*: 1 event — show$/ }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Next day' }).getAttribute('href'), '/day/2025-12-19');
    await close();
    await server.stop();
  },

  async 'a device whose day is already tomorrow is not left out without a word'() {
    const server = await receiver('tomorrow');
    const day = local(new Date(Date.now() + 86_400_000)).slice(0, 10);
    await store(server, 'PIR', 'far', `${day}T00:10:00`);
    const { page, open, close } = await reader(server);
    await open('/day');
    await page.locator('.live.on').waitFor();
    await page.getByRole('link', { name: /^By a device’s clock it is .* already: 1 event — show$/ }).waitFor();
    await check(page, 'a device ahead');
    await store(server, 'PIR', 'far', `${day}T00:11:00`);
    await page.getByRole('link', { name: /: 2 events — show$/ }).click();
    await page.waitForURL(new RegExp(day));
    await page.locator('.line').nth(1).waitFor();
    await close();
    await server.stop();
  },

  async 'times of many devices are labelled too'() {
    const server = await receiver('many');
    for (let n = 0; n < 22; n += 1) {
      await tell(server, `shop-${n}`, { utc_offset_s: 0 });
      await store(server, 'PIR', `shop-${n}`, '2025-12-18T11:00:00');
    }
    const { page, open, close } = await reader(server, { ...PHONE, timezoneId: 'Asia/Kolkata', locale: 'fr-FR' });
    await open('/day/2025-12-18');
    await page.getByText('heure de l’appareil, 16:30 ici').nth(21).waitFor();
    await check(page, 'labelled times');
    assert.ok(await page.locator('.line .what').first().evaluate((element) => element.getBoundingClientRect().width) > 60);
    await close();
    await server.stop();
  },

  async 'after hours in a hidden tab it is said since when nothing is known, and times go on'() {
    const server = await receiver('hidden');
    await tell(server, 'garage');
    const { page, open, expect, close } = await reader(server);
    expect(NOISE);
    await page.clock.install();
    await open('/');
    await page.locator('.live.on').waitFor();
    const heard = await page.evaluate(() => Date.now());
    await turn(page, true);
    await server.stop('SIGKILL');
    await page.clock.fastForward(40 * 60_000);
    await turn(page, false);
    const lost = page.getByText(/Not live since/);
    await lost.waitFor();
    const [, time] = /since (?:.*, )?([\d:]+)\./.exec(await lost.textContent());
    const minutes = [0, 20_000].map((ms) => local(new Date(heard - ms)).slice(11, 16));
    assert.ok(minutes.includes(time), `${time}, last heard at ${minutes}`);
    await pass(page, 10_000, page.locator('.c-sign').getByText('40 min'));
    await close();
  },

  async 'summer time makes no difference between two clocks of one place'() {
    const server = await receiver('summer');
    // As it was half a year ago in Paris, where both are.
    const then = new Date(Date.now() - 182 * 86_400_000);
    const name = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Paris', timeZoneName: 'longOffset' }).formatToParts(then);
    const utc_offset_s = 3600 * Number(/GMT\+0(\d)/.exec(name.find(({ type }) => type === 'timeZoneName').value)[1]);
    await tell(server, 'garage', { utc_offset_s });
    const day = then.toISOString().slice(0, 10);
    await store(server, 'PIR', 'garage', `${day}T17:30:00`);
    await silence(server, 'garage', '-182 days');
    recorder('sql', server.database, "UPDATE device_row SET row_at = unixepoch('now', '-182 days')");
    const { page, open, close } = await reader(server, { timezoneId: 'Europe/Paris' });
    const known = page.waitForResponse(/\/api\/devices\/garage$/);
    await open(`/day/${day}`);
    await page.locator('.line').first().waitFor();
    await known;
    await page.evaluate(() => new Promise((resolve) => { setTimeout(() => requestAnimationFrame(resolve)); }));
    assert.deepEqual(await page.locator('.line .when').allTextContents(), ['17:30:00']);
    await close();
    await server.stop();
  },
};
