// What is kept and for how long, what was removed and why, and the sensors whose events are told.

import { get, send } from '../lib/api.js';
import { h, loading, setText } from '../lib/dom.js';
import { bytes, t } from '../lib/i18n.js';
import { dayName, since } from '../lib/time.js';

const PAGE = 50;

/** How long something is kept, in a sentence. */
function rule(name, days, size) {
  const parts = [days ? t('kept.days', { n: days }) : '', size ? t('kept.size', { size: bytes(size) }) : ''].filter(Boolean);
  return h('li', {}, t(name, { how: parts.join(t('kept.and')) || t('kept.for_ever') }));
}

function trouble(found) {
  if (!found) return '';
  return h('p', { class: 'notice', role: 'alert' }, t('kept.trouble', { time: since(found.since) }), found.error ? h('code', { class: 'small' }, ` ${found.error}`) : '');
}

function line(item) {
  const what = item.kind === 'media' ? `${t('clips', { n: item.rows })}, ${bytes(item.bytes)}` : t('events', { n: item.rows });
  const first = item.oldest.slice(0, 10);
  const last = item.newest.slice(0, 10);
  return h('li', {},
    h('strong', {}, dayName(item.day)), ` ${t('kept.line', { device: item.device_id, what })} `,
    h('span', { class: 'muted' }, `${t(`kept.${item.reason}`)} ${first === last ? t('kept.came', { day: dayName(first) }) : t('kept.between', { first: dayName(first), last: dayName(last) })}`));
}

function removed(items) {
  const body = h('ul', { class: 'plain' });
  const more = h('button', { hidden: true }, t('more'));
  let shown = 0;
  const show = () => {
    const added = items.slice(shown, shown + PAGE).map(line);
    body.append(...added);
    shown += added.length;
    more.hidden = shown >= items.length;
  };
  more.addEventListener('click', show);
  show();
  return items.length ? [body, more] : h('p', { class: 'muted' }, t('kept.nothing'));
}

function important(found, isAdmin, signal) {
  const said = h('p', { role: 'status', class: 'muted' });
  const lines = found.items.map((item) => {
    const made = h('li', { class: 'row' },
      h('span', {}, h('strong', {}, item.sensor), ` ${item.device_id}`),
      isAdmin && h('button', { class: 'quiet', 'aria-label': t('important.unmark', { sensor: item.sensor, device: item.device_id }), click: () => unmark(item, made) }, t('important.off')));
    return made;
  });
  async function unmark(item, made) {
    try {
      await send('PUT', '/api/important', { device_id: item.device_id, sensor: item.sensor, important: false }, signal);
      made.remove();
      setText(said, t('important.unmarked', { sensor: item.sensor }));
    } catch (error) {
      if (error.name === 'AbortError') return;
      setText(said, t(error.status === 0 ? 'error.away' : 'error.server'));
    }
  }
  return [
    found.told ? '' : h('p', { class: 'notice' }, t('important.nobody')),
    lines.length ? h('ul', { class: 'plain' }, lines) : h('p', { class: 'muted' }, t('important.none')), said,
  ];
}

export async function mount(place, params, signal, { me }) {
  const done = loading(place, 4, signal, t('loading.long'));
  try {
    const [kept, marked] = await Promise.all([get('/api/retention', {}, signal), get('/api/important', {}, signal)]);
    const { keep } = kept;
    place.append(
      h('section', { class: 'card stack' }, h('h2', {}, t('kept.rules')), trouble(kept.trouble),
        h('ul', { class: 'plain' }, rule('kept.clips', keep.clips_days, keep.clips_bytes), rule('kept.events', keep.events_days)),
        h('p', { class: 'muted' }, t('kept.pinned'))),
      h('section', { class: 'card stack' }, h('h2', {}, t('important.title')), important(marked, me.role === 'admin', signal)),
      h('section', { class: 'card stack' }, h('h2', {}, t('kept.removed')), removed(kept.items)));
  } finally {
    done();
  }
}
