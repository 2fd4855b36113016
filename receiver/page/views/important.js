// The sensor of the chosen moment: important or not, for those who may say so.

import { get, send } from '../lib/api.js';
import { h, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

/** What the receiver calls a sensor: its name, or its id where it has none. */
const nameOf = (row) => String(row.capteur.nom ?? row.capteur.id ?? '');

/** A button beside the list; `show` gives it the event that is chosen, or none. */
export function importantButton({ me, signal }) {
  const button = h('button', { class: 'important small', hidden: true, 'aria-pressed': 'false' });
  let marked = null;
  let row = null;
  const key = (device, sensor) => JSON.stringify([device, sensor]);
  const isMarked = () => marked.has(key(row.device_id, nameOf(row)));

  function draw() {
    button.hidden = !row || !marked || nameOf(row) === '';
    if (button.hidden) return;
    button.setAttribute('aria-pressed', String(isMarked()));
    setText(button, `${isMarked() ? '★' : '☆'} ${t('important.mark', { sensor: nameOf(row) })}`);
  }

  button.addEventListener('click', async () => {
    const of = row;
    const important = !isMarked();
    try {
      await send('PUT', '/api/important', { device_id: of.device_id, sensor: nameOf(of), important }, signal);
      marked[important ? 'add' : 'delete'](key(of.device_id, nameOf(of)));
      dispatchEvent(new CustomEvent('say', { detail: t(important ? 'important.marked' : 'important.unmarked', { sensor: nameOf(of) }) }));
      draw();
    } catch (error) {
      if (error.name !== 'AbortError') setText(button, t(error.status === 0 ? 'error.away' : 'error.server'));
    }
  });

  async function learn() {
    const found = await get('/api/important', {}, signal).catch(() => null);
    if (!found) return;
    marked = new Set(found.items.map((item) => key(item.device_id, item.sensor)));
    draw();
  }
  if (me.role === 'admin') learn();

  return {
    element: button,
    show(item) {
      row = item?.kind === 'media' ? null : item?.row;
      draw();
    },
  };
}
