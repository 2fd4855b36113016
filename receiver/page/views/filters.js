// Date, device, sensor and camera: what a day shows, and what is searched for.

import { get } from '../lib/api.js';
import { h, settle } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { isDay } from '../lib/time.js';

function options(select, values, chosen, every) {
  const known = [...new Set([...values, chosen].filter((value) => value !== ''))].sort((one, other) => one.localeCompare(other, undefined, { numeric: true }));
  select.replaceChildren(h('option', { value: '' }, every), ...known.map((value) => h('option', { value }, value)));
  select.value = chosen;
}

export function filters({ day, chosen, signal, apply }) {
  const date = h('input', { type: 'date', id: 'f-day', value: day, required: true });
  const names = h('datalist', { id: 'f-names' });
  const device = h('input', { id: 'f-device', list: 'f-names', value: chosen.device, placeholder: t('filter.all'), autocomplete: 'off', autocapitalize: 'none' });
  const sensor = h('select', { id: 'f-sensor' });
  const camera = h('select', { id: 'f-camera' });
  options(sensor, [], chosen.sensor, t('filter.all'));
  options(camera, [], chosen.camera, t('filter.all'));
  const field = (input, label) => h('div', {}, h('label', { for: input.id }, t(label)), input);
  const form = h('form', { class: 'filters' }, field(date, 'filter.day'), field(device, 'filter.device'), field(sensor, 'filter.sensor'),
    field(camera, 'filter.camera'), h('button', { class: 'hidden-submit' }, t('filter.apply')));
  const active = Object.values(chosen).filter(Boolean);
  // Open where there is room for it, and where it explains what is shown.
  const wide = matchMedia('(min-width: 60rem)').matches;
  const element = h('details', { class: 'filter', open: wide || active.length > 0 },
    h('summary', {}, t('filter.title'), active.length ? h('span', { class: 'muted' }, ` ${active.join(' · ')}`) : ''), form,
    active.length ? h('a', { class: 'small', href: `/day/${day}` }, t('day.no_filter')) : '');

  let suggested = [];
  const suggest = settle(async () => {
    const page = await get('/api/devices', { q: device.value.trim(), limit: 20 }, signal).catch(() => null);
    if (!page) return;
    suggested = page.devices.map((found) => found.device_id);
    names.replaceChildren(...suggested.map((value) => h('option', { value })));
  }, 150);
  element.append(names);
  device.addEventListener('focus', suggest, { once: true });
  device.addEventListener('input', suggest);

  const submit = () => {
    if (!isDay(date.value)) return;
    // A sensor or a camera of one device says nothing about another.
    const other = device.value.trim() !== chosen.device;
    apply({ day: date.value, device: device.value.trim(), sensor: other ? '' : sensor.value, camera: other ? '' : camera.value });
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  for (const input of [device, sensor, camera]) input.addEventListener('change', submit);
  // Typing a date passes through other dates: only a choice in the calendar, or Enter, goes there.
  let isTyped = false;
  date.addEventListener('keydown', () => { isTyped = true; });
  date.addEventListener('pointerdown', () => { isTyped = false; });
  date.addEventListener('change', () => { if (!isTyped) submit(); });

  return {
    element,
    focus() {
      element.open = true;
      device.focus();
    },
    know(items) {
      const text = (value) => (value === null || value === undefined ? '' : String(value));
      options(sensor, items.map((item) => text(item.row.capteur.nom ?? item.row.capteur.id)), chosen.sensor, t('filter.all'));
      options(camera, items.map((item) => text(item.row.numero_camera)), chosen.camera, t('filter.all'));
    },
  };
}
