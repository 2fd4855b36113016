// What is pressed does what it says, also twice, on a bad line, and on another day.

import assert from 'node:assert/strict';
import { gate } from './gate.mjs';
import { PASSWORD, check, local, reader, receiver, signIn, store, withClips } from './world.mjs';

const NOISE = /ERR_|Failed to load|503/;

export const tests = {
  async 'the address of a moment of today is of this day tomorrow too'() {
    const server = await receiver('moment');
    await store(server, 'PIR');
    const { page, open, close } = await reader(server);
    await open('/day?device=raspberry-1');
    await page.locator('.line').first().click();
    await page.waitForURL(/\?device=raspberry-1&at=/);
    // Over midnight the day that is open stays.
    const { pathname } = new URL(page.url());
    assert.ok([0, -60_000].some((ms) => pathname === `/day/${local(new Date(Date.now() + ms)).slice(0, 10)}`), pathname);
    await close();
    await server.stop();
  },

  async 'a day is gone to from the calendar at once, from the keyboard with Enter'() {
    const server = await receiver('calendar');
    for (const day of ['17', '18']) await store(server, 'PIR', 'raspberry-1', `2025-12-${day}T11:00:00`);
    const { page, open, close } = await reader(server);
    await open('/day/2025-12-18');
    await page.locator('.line').first().waitFor();
    const date = page.getByLabel('Date', { exact: true });
    // The calendar is a window of the browser's own: its choice is a value and a change.
    const choose = (day) => date.evaluate((input, value) => {
      input.value = value;
      input.dispatchEvent(new Event('change', { bubbles: true }));
    }, day);
    await date.click();
    await choose('2025-12-17');
    await page.waitForURL(/2025-12-17/);
    await date.focus();
    await page.keyboard.press('ArrowUp');
    await choose('2025-12-18');
    assert.match(page.url(), /2025-12-17/, 'typing passes through other days');
    await page.keyboard.press('Enter');
    await page.waitForURL(/2025-12-18/);
    await close();
    await server.stop();
  },

  async 'a pin that is pressed twice is one wish, and shown as it is'() {
    const { server, day } = await withClips('pin');
    const line = await gate(server);
    const { page, open, close } = await reader(line);
    await open(`/day/${day}`);
    await page.locator('.line', { hasText: 'clip' }).first().click();
    const pin = page.getByRole('button', { name: /^Pin/ });
    const id = new URL(page.url()).searchParams.get('clip');
    const wait = line.wait(/\/pin$/);
    await pin.click();
    await wait.stopped;
    // A request of its own would be answered before the first.
    await pin.click();
    await page.evaluate(() => fetch('/api/me'));
    const answered = page.waitForResponse(/\/pin$/);
    wait.release();
    await answered;
    await page.getByRole('button', { name: 'Pinned' }).waitFor();
    const { pinned } = await (await fetch(`${server.url}/api/media/${id}`)).json();
    assert.equal(pinned, true);
    await close();
    line.close();
    await server.stop();
  },

  async 'who could not be signed out is told so'() {
    const server = await receiver('shared');
    server.command(['user', 'add', 'anna', '--admin'], `${PASSWORD}\n`);
    const line = await gate(server);
    const one = await reader(line);
    const { page, open, expect, close } = one;
    expect(NOISE);
    await signIn(one, 'anna');
    await page.getByText('No device yet.').waitFor();
    line.refuse(/\/api\/session$/);
    await page.getByRole('button', { name: 'Sign out' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'You are still signed in' });
    await alert.waitFor();
    await check(page, 'still signed in');
    line.refuse(null);
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await open('/');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await close();
    line.close();
    await server.stop();
  },
};
