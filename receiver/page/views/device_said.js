// Of a chosen device: what its day cannot show, in a line above it.

import { get } from '../lib/api.js';
import { every, h, throttle } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { onRow } from '../lib/live.js';
import { noteOffset } from '../lib/offsets.js';
import { readerMoment, span } from '../lib/time.js';
import { STATES, lastKnown } from './device_line.js';

function sentence(state, device) {
  if (state === 'silent') {
    const time = readerMoment(device.last_sign);
    return device.waiting > 0 ? t('day.silent_waiting', { time, n: device.waiting }) : t('day.silent', { time });
  }
  if (state === 'clock_off') {
    return t(device.clock_off_s > 0 ? 'day.clock_ahead' : 'day.clock_behind', { time: span(Math.abs(device.clock_off_s)) });
  }
  // Of a silent device the first line has said it.
  return state === 'backlog' && !device.states.includes('silent') ? t('day.backlog', { n: device.waiting, time: span(device.oldest_waiting_s) }) : '';
}

/** The place of the lines, and the first look, after which they follow. */
export function deviceSaid(name, signal) {
  const place = h('div', { class: 'said', hidden: true });
  let shown = '';
  async function look() {
    const device = await get(`/api/devices/${encodeURIComponent(name)}`, {}, signal).catch(() => null);
    if (!device || signal.aborted) return;
    noteOffset(name, device);
    const lines = device.states.map((state) => [state, sentence(state, device)]).filter(([, text]) => text);
    const key = JSON.stringify(lines);
    if (key === shown) return;
    shown = key;
    place.hidden = lines.length === 0;
    place.replaceChildren(...lines.map(([state, text]) => h('p', {},
      h('span', { class: STATES[state][1], 'aria-hidden': 'true' }, STATES[state][0]), ` ${text}`, lastKnown())));
  }
  if (!name) return { element: place, look: () => null };
  const again = throttle(look, 5000);
  onRow((kind, row) => { if (row.device_id === name) again(); }, signal);
  every(60_000, () => { if (!document.hidden) look(); }, signal);
  return { element: place, look };
}
