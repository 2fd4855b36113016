// A device's line in the list: its state, what holds of it, and its figures. It changes in place.

import { h, setText, svg } from '../lib/dom.js';
import { percent, t } from '../lib/i18n.js';
import { ago, dayOf, since, span } from '../lib/time.js';

export const COLUMNS = ['state', 'device', 'sign', 'waiting', 'disk', 'clock', 'version', 'plot'];
/** Shape and colour of a state; the word beside it says the same. */
export const STATES = {
  silent: ['✕', 'bad'], disk_low: ['■', 'bad'], backlog: ['▲', 'warn'], clock_off: ['◆', 'warn'], late: ['◐', 'warn'],
  new: ['○', 'muted'], ok: ['●', 'ok'],
};

function badge(state) {
  const [shape, colour] = STATES[state] ?? STATES.new;
  return h('span', { class: `badge ${colour}` }, h('span', { 'aria-hidden': 'true' }, `${shape} `), t(`state.${state}`));
}

/** The backlog of the last day, an hour a step. */
function plot(hours) {
  const known = hours.filter((value) => value !== null);
  const most = Math.max(...known, 1);
  const name = known.length ? t('devices.plot', { n: Math.max(...known) }) : t('devices.plot.none');
  const drawing = svg('svg', { class: 'plot', viewBox: '0 0 96 24', preserveAspectRatio: 'none', role: 'img', 'aria-label': name });
  drawing.append(svg('line', { class: 'zero', x1: 0, x2: 96, y1: 23.5, y2: 23.5 }));
  // Two shapes, not a shape an hour: a page has many plots.
  const paths = { zero: '', some: '' };
  hours.forEach((value, hour) => {
    if (value === null) return;
    const height = value === 0 ? 1.5 : 3 + (19 * value) / most;
    paths[value === 0 ? 'zero' : 'some'] += `M${hour * 4} 24v-${height.toFixed(1)}h3V24z`;
  });
  for (const [kind, d] of Object.entries(paths)) if (d) drawing.append(svg('path', { class: kind, d }));
  return drawing;
}

/** Said beside a state: seen only where the line is lost. */
export function lastKnown() {
  return h('span', { class: 'known' }, ` ${t('devices.known')}`);
}

/** What holds, in a sentence each. */
function sentences(device) {
  const facts = {
    silent: () => t('devices.silent', { time: since(device.last_sign) }),
    disk_low: () => t('devices.disk_low', { percent: percent(device.disk_free_percent) }),
    backlog: () => t('devices.backlog', { n: device.waiting, time: span(device.oldest_waiting_s) }),
    clock_off: () => t('devices.clock_off', { time: span(Math.abs(device.clock_off_s)) }),
    late: () => t('devices.late', { time: since(device.last_sign) }),
    new: () => t('devices.new'),
  };
  const [worst, ...others] = device.states.map((state) => facts[state]?.()).filter(Boolean);
  const rest = others.join(' ');
  return [worst, rest && device.states[0] === 'silent' ? t('devices.known.then', { what: rest }) : rest].filter(Boolean).join(' ');
}

// What it said when it last spoke says nothing of now.
const isSilent = (device) => device.states[0] === 'silent';

function diskText(device) {
  return isSilent(device) || device.disk_free_percent === null ? '–' : percent(device.disk_free_percent);
}

function clockText(device) {
  const offS = device.clock_off_s;
  if (isSilent(device) || offS === null) return '–';
  return Math.abs(offS) <= 60 ? t('devices.clock.right') : t('devices.clock.off', { time: span(Math.abs(offS)) });
}

function waitingText(device) {
  if (isSilent(device)) return t('devices.unknown');
  if (device.waiting === null) return '–';
  if (!device.waiting || device.oldest_waiting_s === null) return t('n', { n: device.waiting });
  return `${t('n', { n: device.waiting })}, ${span(device.oldest_waiting_s)}`;
}

/** Where to look: of a silent device the day of its last sign, not one that has nothing yet. */
function dayHref(device) {
  const day = isSilent(device) ? `/${dayOf(Date.parse(device.last_sign), device.utc_offset_s)}` : '';
  return `/day${day}?device=${encodeURIComponent(device.device_id)}`;
}

export function fillRow(row, device) {
  const [state, name, sign, waiting, disk, clock, version, day] = row.cells;
  row.device = device;
  if (row.state !== device.states[0]) {
    row.state = device.states[0];
    state.replaceChildren(badge(row.state), lastKnown());
  }
  const href = dayHref(device);
  if (row.link.getAttribute('href') !== href) row.link.setAttribute('href', href);
  setText(name.querySelector('.why'), sentences(device));
  setText(sign, ago(device.last_sign));
  setText(waiting, waitingText(device));
  setText(disk, diskText(device));
  setText(clock, clockText(device));
  setText(version, device.version ?? '–');
  const key = device.backlog_day.join();
  if (row.plotKey !== key) {
    row.plotKey = key;
    // Nothing to draw of a device that says nothing of itself.
    day.replaceChildren(...(device.backlog_day.some((value) => value !== null) ? [plot(device.backlog_day)] : []));
    day.classList.toggle('flat', !device.backlog_day.some((value) => value > 0));
  }
}

export function makeRow(device) {
  const link = h('a', { href: '/day', class: 'name' }, device.device_id);
  const cells = COLUMNS.map((column) => h('td', { role: 'cell', class: `c-${column}`, 'data-label': t(`devices.${column}`) }));
  cells[1].append(link, h('span', { class: 'why' }));
  const line = h('tr', { role: 'row', 'data-device': device.device_id }, cells);
  const row = { line, cells, link };
  fillRow(row, device);
  row.placed = row.state;
  row.askedAt = 0;
  return row;
}
