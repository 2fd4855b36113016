// A day: hours, lanes, list and player. Its filters are the search; the address holds all of it.

import { address, get } from '../lib/api.js';
import { h, loading, setText, throttle } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { bind } from '../lib/keys.js';
import { onRow } from '../lib/live.js';
import { addDays, clock, dayName, isDay, moment, readersTime, seconds, today, wall } from '../lib/time.js';
import { filters } from './filters.js';
import { lanesOf, list } from './list.js';
import { player, source } from './player.js';
import { histogram, timeline } from './timeline.js';

const PAGE = 1000;
/** Marks of a day that are drawn; the hours above count all. */
const MOST = 5000;
/** A clip that begins within this of an event shows it. */
const BEFORE_S = 30;
const AFTER_S = 90;

const range = (day) => ({ from: `${day}T00:00:00`, to: `${addDays(day, 1)}T00:00:00` });

function asItem(kind, row) {
  const at = wall(row.date) ?? wall(row.received_at);
  return { kind, row, s: at.s, day: at.day, text: `${source(row)}${kind === 'media' ? `, ${t('clip')}` : ''}` };
}

async function all(path, query, signal) {
  const rows = [];
  let cursor = null;
  do {
    const page = await get(path, { ...query, limit: PAGE, cursor }, signal);
    rows.push(...page.items);
    cursor = page.next;
  } while (cursor && rows.length < MOST);
  return { rows, cut: cursor !== null };
}

export async function mount(place, params, signal, { day: wanted, me, go, title }) {
  const day = isDay(wanted) ? wanted : today();
  title(dayName(day));
  const chosen = Object.fromEntries(['device', 'sensor', 'camera'].map((name) => [name, params.get(name) ?? '']));
  const here = (other, changes = {}) => address(`/day/${other}`, { ...chosen, ...changes });
  const query = { ...range(day), device: chosen.device, sensor: chosen.sensor };
  const wantsEvents = !chosen.camera;

  const next = addDays(day, 1);
  const bar = h('div', { class: 'bar' },
    h('div', { class: 'days' },
      h('a', { class: 'button quiet', href: here(addDays(day, -1)), 'aria-label': t('day.previous'), title: t('day.previous') }, '‹'),
      h('strong', {}, dayName(day)),
      h('a', { class: 'button quiet', href: here(next), 'aria-label': t('day.next'), title: t('day.next') }, '›')));
  const filter = filters({ day, chosen, signal, apply: (values) => go(address(`/day/${values.day}`, { device: values.device, sensor: values.sensor, camera: values.camera })) });
  bar.append(filter.element);
  const hours = h('div', { class: 'hours' });
  const lanesPlace = h('div', {});
  const note = h('p', { class: 'muted small' });
  const empty = h('div', { class: 'empty', hidden: true });
  const news = h('button', { class: 'news', hidden: true, click: showNews });
  const listPlace = h('div', {});
  const left = h('div', { class: 'first' }, hours, lanesPlace, note, empty, news, listPlace);
  const right = h('div', { class: 'second' });
  place.append(bar, h('div', { class: 'columns' }, right, left));

  const shown = player(right, { me, signal, step });
  const lanes = timeline(lanesPlace, { signal, pick, moved: throttle(() => null, 250) });
  const rows = list(listPlace, { pick, signal });
  let items = [];
  let counts = [];
  let waiting = [];
  let offset = null;
  let at = null;

  const clips = () => items.filter((item) => item.kind === 'media');

  function remember(item) {
    const url = new URL(location.href);
    url.searchParams.set('at', clock(item.s));
    if (item.kind === 'media') url.searchParams.set('clip', item.row.id);
    else url.searchParams.delete('clip');
    history.replaceState(history.state, '', url);
  }

  function pick(item, { focus = false, begin = true } = {}) {
    at = item;
    lanes.select(item.s);
    rows.select(item, focus);
    remember(item);
    const film = item.kind === 'media' ? item : filmOf(item);
    if (!film) return;
    shown.play(film.row, offset, begin);
    if (begin) shown.reveal();
  }

  /** The clip that was made of an event, as far as time tells. */
  function filmOf(event) {
    const near = clips().filter((item) => item.row.device_id === event.row.device_id && item.s - event.s > -BEFORE_S && item.s - event.s < AFTER_S);
    return near.sort((one, other) => Math.abs(one.s - event.s) - Math.abs(other.s - event.s))[0];
  }

  /** The next clip of the day, seen from the moment that is chosen. */
  function step(by) {
    const films = clips().sort((one, other) => one.s - other.s || one.row.id - other.row.id);
    const index = films.findIndex((item) => item.row.id === shown.clip?.id);
    const from = at?.s ?? (by > 0 ? -1 : Infinity);
    const found = index >= 0 ? films[index + by] : by > 0 ? films.find((item) => item.s >= from) : films.findLast((item) => item.s <= from);
    if (found) pick(found);
  }

  function draw() {
    const made = lanesOf(items, chosen.device);
    lanes.set(made.lanes);
    hours.replaceChildren(histogram(counts, (hour) => lanes.show(hour * 3600, (hour + 1) * 3600)));
    setText(note, made.note);
    const nothing = items.length === 0;
    lanesPlace.hidden = nothing;
    hours.hidden = nothing;
    empty.hidden = !nothing;
    rows.set(items, (item) => readersTime(item.row.date, offset));
  }

  async function explainEmpty() {
    const filtered = Object.values(chosen).some(Boolean);
    const camera = chosen.camera;
    const look = (order, bound) => Promise.all([
      wantsEvents ? get('/api/evenements', { device: chosen.device, sensor: chosen.sensor, limit: 1, order, ...bound }, signal) : { items: [] },
      get('/api/media', { device: chosen.device, sensor: chosen.sensor, camera, limit: 1, order, ...bound }, signal),
    ]);
    const [before, after] = await Promise.all([look('desc', { to: query.from }), look('asc', { from: query.to })]);
    const days = (pages) => pages.flatMap((page) => page.items).map((row) => (wall(row.date) ?? wall(row.received_at)).day).sort();
    const [earlier, later] = [days(before).at(-1), days(after)[0]];
    empty.replaceChildren(h('p', {}, t(filtered ? 'day.nothing_found' : 'day.nothing')), h('p', { class: 'row' },
      earlier ? h('a', { class: 'button', href: here(earlier) }, t('day.last_before', { day: dayName(earlier) })) : '',
      later ? h('a', { class: 'button', href: here(later) }, t('day.first_after', { day: dayName(later) })) : '',
      filtered ? h('a', { class: 'button', href: `/day/${day}` }, t('day.no_filter')) : ''));
  }

  async function load() {
    const [events, media, histo, device] = await Promise.all([
      wantsEvents ? all('/api/evenements', query, signal) : { rows: [], cut: false },
      all('/api/media', { ...query, camera: chosen.camera }, signal),
      get('/api/hours', { day, device: chosen.device, sensor: chosen.sensor, camera: chosen.camera }, signal),
      chosen.device ? get(`/api/devices/${encodeURIComponent(chosen.device)}`, {}, signal).catch(() => null) : null,
    ]);
    offset = device?.utc_offset_s ?? null;
    items = [...events.rows.map((row) => asItem('evenement', row)), ...media.rows.map((row) => asItem('media', row))]
      .sort((one, other) => one.s - other.s || one.row.id - other.row.id);
    counts = histo.hours;
    filter.know(items);
    draw();
    if (events.cut || media.cut) setText(note, t('day.cut', { n: items.length }));
    if (items.length === 0) await explainEmpty();
    restore();
  }

  /** A linked moment: its clip, else what is nearest to it. */
  function restore() {
    const clip = items.find((item) => item.kind === 'media' && String(item.row.id) === params.get('clip'));
    const s = seconds(params.get('at'));
    if (clip) pick(clip, { begin: true });
    else if (s !== null && items.length) {
      pick(items.reduce((best, item) => (Math.abs(item.s - s) < Math.abs(best.s - s) ? item : best)));
    } else if (clips().length === 0) shown.clear(t('player.no_clips'));
    else shown.play(clips().at(-1).row, offset, false);
  }

  /** The marks and the hours follow at once; the list waits for its reader. */
  const redraw = throttle(() => {
    const made = lanesOf([...items, ...waiting], chosen.device);
    lanes.set(made.lanes);
    lanesPlace.hidden = false;
    hours.hidden = false;
    empty.hidden = true;
    hours.replaceChildren(histogram(counts, (hour) => lanes.show(hour * 3600, (hour + 1) * 3600)));
    news.hidden = waiting.length === 0;
    setText(news, t('day.news', { n: waiting.length }));
  }, 250);

  function showNews() {
    const newest = waiting.at(-1);
    items = [...items, ...waiting].sort((one, other) => one.s - other.s || one.row.id - other.row.id);
    waiting = [];
    news.hidden = true;
    draw();
    if (newest) pick(newest, { focus: true });
  }

  onRow((kind, row) => {
    if (kind !== 'evenement' && kind !== 'media') return;
    const item = asItem(kind, row);
    if (item.day !== day || (chosen.device && row.device_id !== chosen.device)) return;
    if (chosen.sensor && String(row.capteur.nom ?? row.capteur.id) !== chosen.sensor) return;
    if (chosen.camera && String(row.numero_camera ?? '') !== chosen.camera) return;
    const known = [...items, ...waiting].some((other) => other.kind === kind && other.row.id === row.id);
    if (known) return;
    waiting.push(item);
    const hour = counts[Math.floor(item.s / 3600)];
    if (hour) hour[kind === 'media' ? 'clips' : 'events'] += 1;
    redraw();
    dispatchEvent(new CustomEvent('say', { detail: t('day.said', { what: item.text, time: moment(row.date) }) }));
  }, signal);

  bind({
    j: () => rows.step(1, pick), k: () => rows.step(-1, pick), '/': () => filter.focus(),
    Enter: () => (at ? pick(at) : false),
  }, signal);

  const done = loading(left, 4, signal, t('loading.long'));
  try {
    await load();
  } finally {
    done();
  }
}
