// The one stream of what is stored, while the tab is seen. What came while it was not is read after the last id.

import { get, serverNow } from './api.js';
import { t } from './i18n.js';
import { readerClock } from './time.js';

const listeners = new Set();
const watchers = new Set();
let source = null;
let lastId = '';
let timer = 0;
let tries = 0;
let wanted = false;
let lostAt = 0;

/** Calls `work(kind, row)` for what is stored from now on. */
export function onRow(work, signal) {
  listeners.add(work);
  signal.addEventListener('abort', () => listeners.delete(work));
}

/** Calls `work(text, isLive)` when the stream begins or breaks, and at once. */
export function onState(work) {
  watchers.add(work);
  tell();
}

function tell() {
  const live = source !== null && tries === 0;
  let text = live ? t('live.on') : '';
  if (lostAt) text = t('live.lost', { time: readerClock(lostAt) });
  for (const work of watchers) work(text, live);
}

/** Follows from here on; a person is signed in. */
export function start() {
  wanted = true;
  open();
}

export function stop() {
  wanted = false;
  lastId = '';
  lostAt = 0;
  close();
  tell();
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function open() {
  close();
  if (!wanted || document.hidden) return;
  source = new EventSource(lastId ? `/api/live?after=${encodeURIComponent(lastId)}` : '/api/live');
  source.addEventListener('hello', (event) => {
    // The server has moved to another database, and can't tell what came meanwhile.
    if (JSON.parse(event.data).missed) return location.reload();
    lastId = event.lastEventId || lastId;
    tries = 0;
    lostAt = 0;
    tell();
  });
  for (const kind of ['evenement', 'media', 'device']) {
    source.addEventListener(kind, (event) => {
      lastId = event.lastEventId || lastId;
      const row = JSON.parse(event.data);
      for (const work of listeners) work(kind, row);
    });
  }
  source.addEventListener('error', again);
}

// The browser would not try again after an answer other than 200, and not say why: all of it is ours.
function again() {
  close();
  tries += 1;
  lostAt ||= serverNow();
  tell();
  const wait = Math.min(30_000, 1000 * 2 ** Math.min(tries - 1, 5)) * (0.5 + Math.random());
  timer = setTimeout(async () => {
    // Says "signed out" where that is the reason.
    await get('/api/me').catch(() => null);
    open();
  }, wait);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) close();
  else if (wanted && !source) open();
});
addEventListener('pagehide', close);
addEventListener('pageshow', () => { if (wanted && !source) open(); });
