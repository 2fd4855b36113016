// The language of the page: the reader's choice, else the browser's. Both dictionaries have the same keys (a test
// compares them).

const KNOWN = ['en', 'fr'];

function stored() {
  try {
    return localStorage.getItem('language');
  } catch {
    return null; // Storage may be switched off.
  }
}

function choose() {
  const wanted = [stored(), ...navigator.languages].map((name) => name?.slice(0, 2));
  return wanted.find((name) => KNOWN.includes(name)) ?? 'en';
}

export const language = choose();
/** As the reader's region writes dates and numbers. */
export const locale = navigator.languages.find((name) => name.slice(0, 2) === language) ?? language;
const { words } = await import(`../words/${language}.js`);
const plural = new Intl.PluralRules(locale);

/** Adds the words of the places that not every visit opens. */
export async function moreWords() {
  Object.assign(words, (await import(`../words/${language}_more.js`)).words);
}

/** The text of `key`; `{name}` stands for a parameter, `n` chooses the plural. */
export function t(key, params = {}) {
  const entry = words[key];
  const text = typeof entry === 'object' ? (entry[plural.select(params.n)] ?? entry.other) : entry;
  return (text ?? key).replace(/\{(\w+)\}/g, (whole, name) => {
    const value = params[name];
    return typeof value === 'number' ? number(value) : (value ?? whole);
  });
}

export function setLanguage(name) {
  try {
    localStorage.setItem('language', name);
  } catch {
    return; // Without storage the browser's language stays.
  }
  location.reload();
}

export const otherLanguage = KNOWN.find((name) => name !== language);

const numbers = new Intl.NumberFormat(locale);
export function number(value) {
  return numbers.format(value);
}

/** A quantity with its unit, as the language writes it, never on two lines. */
export function unit(value, name, digits = 0) {
  return new Intl.NumberFormat(locale, {
    style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits,
  }).format(value).replaceAll(' ', '\u00a0');
}

export function percent(value) {
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(value / 100);
}

export function bytes(value) {
  if (value < 1e6) return unit(value / 1e3, 'kilobyte', value < 1e4 ? 1 : 0);
  if (value < 1e9) return unit(value / 1e6, 'megabyte', value < 1e7 ? 1 : 0);
  return unit(value / 1e9, 'gigabyte', 1);
}
