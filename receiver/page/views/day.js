// A day: hours, lanes, list and player. Its filters are the search; the address holds all of it.

import { address } from '../lib/api.js';
import { every, h, loading, setText, throttle } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { bind } from '../lib/keys.js';
import { onRow } from '../lib/live.js';
import { learnOffsets, offsetOf } from '../lib/offsets.js';
import { addDays, clock, dayName, isDay, moment, readersTime, seconds, today, wall } from '../lib/time.js';
import { dayRows, range } from './day_rows.js';
import { deviceSaid } from './device_said.js';
import { filters } from './filters.js';
import { importantButton } from './important.js';
import { lanesOf, list } from './list.js';
import { nearDays } from './near_days.js';
import { player, source } from './player.js';
import { histogram, timeline } from './timeline.js';

/** A clip that begins within this of an event shows it. */
const BEFORE_S = 30;
const AFTER_S = 90;

export async function mount(place, params, signal, { day: wanted, me, go, title }) {
  const day = isDay(wanted) ? wanted : today();
  title(dayName(day));
  const chosen = Object.fromEntries(['device', 'sensor', 'camera'].map((name) => [name, params.get(name) ?? '']));
  const here = (other, changes = {}) => address(`/day/${other}`, { ...chosen, ...changes });
  const isToday = day === today();

  const near = nearDays({ day, chosen, signal });
  const arrow = (by, key, text) => h('a', { class: 'button quiet', href: here(addDays(day, by)), 'aria-label': t(key), title: t(key) }, text);
  const [previous, following] = [arrow(-1, 'day.previous', '‹'), arrow(1, 'day.next', '›')];
  const bar = h('div', { class: 'bar' },
    h('div', { class: 'days' },
      previous,
      h('strong', {}, dayName(day)),
      following));
  const filter = filters({ day, chosen, signal, apply: (values) => go(address(`/day/${values.day}`, { device: values.device, sensor: values.sensor, camera: values.camera })) });
  bar.append(filter.element);
  const hours = h('div', { class: 'hours', hidden: true });
  const lanesPlace = h('div', { hidden: true });
  const note = h('p', { class: 'muted small' });
  const empty = h('div', { class: 'empty', hidden: true });
  const news = h('button', { class: 'news', hidden: true, click: showNews });
  const tomorrow = h('button', { class: 'news', hidden: true, click: () => go(here(today())) });
  const listPlace = h('div', { class: 'moments' });
  const before = h('p', { class: 'foot' });
  const ahead = h('p', { class: 'foot', hidden: true });
  const left = h('div', { class: 'first' }, hours, lanesPlace, note, ahead, empty, listPlace, before, news, tomorrow);
  const right = h('div', { class: 'second' });
  // Whole or not at all: nothing moves when it comes.
  const columns = h('div', { class: 'columns', hidden: true }, right, left);
  const device = deviceSaid(chosen.device, signal);
  place.append(bar, device.element, columns);

  const shown = player(right, { me, signal, step, ended });
  const lanes = timeline(lanesPlace, { signal, pick, moved: throttle(() => null, 250) });
  const bars = histogram((hour) => lanes.show(hour * 3600, (hour + 1) * 3600));
  hours.append(bars.element);
  const rows = list(listPlace, {
    pick, csv: address('/api/evenements.csv', { ...range(day), device: chosen.device, sensor: chosen.sensor }),
    readerOf: (item) => readersTime(item.row.date, offsetOf(item.row.device_id)),
  });
  const important = importantButton({ me, signal });
  // Beside the heading: the list must not move when it comes.
  listPlace.firstChild.after(important.element);
  const data = dayRows({ day, chosen, signal });
  let at = null;

  const clips = () => data.items.filter((item) => item.kind === 'media');

  function remember(item) {
    const url = new URL(location.href);
    // A moment of today is one of this day still when its address is opened tomorrow.
    url.pathname = `/day/${day}`;
    url.searchParams.set('at', clock(item.s));
    if (item.kind === 'media') url.searchParams.set('clip', item.row.id);
    else url.searchParams.delete('clip');
    history.replaceState(history.state, '', url);
  }

  function pick(item, { focus = false, begin = true } = {}) {
    at = item;
    lanes.select(item.s);
    rows.select(item, focus);
    important.show(item);
    remember(item);
    const film = item.kind === 'media' ? item : filmOf(item);
    if (!film) return;
    shown.play(film.row, { begin });
    if (begin) shown.reveal();
  }

  /** The clip that was made of an event, as far as time tells. */
  function filmOf(event) {
    const near = clips().filter((item) => item.row.device_id === event.row.device_id && item.s - event.s > -BEFORE_S && item.s - event.s < AFTER_S);
    return near.sort((one, other) => Math.abs(one.s - event.s) - Math.abs(other.s - event.s))[0];
  }

  /** The next clip of the day, seen from the moment that is chosen. */
  function beside(by) {
    const films = clips().sort((one, other) => one.s - other.s || one.row.id - other.row.id);
    const index = films.findIndex((item) => item.row.id === shown.clip?.id);
    const from = at?.s ?? (by > 0 ? -1 : Infinity);
    if (index >= 0) return films[index + by];
    return by > 0 ? films.find((item) => item.s >= from) : films.findLast((item) => item.s <= from);
  }
  function step(by) {
    const found = beside(by);
    if (found) pick(found);
  }

  /** What the end of a clip offers, over its last picture. */
  function ended() {
    const film = beside(1);
    return film && h('button', { class: 'primary', click: () => step(1) }, t('player.next'), h('span', {}, ` ${clock(film.s)} · ${source(film.row)}`));
  }

  function drawMarks() {
    const { marks } = data;
    const made = lanesOf(marks, chosen.device);
    lanes.set(made.lanes);
    bars.set(data.hours);
    setText(note, data.cut ? t('day.cut', { n: marks.length }) : made.note);
    const nothing = marks.length === 0;
    lanesPlace.hidden = nothing;
    hours.hidden = nothing;
    empty.hidden = !nothing;
    news.hidden = data.fresh === 0;
    setText(news, t('day.news', { n: data.fresh }));
  }

  function draw() {
    drawMarks();
    rows.set(data.items);
  }

  const filtered = Object.values(chosen).some(Boolean);

  function explainEmpty(earlier, later) {
    empty.replaceChildren(h('p', {}, t(filtered ? 'day.nothing_found' : 'day.nothing')), h('p', { class: 'row' },
      earlier ? h('a', { class: 'button', href: here(earlier) }, t('day.last_before', { day: dayName(earlier) })) : '',
      later ? h('a', { class: 'button', href: here(later) }, t('day.first_after', { day: dayName(later) })) : '',
      filtered ? h('a', { class: 'button', href: `/day/${day}` }, t('day.no_filter')) : ''));
  }

  /** A device may have a day already that the reader has not. */
  async function showAhead() {
    const later = isToday ? await near.later() : null;
    ahead.hidden = !later;
    if (later) ahead.replaceChildren(await near.line(later, here(later), 'day.ahead'));
  }

  /** The list goes on into the day before; with a filter the arrows pass by days that have nothing of it. */
  async function showNear() {
    const isEmpty = data.items.length === 0;
    const [earlier, later] = await Promise.all([near.earlier(), filtered || isEmpty ? near.later() : null]);
    if (filtered && earlier) previous.href = here(earlier);
    if (filtered && later) following.href = here(later);
    if (isEmpty) explainEmpty(earlier, later);
    else if (earlier) before.replaceChildren(await near.line(earlier, here(earlier)));
  }

  async function load() {
    // Of today alone what is ahead would move the list when it came later; without it the day is still whole.
    await Promise.all([data.load(), device.look(), showAhead().catch(() => null)]);
    done();
    columns.hidden = false;
    filter.know(data.items);
    draw();
    restore();
    // A day that is shown stays, whatever becomes of what is around it.
    const nearby = showNear().catch((error) => { if (data.items.length === 0) throw error; });
    // The times here appear when they are known: nothing waits for them.
    if (await learnOffsets(data.items.map((item) => item.row.device_id), signal)) {
      rows.showReaders();
      if (shown.clip) shown.describe();
    }
    await nearby;
  }

  /** A linked moment: its clip, else what is nearest to it. */
  function restore() {
    const { items } = data;
    const clip = items.find((item) => item.kind === 'media' && String(item.row.id) === params.get('clip'));
    const s = seconds(params.get('at'));
    if (clip) pick(clip, { begin: true });
    else if (s !== null && items.length) {
      pick(items.reduce((best, item) => (Math.abs(item.s - s) < Math.abs(best.s - s) ? item : best)));
    } else if (clips().length === 0) shown.clear(t('player.no_clips'));
    else shown.play(clips().at(-1).row, { begin: false });
  }

  /** The marks and the hours follow at once; the list waits for its reader. */
  const redraw = throttle(drawMarks, 250);
  const again = throttle(() => showAhead().catch(() => null), 2000);

  function showNews() {
    const newest = data.join();
    filter.know(data.items);
    draw();
    if (newest) pick(newest, { focus: true });
  }

  onRow((kind, row) => {
    const item = data.take(kind, row);
    if (!item) {
      if (isToday && wall(row.date)?.day > day) again();
      return;
    }
    redraw();
    dispatchEvent(new CustomEvent('say', { detail: t('day.said', { what: item.text, time: moment(row.date) }) }));
  }, signal);
  // A page that stays open over midnight must not look as if nothing happened any more.
  every(10_000, () => {
    tomorrow.hidden = !isToday || today() === day;
    setText(tomorrow, t('day.tomorrow', { day: dayName(today()) }));
  }, signal);

  bind({
    j: () => rows.step(1, pick), k: () => rows.step(-1, pick), '/': () => filter.focus(),
    Enter: () => (at ? pick(at) : false),
  }, signal);

  const done = loading(place, 5, signal, t('loading.long'));
  try {
    await load();
  } finally {
    done();
  }
}
