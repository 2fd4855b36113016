// A new device: its name in, the text for its settings file out, and then its first sign.

import { get, send, serverNow } from '../lib/api.js';
import { every, h, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { onRow } from '../lib/live.js';
import { since } from '../lib/time.js';

async function copy(text, area, said) {
  try {
    // Not there on plain http in a home network: then the text is selected for the reader's own Ctrl+C.
    await navigator.clipboard.writeText(text);
    setText(said, t('add.copied'));
  } catch {
    area.focus();
    area.select();
    setText(said, document.execCommand('copy') ? t('add.copied') : t('add.select'));
  }
}

/** On another machine this name means that machine. */
const isLoopback = /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);

/** The address as a device's settings have it; null where it is none. What is left out is as it is here. */
function addressOf(text) {
  if (/\s/.test(text)) return null;
  const { port, protocol } = location;
  const hasScheme = /^[a-z]+:\/\//i.test(text);
  try {
    const url = new URL(hasScheme ? text : `${protocol}//${text}`);
    if (!hasScheme && !/:\d+(\/|$)/.test(text)) url.port = port;
    const isPlain = /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash;
    return isPlain ? url.origin + url.pathname.replace(/\/+$/, '') : null;
  } catch {
    return null;
  }
}

function settings(answer, url) {
  return `BACKEND_URL=${url}\nDEVICE_ID=${answer.device_id}\nBACKEND_TOKEN=${answer.token}\n`;
}

/** What a refusal means here. */
const REFUSED = { 0: 'error.away', 400: 'add.bad_name', 403: 'add.not_yours', 409: 'add.two' };

export async function mount(place, params, signal, { me, keep }) {
  const box = h('div', { class: 'narrow' });
  place.append(box);
  if (me.role !== 'admin') {
    box.append(h('p', {}, t('add.admin')));
    return;
  }
  const name = h('input', { id: 'device', required: true, maxlength: '100', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' });
  const where = h('input', {
    id: 'address', required: true, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', inputmode: 'url', 'aria-describedby': 'why', value: me.public_url,
  });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const submit = h('button', { class: 'primary' }, t('add.make'));
  const form = h('form', { class: 'card stack' },
    h('h2', {}, t('add.step1')),
    me.tokens_needed ? '' : h('p', { class: 'notice' }, t('add.open')),
    h('label', { for: 'device' }, t('add.name')), isLoopback ? name : h('div', { class: 'joined open' }, name, submit),
    h('p', { class: 'muted' }, t('add.hint')),
    isLoopback ? [h('label', { for: 'address' }, t('add.address')), where, h('p', { class: 'muted', id: 'why' }, t('add.address.why', { here: location.host })), submit] : '',
    problem);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const device = name.value.trim();
    const url = isLoopback ? addressOf(where.value.trim()) : location.origin;
    if (!url) {
      setText(problem, t('add.bad_address'));
      where.focus();
      return;
    }
    submit.disabled = true;
    setText(problem, '');
    try {
      const answer = await send('POST', `/api/devices/${encodeURIComponent(device)}/tokens`, {}, signal);
      name.disabled = true;
      where.disabled = true;
      // Whoever puts it on the device is away from here for as long as that takes.
      keep();
      showSettings(answer, url);
      await waitForSign(answer.device_id);
    } catch (error) {
      if (error.name === 'AbortError') return;
      submit.disabled = false;
      setText(problem, t(REFUSED[error.status] ?? 'error.server'));
    }
  });
  box.append(form);
  name.focus();

  function showSettings(answer, url) {
    const text = settings(answer, url);
    const area = h('textarea', { readonly: true, rows: '4', 'aria-label': t('add.settings'), spellcheck: 'false' });
    area.value = text;
    const said = h('span', { role: 'status', class: 'muted' });
    const file = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    signal.addEventListener('abort', () => URL.revokeObjectURL(file));
    box.append(h('section', { class: 'card stack' },
      h('h2', {}, t('add.step2')), h('p', {}, t('add.where')), area,
      h('p', { class: 'row' },
        h('button', { type: 'button', click: () => copy(text, area, said) }, t('add.copy')),
        h('a', { class: 'button', href: file, download: 'sync-service.env' }, t('add.save')), said),
      h('p', { class: 'notice' }, t('add.once'))));
  }

  async function waitForSign(device) {
    const began = serverNow();
    const said = h('p', { role: 'status' }, t('add.waiting'));
    const link = h('a', { class: 'button', hidden: true, href: `/day?device=${encodeURIComponent(device)}` }, t('add.day'));
    box.append(h('section', { class: 'card stack' }, h('h2', {}, t('add.step3')), said, link));
    let seen = false;
    const look = async () => {
      if (seen || document.hidden) return;
      const found = await get(`/api/devices/${encodeURIComponent(device)}`, {}, signal).catch(() => null);
      // A device that was here before has signs from before.
      if (!found?.last_sign || Date.parse(found.last_sign) < began - 5000 || seen) return;
      seen = true;
      setText(said, t('add.ok', { time: since(found.last_sign) }));
      said.className = 'ok';
      link.hidden = false;
    };
    onRow((kind, row) => { if (row.device_id === device) look(); }, signal);
    every(3000, look, signal);
    await look();
  }
}
