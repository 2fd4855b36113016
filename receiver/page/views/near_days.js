// The days around one that have something: a night does not end at midnight, nor do a device's day and the reader's.

import { get } from '../lib/api.js';
import { h } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { dayName, wall } from '../lib/time.js';
import { range } from './day_rows.js';

export function nearDays({ day, chosen, signal }) {
  const { from, to } = range(day);
  const { device, sensor, camera } = chosen;

  async function first(order, bound) {
    const pages = await Promise.all([
      camera ? { items: [] } : get('/api/evenements', { device, sensor, limit: 1, order, ...bound }, signal),
      get('/api/media', { device, sensor, camera, limit: 1, order, ...bound }, signal),
    ]);
    return pages.flatMap((page) => page.items).map((row) => (wall(row.date) ?? wall(row.received_at)).day).sort();
  }

  return {
    earlier: async () => (await first('desc', { to: from })).at(-1),
    later: async () => (await first('asc', { from: to }))[0],
    /** A day in a line that leads there. */
    async line(other, href, key = 'day.other') {
      const { hours } = await get('/api/hours', { day: other, device, sensor, camera }, signal);
      const total = (name) => hours.reduce((sum, hour) => sum + hour[name], 0);
      const what = ['events', 'clips'].filter((name) => total(name) > 0).map((name) => t(name, { n: total(name) })).join(', ');
      return h('a', { class: 'button', href }, t(key, { day: dayName(other), what }));
    },
  };
}
