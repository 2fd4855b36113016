// What the page is tried on: a real receiver, real uploaders on recorders' databases, a real browser.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.join(here, '..', '..');
const programs = process.env.PROGRAMS ?? path.join(root, 'target', 'debug');
export const work = fs.mkdtempSync(path.join(process.env.TMPDIR ?? '/tmp', 'page-'));
export const clips = [1, 2].map((camera) => path.join(root, 'scripts', 'demo', `camera-${camera}.mp4`));
export const PASSWORD = 'correct horse battery';

/** A file as a recorder's clip. */
export function file(name, bytes) {
  const place = path.join(work, name);
  fs.writeFileSync(place, bytes);
  return place;
}

/** The beginning of an MP4 that says H.265, which this browser lacks; there is no picture in it. */
export function h265() {
  const head = Buffer.from('\0\0\0\x18ftypisom\0\0\x02\0isommp41', 'latin1');
  const entry = Buffer.from('\0\0\0\x70moov....stsd\0\0\0\0\0\0\0\x01\0\0\0\x56hvc1', 'latin1');
  return file('h265', Buffer.concat([head, entry, Buffer.alloc(90)]));
}

const running = new Set();

export function recorder(...args) {
  return execFileSync('python3', [path.join(here, 'recorder.py'), ...args], { encoding: 'utf8' }).trim();
}

function start(program, env) {
  const child = spawn(path.join(programs, program), { env, stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

function ended(child) {
  return child.exitCode !== null ? Promise.resolve() : new Promise((resolve) => { child.once('exit', resolve); });
}

/** A receiver on a folder of its own. */
export async function receiver(name, more = {}) {
  const data = path.join(work, name);
  const child = start('sync-receiver', { RECEIVER_LISTEN: '127.0.0.1:0', RECEIVER_DATA: data, ...more });
  const [line] = await new Promise((resolve) => { readline.createInterface({ input: child.stdout }).once('line', (text) => resolve([text])); });
  const url = line.replace('sync-receiver listening on ', '');
  return {
    url,
    database: path.join(data, 'receiver.db'),
    command: (args, input = '') => execFileSync(path.join(programs, 'sync-receiver'), args, { env: { RECEIVER_DATA: data }, input, encoding: 'utf8' }),
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await ended(child);
    },
  };
}

/** Stores an event of now at a server, as a device would; the name of its sensor tells it from others. */
export async function store(server, sensor, device = 'raspberry-1', date = local(new Date())) {
  const body = JSON.stringify({ date, capteur: { id: 1, nom: sensor, etat: 1 }, device_id: device, source: 'sync_service' });
  const answer = await fetch(`${server.url}/api/evenements`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  assert.equal(answer.status, 201);
}

const two = (value) => String(value).padStart(2, '0');
/** A device's date: its own wall clock. */
export const local = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.000000`;

/** One pass of an uploader. */
export async function upload(database, server, device, more = {}) {
  const child = start('sync-service', { LOCAL_DB_PATH: database, BACKEND_URL: server.url, DEVICE_ID: device, SYNC_MODE: 'once', ...more });
  child.stdout.resume();
  await ended(child);
  assert.equal(child.exitCode, 0, `sync-service ended with ${child.exitCode}`);
}

/** A server with a day of clips. */
export async function withClips(name) {
  const server = await receiver(name);
  const database = path.join(work, `${name}.db`);
  const day = recorder('make', database, ...clips);
  await upload(database, server, 'raspberry-1');
  return { server, database, day };
}

/** An uploader that follows its recorder. */
export function follow(database, server, device) {
  const child = start('sync-service', { LOCAL_DB_PATH: database, BACKEND_URL: server.url, DEVICE_ID: device, SYNC_MODE: 'realtime' });
  child.stdout.resume();
  return { stop: async () => { child.kill('SIGTERM'); await ended(child); } };
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
export const NARROW = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true };

/** With PAGE_FILES=receiver/page the files of the tree are tried, without a build. */
function fromTree(context) {
  const types = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
  return context.route('**/assets/**', (route) => {
    const name = new URL(route.request().url()).pathname.split('/').slice(3).join('/');
    route.fulfill({ path: path.join(root, process.env.PAGE_FILES, name), contentType: types[name.split('.').pop()] });
  });
}

/** With PAGE_LATE=800 every answer comes up to so many milliseconds late: what a test takes for granted shows. */
function late(context) {
  return context.route('**/*', async (route) => {
    await new Promise((resolve) => { setTimeout(resolve, Math.random() * Number(process.env.PAGE_LATE)); });
    await route.fallback().catch(() => null);
  });
}

/** A reader's own browser. Nothing may be said on its console, nothing asked of another host. */
export async function reader(server, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', colorScheme: 'light', ...DESKTOP, ...options });
  context.setDefaultTimeout(15_000);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  if (process.env.PAGE_FILES) await fromTree(context);
  if (process.env.PAGE_LATE) await late(context);
  const page = await context.newPage();
  const said = [];
  const expected = [];
  page.on('console', (message) => said.push(`${message.text()} ${message.location().url}`));
  page.on('pageerror', (error) => said.push(error.stack));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== server.url) said.push(`asked elsewhere: ${request.url()}`);
  });
  return {
    page,
    open: (place) => page.goto(server.url + place),
    /** The browser itself notes each answer that is no success: those that are meant are named. */
    expect: (pattern) => expected.push(pattern),
    close: async () => {
      const unexpected = said.filter((text) => !expected.some((pattern) => pattern.test(text)));
      assert.deepEqual(unexpected, []);
      await context.close();
    },
  };
}

/** A person's way in, by the form that stands where one came. */
export async function signIn({ page, open, expect }, name, place = '/') {
  expect(/401/);
  await open(place);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
}

/** Waits until it holds; fails after a while that no machine needs. */
export async function until(holds, what) {
  const end = Date.now() + 15_000;
  while (!await holds()) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** Time passes until something is there: a request may go over a line that is dead too, and only time tells. Two seconds
 * of the page's take a part of a real one, in which an answer can come. */
export async function pass(page, ms, wanted) {
  await page.clock.fastForward(ms);
  await until(async () => {
    if (await wanted.isVisible()) return true;
    await page.clock.fastForward(2000);
    return wanted.waitFor({ timeout: 100 }).then(() => true, () => false);
  }, 'not seen however late');
}

/** Hides the tab, or shows it: headless Chromium has no window to cover, so that the page is told as a browser tells it. */
export const turn = (page, hidden) => page.evaluate((value) => {
  Object.defineProperty(document, 'hidden', { configurable: true, value });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

/** Nothing is wider than the screen, and axe finds nothing. */
export async function check(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${what}: ${wide} px too wide`);
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const told = found.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
  assert.deepEqual(told, [], what);
}

/** Processes of the browser in which pages run. */
export async function renderers() {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
}

export async function finish() {
  await browser.close();
  for (const child of running) child.kill('SIGKILL');
  fs.rmSync(work, { recursive: true, force: true });
}
