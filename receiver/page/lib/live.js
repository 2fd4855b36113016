// The one stream of what is stored, while the tab is seen. What came while it was not is read after the last id.

import { get, serverNow } from './api.js';
import { t } from './i18n.js';
import { readerMoment } from './time.js';

/** The receiver says something every 15 s. A line may die without a word, in a laptop that slept above all. */
const QUIET_MS = 40_000;
/** It greets at once: a request may have gone over a dead line that the browser still had. */
const GREETING_MS = 10_000;
/** A stream that is opened anew is there within this, as a rule; until then what stood there before may stand. */
const OPENING_MS = 2000;
/** After so long away the lists are read anew: what came meanwhile is more than one goes through row by row. */
const AWAY_MS = 3_600_000;

const listeners = new Set();
const watchers = new Set();
let source = null;
let lastId = '';
let timer = 0;
let tries = 0;
let wanted = false;
let greeted = false;
let lostAt = 0;
let heardAt = 0;
let openedAt = 0;
let wasAway = false;

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
  const text = lostAt ? t('live.lost', { time: readerMoment(lostAt) }) : greeted ? t('live.on') : '';
  for (const work of watchers) work(text, greeted && !lostAt);
}

/** Follows from here on; a person is signed in. */
export function start() {
  wanted = true;
  openedAt = 0;
  wasAway = false;
  open();
}

export function stop() {
  wanted = false;
  lastId = '';
  lostAt = 0;
  heardAt = 0;
  close();
  tell();
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
  greeted = false;
}

function open() {
  close();
  if (!wanted) return;
  // The lists may have been read, and this stream begins later, or later still: what is stored between is in neither.
  if (!lastId && (document.hidden || openedAt)) wasAway = true;
  if (document.hidden) return;
  if (lastId && Math.abs(Date.now() - heardAt) > AWAY_MS) {
    lastId = '';
    wasAway = true;
  }
  openedAt = Date.now();
  setTimeout(tell, OPENING_MS);
  source = new EventSource(lastId ? `/api/live?after=${encodeURIComponent(lastId)}` : '/api/live');
  const hear = (event) => {
    lastId = event.lastEventId || lastId;
    heardAt = Date.now();
  };
  source.addEventListener('hello', (event) => {
    hear(event);
    tries = 0;
    lostAt = 0;
    greeted = true;
    tell();
    // Or the server has moved to another database, and can't tell what came meanwhile.
    if (wasAway || JSON.parse(event.data).missed) dispatchEvent(new CustomEvent('away'));
    wasAway = false;
  });
  source.addEventListener('alive', hear);
  for (const kind of ['evenement', 'media', 'device']) {
    source.addEventListener(kind, (event) => {
      hear(event);
      const row = JSON.parse(event.data);
      for (const work of listeners) work(kind, row);
    });
  }
  source.addEventListener('error', again);
}

/** Nothing is known since it was last heard: a tab may have been hidden for hours, a laptop have slept. */
function lose() {
  lostAt ||= serverNow() - Date.now() + (heardAt || openedAt);
  tell();
}

// The browser would not try again after an answer other than 200, and not say why: all of it is ours.
function again() {
  close();
  tries += 1;
  lose();
  const wait = Math.min(30_000, 1000 * 2 ** Math.min(tries - 1, 5)) * (0.5 + Math.random());
  timer = setTimeout(async () => {
    // Says "signed out" where that is the reason.
    await get('/api/me').catch(() => null);
    open();
  }, wait);
}

/** Begins again where nothing was heard for too long. */
function listen() {
  const quietMs = Date.now() - Math.max(heardAt, openedAt);
  if (!source || Math.abs(quietMs) < (greeted ? QUIET_MS : GREETING_MS)) return;
  lose();
  open();
}

function seen() {
  if (document.hidden) close();
  else if (wanted && !source) open();
  else listen();
}

setInterval(listen, 5000);
document.addEventListener('visibilitychange', seen);
document.addEventListener('resume', seen);
addEventListener('pagehide', close);
addEventListener('pageshow', seen);
// The network is back: no waiting for the next try.
addEventListener('online', () => { if (wanted) open(); });
