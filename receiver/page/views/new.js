// What came since one last looked: clips in the order in which they came, gone through with one key, and finished.

import { get, send } from '../lib/api.js';
import { h, loading, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { bind } from '../lib/keys.js';
import { onRow } from '../lib/live.js';
import { clock, wall } from '../lib/time.js';
import { player } from './player.js';

export async function mount(place, params, signal, { me, newClips }) {
  const bar = h('p', { class: 'summary', role: 'status' });
  const next = h('button', { class: 'primary', click: () => step(1) }, t('new.next'));
  const all = h('button', { class: 'quiet', click: finish }, t('new.all'));
  const link = h('a', { href: '/day' }, t('new.day'));
  const row = h('p', { class: 'row queue', hidden: true }, next, all, link);
  const stage = h('div', { class: 'wide' });
  place.append(bar, row, stage);
  const shown = player(stage, { me, signal, step });
  let queue = [];
  let index = -1;
  let left = 0;

  async function load() {
    const page = await get('/api/new', { limit: 50 }, signal);
    queue = page.items;
    left = page.count;
    index = -1;
    newClips(left);
  }

  function show() {
    const clip = queue[index];
    const had = row.contains(document.activeElement);
    row.hidden = !clip;
    if (!clip) {
      if (had) document.querySelector('h1').focus();
      setText(bar, t('new.none'));
      shown.clear(t('new.none.more'));
      return;
    }
    setText(bar, t('new.left', { n: left }));
    setText(next, t(left > 1 ? 'new.next' : 'new.last'));
    const at = wall(clip.date) ?? wall(clip.received_at);
    link.href = `/day/${at.day}?device=${encodeURIComponent(clip.device_id)}&at=${clock(at.s)}&clip=${clip.id}`;
    shown.play(clip);
  }

  /** Going on is having seen; going back takes nothing back. */
  async function step(by) {
    if (by < 0) {
      if (index > 0) {
        index -= 1;
        left += 1;
        show();
      }
      return;
    }
    const clip = queue[index];
    if (clip) {
      await send('PUT', '/api/new', { seen: clip.id }, signal);
      left = Math.max(0, left - 1);
      newClips(left);
    }
    index += 1;
    if (index >= queue.length) {
      await load();
      index = 0;
    }
    show();
  }

  async function finish() {
    const page = await get('/api/new', { limit: 1 }, signal);
    await send('PUT', '/api/new', { seen: page.newest }, signal);
    await load();
    index = 0;
    show();
  }

  onRow((kind) => {
    if (kind !== 'media') return;
    left += 1;
    if (queue[index]) setText(bar, t('new.left', { n: left }));
    else if (index >= 0) load().then(() => { index = 0; show(); }).catch(() => null);
  }, signal);
  bind({ Enter: () => (queue[index] ? step(1) : false) }, signal);

  const done = loading(place, 2, signal, t('loading.long'));
  try {
    await load();
    index = 0;
    show();
  } finally {
    done();
  }
}
