// Signing in, or why nobody can yet.

import { send } from '../lib/api.js';
import { h, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

function nobody(reason) {
  const why = reason === 'unknown_person' ? 'people.unknown' : 'people.none';
  return [
    h('p', {}, t(why)),
    h('p', {}, t('people.run')),
    h('pre', {}, h('code', {}, t('people.command'))),
    h('p', { class: 'muted' }, t('people.where')),
  ];
}

export function mount(place, params, signal, { reason, done }) {
  const box = h('div', { class: 'narrow' });
  place.append(box);
  if (reason === 'no_people' || reason === 'unknown_person' || reason === 'proxy') {
    box.append(...nobody(reason));
    return;
  }
  const name = h('input', { id: 'name', name: 'username', autocomplete: 'username', required: true, autocapitalize: 'none' });
  const password = h('input', { id: 'password', name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  const show = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', click: () => {
    const shown = password.type === 'text';
    password.type = shown ? 'password' : 'text';
    show.setAttribute('aria-pressed', String(!shown));
  } }, t('signin.show'));
  const problem = h('p', { class: 'problem', role: 'alert' });
  const submit = h('button', { class: 'primary' }, t('signin.do'));
  const form = h('form', { class: 'card stack' },
    h('label', { for: 'name' }, t('signin.name')), name,
    h('label', { for: 'password' }, t('signin.password')), h('div', { class: 'joined' }, password, show),
    submit, problem);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      done(await send('POST', '/api/session', { name: name.value, password: password.value }, signal));
    } catch (error) {
      if (error.name === 'AbortError') return;
      await explain(error);
    }
    submit.disabled = false;
  });

  async function explain(error) {
    if (error.status !== 401 && error.status !== 429) {
      setText(problem, t(error.status === 0 ? 'error.away' : 'error.server'));
      return;
    }
    password.select();
    const until = performance.now() + (error.waitSeconds ?? 0) * 1000;
    const wrong = error.status === 401 ? t('signin.wrong') : '';
    // Said once; the seconds then pass in silence on the button.
    setText(problem, error.waitSeconds ? `${wrong} ${t('signin.wait', { n: error.waitSeconds })}`.trim() : wrong);
    while (performance.now() < until && !signal.aborted) {
      setText(submit, t('signin.again', { n: Math.ceil((until - performance.now()) / 1000) }));
      await new Promise((resolve) => { setTimeout(resolve, 250); });
    }
    setText(submit, t('signin.do'));
  }
  box.append(form);
  name.focus();
}
