// The day in words: what the timeline shows, newest first; and how its lanes are made.

import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { clock } from '../lib/time.js';
import { source } from './player.js';

const PAGE = 50;
const MOST_LANES = 14;

function grouped(items, keyOf) {
  const lanes = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!lanes.has(key)) lanes.set(key, { name: key, events: [], clips: [] });
    lanes.get(key)[item.kind === 'media' ? 'clips' : 'events'].push(item);
  }
  return [...lanes.values()].sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}

/** A lane for each sensor and camera of each device; where those are too many, one for each device. */
export function lanesOf(items, device) {
  const alone = device || new Set(items.map((item) => item.row.device_id)).size === 1;
  const fine = grouped(items, (item) => (alone ? source(item.row) : `${item.row.device_id} · ${source(item.row)}`));
  if (fine.length <= MOST_LANES || alone) {
    return { lanes: fine.slice(0, 2 * MOST_LANES), note: fine.length > 2 * MOST_LANES ? t('day.more_lanes', { n: fine.length - 2 * MOST_LANES }) : '' };
  }
  const coarse = grouped(items, (item) => item.row.device_id);
  const left = coarse.length - MOST_LANES;
  return { lanes: coarse.slice(0, MOST_LANES), note: left > 0 ? t('day.more_devices', { n: left }) : '' };
}

export function list(place, { pick, csv, readerOf }) {
  const title = h('h2', {}, t('list.title'));
  const body = h('ol', { class: 'list' });
  const more = h('button', { hidden: true }, t('more'));
  const foot = h('p', { class: 'foot', hidden: true }, more, h('a', { class: 'small', href: csv, download: '' }, t('list.csv')));
  place.append(title, body, foot);
  let items = [];
  let shown = PAGE;
  let chosen = null;
  const lines = new Map();

  function times(item) {
    const reader = readerOf(item);
    return [clock(item.s), reader ? h('span', { class: 'muted small' }, ` ${t('player.reader', { time: reader })}`) : ''];
  }

  function line(item) {
    const film = item.kind === 'media';
    const button = h('button', { type: 'button', class: 'line', click: () => pick(item) },
      h('span', { class: 'when' }, times(item)),
      h('span', { class: film ? 'mark clip' : 'mark event', 'aria-hidden': 'true' }, film ? '▶' : '•'),
      h('span', { class: 'what' }, source(item.row), h('span', { class: 'muted small of' }, ` ${item.row.device_id}`)),
      h('span', { class: 'kind muted small' }, t(film ? 'clip' : item.row.capteur.etat === 0 ? 'event.off' : 'event')));
    const made = h('li', {}, button);
    lines.set(item, button);
    if (item === chosen) button.setAttribute('aria-current', 'true');
    return made;
  }

  function draw() {
    const [focused] = [...lines].find(([, button]) => button === document.activeElement) ?? [];
    lines.clear();
    body.replaceChildren(...items.slice(0, shown).map(line));
    lines.get(focused)?.focus({ preventScroll: true });
    more.hidden = shown >= items.length;
    foot.hidden = items.length === 0;
  }
  more.addEventListener('click', () => {
    const added = items.slice(shown, shown + PAGE);
    body.append(...added.map(line));
    shown += PAGE;
    more.hidden = shown >= items.length;
    // The button may be gone: on with what it brought.
    if (more.hidden) lines.get(added[0])?.focus({ preventScroll: true });
  });

  function select(item, focus) {
    lines.get(chosen)?.removeAttribute('aria-current');
    chosen = item;
    const index = items.indexOf(item);
    if (index >= shown) {
      shown = index + PAGE;
      draw();
    }
    const button = lines.get(item);
    button?.setAttribute('aria-current', 'true');
    if (focus) button?.focus();
  }

  return {
    set(all) {
      items = [...all].reverse();
      body.classList.toggle('one-device', new Set(items.map((item) => item.row.device_id)).size === 1);
      title.hidden = items.length === 0;
      draw();
    },
    select,
    /** In the lines that are there: whoever presses one just now has it still. */
    showReaders() {
      for (const [item, button] of lines) button.querySelector('.when').replaceChildren(...times(item));
    },
    step(by, choose) {
      const item = items[Math.min(items.length - 1, Math.max(0, items.indexOf(chosen) + by))];
      if (!item) return false;
      choose(item);
      const button = lines.get(item);
      button?.focus();
      return true;
    },
  };
}
