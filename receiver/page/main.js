// The page's frame: who is here, which place, what is said.

import { ApiError, get, send, told } from './lib/api.js';
import { h, loading, setText, throttle } from './lib/dom.js';
import { PLACES, me as first } from './lib/first.js';
import { language, moreWords, number, otherLanguage, setLanguage, t } from './lib/i18n.js';
import { bind } from './lib/keys.js';
import * as live from './lib/live.js';

/** Places of every visit: their words come first. */
const COMMON = ['devices', 'day', 'new'];
/** Titles where nobody can sign in, by the reason. */
const NOBODY = { no_people: 'people.title', unknown_person: 'people.unknown.title' };
const ICONS = { bad: 'icon-bad', warn: 'icon-warn' };

document.documentElement.lang = language;
let me = null;
let view = null;
let unsaid = [];
/** What is shown now is not to be made anew by itself. */
let isKept = false;

// ── Frame ──
const title = h('h1', { tabindex: '-1' });
const main = h('main', { id: 'main' });
const said = h('p', { role: 'status', class: 'visually-hidden' });
const liveState = h('span', { class: 'live' });
/** Below all, where no scrolling takes it away. */
const lost = h('p', { class: 'lost', 'aria-live': 'polite' });
const links = Object.entries(PLACES).map(([name, href]) => h('a', { href, 'data-place': name }, t(`nav.${name}`)));
const newCount = h('span', { class: 'count' });
links.find((link) => link.dataset.place === 'new').append(newCount);
const nav = h('nav', { 'aria-label': t('nav.title'), hidden: true }, links);
const signOut = h('button', { class: 'quiet', hidden: true, click: leave }, t('signout'));
const header = h('header', {},
  h('a', { class: 'skip', href: '#main', click: (event) => { event.preventDefault(); title.focus(); } }, t('skip')),
  h('a', { class: 'brand', href: '/' }, t('brand')), nav,
  h('div', { class: 'tools' }, liveState,
    h('button', { class: 'quiet', lang: otherLanguage, title: t('language.other'), click: () => setLanguage(otherLanguage) }, otherLanguage.toUpperCase()),
    h('button', { class: 'quiet keys-help', 'aria-label': t('help.title'), title: t('help.title'), click: showHelp }, '?'),
    signOut));
document.querySelector('.before')?.remove();
document.body.append(header, main, lost, said);

live.onState((text, isLive) => {
  const isLost = !isLive && text !== '';
  if (isLive && lost.textContent) dispatchEvent(new CustomEvent('say', { detail: text }));
  setText(liveState, isLost ? '' : text);
  setText(lost, isLost ? text : '');
  liveState.classList.toggle('on', isLive);
  // What is shown is what was known last: each place has the words for it, seen only then.
  document.body.classList.toggle('stale', isLost);
});

/** One polite sentence at a time, and not more than one in ten seconds. */
const speak = throttle(() => {
  setText(said, unsaid.length > 1 ? t('said.more', { first: unsaid.at(-1), n: unsaid.length - 1 }) : unsaid[0]);
  unsaid = [];
}, 10_000);
addEventListener('say', (event) => {
  unsaid.push(event.detail);
  speak();
});

/** Tab and title turn with the worst state. */
function showWorst(counts, colour) {
  const needing = Object.entries(counts).reduce((sum, [state, n]) => (state === 'ok' || state === 'new' ? sum : sum + n), 0);
  document.title = `${needing ? `(${number(needing)}) ` : ''}${title.textContent} – ${t('brand')}`;
  const icon = document.querySelector('link[rel=icon]');
  icon.href = icon.href.replace(/icon-\w+/, ICONS[colour] ?? 'icon-ok');
}
addEventListener('worst', (event) => showWorst(event.detail.counts, event.detail.colour));

function newClips(n) {
  setText(newCount, n > 0 ? number(n) : '');
}
live.onRow((kind) => {
  if (kind === 'media') countNew();
}, new AbortController().signal);
const countNew = throttle(async () => {
  const page = await get('/api/new', { limit: 1 }).catch(() => null);
  if (page) newClips(page.count);
}, 2000);

/** So long away that what came meanwhile is read anew instead of row by row; the address knows the place, but not what
 * is shown only once. */
addEventListener('away', () => {
  countNew();
  if (!isKept) show();
});

async function showHelp() {
  const [view] = await Promise.all([import('./views/help.js'), moreWords()]);
  view.help();
}

// ── Places ──
function route(path) {
  if (path === '/') return ['devices', 'devices.title', {}];
  const day = /^\/day(?:\/(\d{4}-\d\d-\d\d))?\/?$/.exec(path);
  if (day) return ['day', 'day.title', { day: day[1] }];
  if (path === '/new') return ['new', 'new.title', {}];
  if (path === '/kept') return ['kept', 'kept.title', {}];
  if (path === '/add') return ['add', 'add.title', {}];
  return null;
}

let arrived = false;

async function show() {
  view?.abort();
  view = new AbortController();
  isKept = false;
  const { signal } = view;
  const found = me ? route(location.pathname) : ['sign_in', NOBODY[refusal] ?? 'signin.title', {}];
  const [name, heading, extra] = found ?? [null, 'missing.title', {}];
  setText(title, t(heading));
  document.title = `${t(heading)} – ${t('brand')}`;
  for (const link of links) {
    if (link.dataset.place === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  main.className = name ?? '';
  main.replaceChildren(title);
  // Not when the page has just come: whoever reads it begins at its start.
  if (arrived) title.focus({ preventScroll: true });
  arrived = true;
  scrollTo(0, 0);
  if (!name) {
    main.append(h('p', {}, t('missing.text')));
    return;
  }
  const place = h('div', { class: 'place' });
  main.append(place);
  const tools = {
    me, go, newClips, ...extra, reason: extra.reason ?? refusal, done: entered, keep: () => { isKept = true; },
    title: (text) => { document.title = `${text} – ${t('brand')}`; },
  };
  try {
    const [{ mount }] = await Promise.all([import(`./views/${name}.js`), COMMON.includes(name) || moreWords()]);
    if (location.hash === AGAIN) history.replaceState(history.state, '', location.pathname + location.search);
    if (!signal.aborted) await mount(place, new URLSearchParams(location.search), signal, tools);
  } catch (error) {
    if (signal.aborted || error.name === 'AbortError') return;
    const isModule = error instanceof TypeError && /import|module/i.test(error.message);
    if (!isModule && !(error instanceof ApiError)) throw error;
    const found = isModule ? await whyNoModule() : error;
    if (found && found.status !== 401 && !signal.aborted) place.replaceChildren(problem(found));
  }
}

const AGAIN = '#again';

/** Why a part of the page did not come: the line, or the receiver was renewed under an open page, whose modules have
 * other addresses now. Then the page begins again, once; never without a receiver, where the browser's own error would
 * stand in its place. */
async function whyNoModule() {
  const error = await get('/api/me').then(() => new ApiError(500), (found) => found);
  if (error.status === 0 || location.hash === AGAIN) return error;
  const url = new URL(location.href);
  url.hash = AGAIN;
  location.replace(url);
  location.reload();
  return null;
}

function problem(error, { again = show, kind = 'empty', text = t(told(error)) } = {}) {
  return h('div', { class: kind, role: 'alert' }, h('p', {}, text), h('button', { click: () => again() }, t('error.again')));
}

// What nobody waits for may fail too: said beside what is there, until it goes well.
const well = () => document.querySelector('.trouble')?.remove();
addEventListener('well', well);
function trouble(error, more) {
  well();
  document.querySelector('.place')?.append(problem(error, { ...more, kind: 'notice trouble' }));
}
addEventListener('unhandledrejection', (event) => {
  const error = event.reason;
  const isAborted = error?.name === 'AbortError';
  if (!isAborted && !(error instanceof ApiError)) return;
  event.preventDefault();
  if (isAborted || error.status === 401) return;
  trouble(error);
});

function go(href) {
  history.pushState(null, '', href);
  show();
}
addEventListener('popstate', () => show());
addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="/"]');
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || link.hasAttribute('download')) return;
  event.preventDefault();
  go(link.getAttribute('href'));
});

bind({
  'g d': () => go('/'), 'g t': () => go('/day'), 'g n': () => go('/new'), '?': showHelp,
  Escape: (event) => {
    if (document.querySelector('dialog[open]')) return false;
    event.target.blur?.();
    return true;
  },
});

// ── People ──
let refusal = null;

function entered(person) {
  me = person;
  refusal = null;
  nav.hidden = false;
  signOut.hidden = !me.sign_out;
  links.find((link) => link.dataset.place === 'add').hidden = me.role !== 'admin';
  live.start();
  countNew();
  show();
}

function left(reason) {
  if (me === null && refusal === reason && view) return;
  me = null;
  refusal = reason;
  nav.hidden = true;
  signOut.hidden = true;
  live.stop();
  show();
}

async function leave() {
  try {
    await send('DELETE', '/api/session');
  } catch (error) {
    // The session lives on: whoever leaves a shared machine must know.
    if (error.status !== 401) {
      trouble(error, { again: leave, text: t('signout.failed') });
      return;
    }
  }
  left('sign_in');
}
addEventListener('signed-out', (event) => left(event.detail ?? 'sign_in'));

async function begin(asked = get('/api/me')) {
  main.replaceChildren();
  const done = loading(main, 3, new AbortController().signal, t('loading.long'));
  try {
    const person = await asked;
    done();
    entered(person);
  } catch (error) {
    done();
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 403) left(error.reason);
    else if (error.status === 401) left(error.reason ?? 'sign_in');
    else main.replaceChildren(problem(error, { again: () => begin() }));
  }
}
await begin(first);
