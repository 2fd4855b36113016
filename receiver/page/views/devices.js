// Devices: a line each, worst first. Their order changes only when the reader asks.

import { get } from '../lib/api.js';
import { every, h, loading, setText, settle, throttle } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { bind } from '../lib/keys.js';
import { onRow } from '../lib/live.js';
import { COLUMNS, STATES, fillRow, makeRow } from './device_line.js';

const PAGE = 50;
/** Devices in one answer at most. */
const MOST = 1000;
/** So many that left the list are asked for one by one at a time. */
const ASKED = 50;

/** Nobody is set up: who reads this, and what to do before that is more than one means. */
function nobody() {
  return h('div', { class: 'notice open' },
    h('p', {}, t('people.local'), ' ', h('code', {}, t('people.command'))),
    h('details', {}, h('summary', { class: 'small' }, t('people.why')), h('p', {}, t('people.local.proxy')), h('p', {}, t('people.where'))));
}

export async function mount(place, params, signal, { me }) {
  const summary = h('p', { class: 'summary' });
  const search = h('input', {
    type: 'search', placeholder: t('devices.search'), 'aria-label': t('devices.search'), value: params.get('q') ?? '',
  });
  const head = h('tr', { role: 'row' }, COLUMNS.map((column) => h('th', { role: 'columnheader', scope: 'col' }, t(column === 'plot' ? 'devices.plot.title' : `devices.${column}`))));
  const body = h('tbody', { role: 'rowgroup' });
  const table = h('table', { role: 'table', class: 'devices', 'aria-label': t('devices.title') },
    h('thead', { role: 'rowgroup' }, head), body);
  const changed = h('button', { class: 'news', hidden: true, click: sortAgain });
  const count = h('span', { class: 'muted' });
  const more = h('button', { hidden: true, click: () => loadMore() }, t('more'));
  const empty = h('div', { class: 'empty', hidden: true });
  // Whole or not at all: nothing moves under a finger.
  const bar = h('div', { class: 'bar', hidden: true }, summary, search);
  const foot = h('p', { class: 'foot', hidden: true }, count, more);
  if (me.name === null) place.append(nobody());
  place.append(bar, table, empty, foot, changed);
  table.hidden = true;

  const rows = new Map();
  let next = null;
  let state = params.get('state') ?? '';
  /** What is searched for now: answers to an older search are not waited for. */
  let searching = new AbortController();
  signal.addEventListener('abort', () => searching.abort());
  /** Whether the list that was asked for is there: 'coming', 'here', or 'failed'. */
  let list = 'coming';

  const query = (limit, cursor) => get('/api/devices', { q: search.value.trim(), state, limit, cursor }, searching.signal);

  function show(page, fresh) {
    if (fresh) {
      rows.clear();
      body.replaceChildren();
    }
    for (const device of page.devices) {
      const row = rows.get(device.device_id) ?? makeRow(device);
      rows.set(device.device_id, row);
      body.append(row.line);
      row.placed = row.state;
    }
    next = page.next;
    list = 'here';
    dispatchEvent(new CustomEvent('well'));
    finish(page);
    changed.hidden = true;
  }

  const isEmpty = (page) => rows.size === 0 && !search.value && !state && page.total === 0;

  function finish(page) {
    const chips = Object.entries(page.counts).filter(([, n]) => n > 0).map(([name, n]) => {
      const on = state === name;
      return h('button', { class: `chip ${STATES[name][1]}`, 'aria-pressed': String(on), click: () => pick(on ? '' : name) },
        h('span', { 'aria-hidden': 'true' }, STATES[name][0]), ` ${t('n', { n })} ${t(`state.${name}`)}`);
    });
    const key = `${state}|${JSON.stringify(page.counts)}`;
    if (summary.dataset.key !== key) {
      const had = summary.contains(document.activeElement);
      summary.dataset.key = key;
      summary.replaceChildren(...chips);
      if (had) summary.querySelector('[aria-pressed=true], button')?.focus();
    }
    bar.hidden = isEmpty(page);
    foot.hidden = rows.size === 0;
    setText(count, t('devices.count', { shown: rows.size, n: page.total }));
    more.hidden = next === null;
    table.hidden = rows.size === 0;
    empty.hidden = rows.size > 0;
    if (rows.size === 0) {
      const nothing = isEmpty(page);
      empty.replaceChildren(h('p', {}, t(nothing ? 'devices.empty' : 'devices.nothing')),
        nothing ? h('p', {}, h('a', { class: 'button', href: '/add' }, t('devices.first'))) : '');
    }
    const worst = Object.keys(STATES).find((name) => page.counts[name] > 0) ?? 'ok';
    dispatchEvent(new CustomEvent('worst', { detail: { colour: STATES[worst][1], counts: page.counts } }));
  }

  async function load() {
    searching.abort();
    searching = new AbortController();
    list = 'coming';
    try {
      show(await query(PAGE), true);
    } catch (error) {
      if (error.name !== 'AbortError') list = 'failed';
      throw error;
    }
  }
  async function loadMore() {
    const first = rows.size;
    show(await query(PAGE, next), false);
    // The button may be gone: on with what it brought.
    if (more.hidden) body.children[first]?.querySelector('a').focus({ preventScroll: true });
  }
  async function sortAgain() {
    await load();
    body.querySelector('a.name')?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  function pick(name) {
    state = name;
    remember();
    load();
  }
  function remember() {
    const url = new URL(location.href);
    for (const [name, value] of [['q', search.value.trim()], ['state', state]]) {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    }
    history.replaceState(history.state, '', url);
  }

  /** As many as are shown, as they are now. */
  async function readShown() {
    const page = await query(Math.min(MOST, Math.max(PAGE, rows.size)));
    while (page.next && page.devices.length < rows.size) {
      const rest = await query(MOST, page.next);
      page.devices.push(...rest.devices);
      page.next = rest.next;
    }
    return page;
  }

  /** Shown devices that the answer lacks: better by now, or pushed down by others. Those asked longest ago first. */
  async function readLost(page) {
    const there = new Set(page.devices.map((device) => device.device_id));
    const lost = [...rows].filter(([name]) => !there.has(name)).sort(([, one], [, other]) => one.askedAt - other.askedAt);
    await Promise.all(lost.slice(0, ASKED).map(async ([name, row]) => {
      const device = await get(`/api/devices/${encodeURIComponent(name)}`, {}, searching.signal).catch((error) => {
        if (error.status !== 404) throw error;
      });
      row.askedAt = performance.now();
      if (device) fillRow(row, device);
      else row.state = null;
    }));
    return lost.map(([, row]) => row);
  }

  /** What is shown changes in place; a new order waits for the reader. */
  async function refresh() {
    if (document.hidden || signal.aborted || list === 'coming') return null;
    if (list === 'failed') return load();
    const page = await readShown();
    if (rows.size === 0 && page.devices.length) return show(page, true);
    let moved = 0;
    for (const device of page.devices) {
      const row = rows.get(device.device_id);
      if (row) fillRow(row, device);
      if (row?.placed !== device.states[0]) moved += 1;
    }
    const gone = (await readLost(page)).filter((row) => row.placed !== row.state).length;
    // A filter's total lacks those that are still shown and fit no more.
    finish({ ...page, next, total: Math.max(rows.size, state ? page.total + gone : page.total) });
    changed.hidden = moved + gone === 0;
    setText(changed, t('devices.changed', { n: moved + gone }));
    return null;
  }

  /** Without an answer time goes on all the same. */
  function grow() {
    for (const row of rows.values()) if (row.state !== null) fillRow(row, row.device);
  }
  const soon = throttle(() => refresh().catch(grow), 2000);
  search.addEventListener('input', settle(() => {
    if (signal.aborted) return;
    remember();
    load();
  }, 200));
  onRow(soon, signal);
  every(10_000, soon, signal);
  document.addEventListener('visibilitychange', soon, { signal });
  const step = (by) => () => {
    const links = [...body.querySelectorAll('a.name')];
    const at = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
  };
  bind({ j: step(1), k: step(-1), '/': () => search.focus() }, signal);

  const done = loading(place, 5, signal, t('loading.long'));
  try {
    await load();
  } finally {
    done();
  }
}
