// What came since one last looked: clips in the order in which they came, gone through with one key, and finished.

import { get } from '../lib/api.js';
import { h, loading, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { bind } from '../lib/keys.js';
import { onRow } from '../lib/live.js';
import { seenMark } from '../lib/seen.js';
import { clock, wall } from '../lib/time.js';
import { player, source } from './player.js';

const PAGE = 50;
/** So many before the end of what is known, more is read. */
const AHEAD = 10;

const timeOf = (clip) => wall(clip.date) ?? wall(clip.received_at);

export async function mount(place, params, signal, { me, newClips }) {
  const bar = h('p', { class: 'summary', role: 'status' });
  const next = h('button', { class: 'primary', click: () => step(1) }, t('new.next'));
  const all = h('button', { class: 'quiet', click: finish }, t('new.all'));
  const link = h('a', { href: '/day' }, t('new.day'));
  const row = h('p', { class: 'row queue', hidden: true }, next, all, link);
  const problem = h('p', { class: 'problem', role: 'alert' });
  const stage = h('div', { class: 'wide' });
  place.append(bar, row, problem, stage);
  const shown = player(stage, { me, signal, step, ended });
  const mark = seenMark({ problem, signal });
  /** All that was read, what was gone past too: going back is always possible. */
  const queue = [];
  const known = new Set();
  let index = 0;
  /** Unseen clips that are not in the queue yet, and the newest of all. */
  let beyond = 0;
  let newest = 0;
  let reading = null;

  const left = () => queue.length - index + beyond;

  function take(clip) {
    if (known.has(clip.id)) return false;
    known.add(clip.id);
    queue.push(clip);
    newest = Math.max(newest, clip.id);
    return true;
  }

  async function read() {
    const page = await get('/api/new', { limit: PAGE }, signal);
    for (const clip of page.items) take(clip);
    newest = Math.max(newest, page.newest);
    const first = page.items[0]?.id ?? Infinity;
    beyond = Math.max(0, page.count - queue.filter((clip) => clip.id >= first).length);
  }

  /** Reads on, after the receiver has heard what was seen: it counts from there. */
  function readOn() {
    reading ??= mark.told().then(read).then(() => { if (!queue[index] || !shown.clip) show(); else say(); })
      .finally(() => { reading = null; });
    return reading;
  }

  function say() {
    setText(bar, left() ? t('new.left', { n: left() }) : t('new.none'));
    setText(next, t(left() > 1 ? 'new.next' : 'new.last'));
    newClips(left());
  }

  function show() {
    const clip = queue[index];
    const had = row.contains(document.activeElement) || stage.querySelector('.over')?.contains(document.activeElement);
    row.hidden = !clip;
    say();
    if (!clip) {
      if (had) document.querySelector('h1').focus();
      shown.clear(left() ? '' : t('new.none.more'));
      return;
    }
    const at = timeOf(clip);
    link.href = `/day/${at.day}?device=${encodeURIComponent(clip.device_id)}&at=${clock(at.s)}&clip=${clip.id}`;
    shown.play(clip);
    if (had && !row.contains(document.activeElement)) next.focus();
  }

  /** Going on is having seen; going back takes nothing back. The next clip waits for no answer. */
  function step(by) {
    const clip = queue[index];
    if (by < 0 ? index === 0 : !clip) return;
    index += by;
    if (by > 0) mark.set(clip.id);
    show();
    if (by > 0 && beyond > 0 && queue.length - index < AHEAD) readOn();
  }

  /** All that the page knows of: what it has not said yet is not seen. */
  function finish() {
    index = queue.length;
    beyond = 0;
    mark.set(newest);
    show();
  }

  /** What the end of a clip offers, over its last picture. */
  function ended() {
    const clip = queue[index + 1];
    return h('button', { class: 'primary', click: () => step(1) }, t(left() > 1 ? 'new.next' : 'new.last'),
      clip && h('span', {}, ` ${clock(timeOf(clip).s)} · ${source(clip)}`));
  }

  onRow((kind, clip) => {
    if (kind !== 'media' || known.has(clip.id)) return;
    const was = queue[index];
    newest = Math.max(newest, clip.id);
    if (beyond > 0) beyond += 1;
    else take(clip);
    if (was || beyond > 0) say();
    else show();
  }, signal);
  // A key that is held says nothing of what was seen.
  const once = (event) => { if (!event.repeat) step(1); };
  bind({ n: once, Enter: (event) => (queue[index] ? once(event) : false) }, signal);
  place.addEventListener('keydown', (event) => { if (event.repeat && event.key === 'Enter') event.preventDefault(); });

  const done = loading(place, 2, signal, t('loading.long'));
  try {
    await read();
    show();
  } finally {
    done();
  }
}
