// The rows of a day: read once, then followed. Each is there once, whichever way it came.

import { get } from '../lib/api.js';
import { t } from '../lib/i18n.js';
import { addDays, wall } from '../lib/time.js';
import { source } from './player.js';

const PAGE = 1000;
/** Rows of a day that are held, and marks that are drawn; the hours above count all. */
const MOST = 5000;

export const range = (day) => ({ from: `${day}T00:00:00`, to: `${addDays(day, 1)}T00:00:00` });

function asItem(kind, row) {
  const at = wall(row.date) ?? wall(row.received_at);
  return { kind, row, s: at.s, day: at.day, text: `${source(row)}${kind === 'media' ? `, ${t('clip')}` : ''}` };
}

const inOrder = (one, other) => one.s - other.s || one.row.id - other.row.id;
const keyOf = (item) => `${item.kind}${item.row.id}`;

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

function count(hours, item) {
  const hour = hours[Math.floor(item.s / 3600)];
  if (hour) hour[item.kind === 'media' ? 'clips' : 'events'] += 1;
}

export function dayRows({ day, chosen, signal }) {
  const known = new Set();
  /** What came before the list was read. */
  const early = [];
  let items = [];
  let waiting = [];
  /** How many came since the list was shown: more may have come than wait. */
  let fresh = 0;
  let hours = [];
  let cut = false;
  let loaded = false;

  async function load() {
    const query = { ...range(day), device: chosen.device, sensor: chosen.sensor };
    const [events, media] = await Promise.all([
      chosen.camera ? { rows: [], cut: false } : all('/api/evenements', query, signal),
      all('/api/media', { ...query, camera: chosen.camera }, signal),
    ]);
    cut = events.cut || media.cut;
    items = [...events.rows.map((row) => asItem('evenement', row)), ...media.rows.map((row) => asItem('media', row))].sort(inOrder);
    for (const item of items) known.add(keyOf(item));
    hours = Array.from({ length: 24 }, () => ({ events: 0, clips: 0 }));
    if (cut) ({ hours } = await get('/api/hours', { day, device: chosen.device, sensor: chosen.sensor, camera: chosen.camera }, signal));
    else for (const item of items) count(hours, item);
    loaded = true;
    for (const item of early) add(item);
  }

  function add(item) {
    if (known.has(keyOf(item))) return false;
    known.add(keyOf(item));
    waiting.push(item);
    fresh += 1;
    count(hours, item);
    if (waiting.length > MOST) forget(waiting.splice(0, waiting.length - MOST));
    return true;
  }

  /** A day stays open for a day: what is past the most is counted alone. It comes no second time. */
  function forget(gone) {
    for (const item of gone) known.delete(keyOf(item));
    cut ||= gone.length > 0;
  }

  const spare = () => Math.max(0, items.length + waiting.length - MOST);

  return {
    load,
    /** A row that was stored just now: its item, where it belongs here and is new. */
    take(kind, row) {
      if (kind !== 'evenement' && kind !== 'media') return null;
      const item = asItem(kind, row);
      if (item.day !== day || (chosen.device && row.device_id !== chosen.device)) return null;
      if (chosen.sensor && String(row.capteur.nom ?? row.capteur.id) !== chosen.sensor) return null;
      if (chosen.camera && String(row.numero_camera ?? '') !== chosen.camera) return null;
      if (!loaded) {
        early.push(item);
        return null;
      }
      return add(item) ? item : null;
    },
    /** The reader asks for what waits: it joins the rest; the newest of it. */
    join() {
      const newest = waiting.at(-1);
      items = [...items, ...waiting].sort(inOrder);
      waiting = [];
      fresh = 0;
      forget(items.splice(0, spare()));
      return newest;
    },
    get items() { return items; },
    /** The marks to draw: what waits is among them already. */
    get marks() { return [...items.slice(spare()), ...waiting]; },
    get fresh() { return fresh; },
    get hours() { return hours; },
    get cut() { return cut || spare() > 0; },
  };
}
