// Times. A device's are its own wall clock without a zone: they are read as if they were UTC and shown as such, so
// that no zone of the reader moves them.

import { serverNow } from './api.js';
import { locale, t, unit } from './i18n.js';

export const DAY_S = 86_400;

const shape = /^(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?/;

/** Day and second of the day of a device's date; null where it is none. */
export function wall(date) {
  const parts = typeof date === 'string' ? shape.exec(date) : null;
  if (!parts) return null;
  const [, day, hour, minute, second = '0', fraction = '0'] = parts;
  return { day, s: Number(hour) * 3600 + Number(minute) * 60 + Number(second) + Number(`0.${fraction}`) };
}

const two = (value) => String(Math.floor(value)).padStart(2, '0');

/** Second of a day → 17:30:00 */
export function clock(s, seconds = true) {
  const text = `${two(s / 3600)}:${two((s / 60) % 60)}`;
  return seconds ? `${text}:${two(s % 60)}` : text;
}

/** 17:30 or 17:30:00 → second of the day; null where it is neither. */
export function seconds(text) {
  const parts = /^(\d\d):(\d\d)(?::(\d\d))?$/.exec(text ?? '');
  return parts ? Number(parts[1]) * 3600 + Number(parts[2]) * 60 + Number(parts[3] ?? 0) : null;
}

const localDay = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** The day of a moment in UTC, by a device's clock where that is known, else by the reader's. */
export function dayOf(utcMs, offsetS) {
  return Number.isInteger(offsetS) ? new Date(utcMs + offsetS * 1000).toISOString().slice(0, 10) : localDay(new Date(utcMs));
}

/** The reader's day. */
export function today() {
  return localDay(new Date(serverNow()));
}

export function isDay(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text ?? '') && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}

export function addDays(day, count) {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * DAY_S * 1000).toISOString().slice(0, 10);
}

const dayFormat = (more) => new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC', ...more });
const [nearDay, farDay] = [dayFormat({}), dayFormat({ year: 'numeric' })];
/** Fri 20 Nov; with its year where that is another. */
export function dayName(day) {
  const format = day.slice(0, 4) === today().slice(0, 4) ? nearDay : farDay;
  return format.format(new Date(`${day}T00:00:00Z`));
}

const shortFormat = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** A device's date as people read it. */
export function moment(date) {
  const at = wall(date);
  if (!at) return date === null ? t('time.none') : String(date);
  return `${shortFormat.format(new Date(`${at.day}T00:00:00Z`))} ${clock(at.s)}`;
}

/** A length of time in its largest unit. */
export function span(s) {
  if (s < 60) return unit(Math.max(0, Math.floor(s)), 'second');
  if (s < 3600) return unit(Math.floor(s / 60), 'minute');
  if (s < DAY_S) return unit(Math.floor(s / 3600), 'hour');
  return unit(Math.floor(s / DAY_S), 'day');
}

const readerFormat = new Intl.DateTimeFormat(locale, {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
});

/** How long ago, under a day; else the day and the reader's time. */
export function ago(utc) {
  if (!utc) return t('time.never');
  const s = (serverNow() - Date.parse(utc)) / 1000;
  return s < DAY_S ? span(s) : readerFormat.format(new Date(utc));
}

/** How long it is since then: for sentences, which a day would break. */
export function since(utc) {
  return span((serverNow() - Date.parse(utc)) / 1000);
}

/** The reader's time of a moment in UTC, with its day where that is not today. */
export function readerMoment(utc) {
  const date = new Date(utc);
  return localDay(date) === today() ? readerClock(date) : readerFormat.format(date);
}

const hourFormat = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
function readerClock(ms) {
  return hourFormat.format(new Date(ms));
}

/** The reader's time of a device's moment, where the device's clock is known to show another. Both are compared as they
 * were when the device said so, so that summer time, which the two have at the same time as a rule, makes no difference of
 * its own. */
export function readersTime(date, said) {
  const at = wall(date);
  if (!at || !said) return null;
  const { offsetS, saidMs } = said;
  const here = -new Date(saidMs).getTimezoneOffset() * 60;
  if (here === offsetS) return null;
  const s = at.s + here - offsetS;
  const time = clock(((s % DAY_S) + DAY_S) % DAY_S, false);
  const days = Math.floor(s / DAY_S);
  return days === 0 ? time : `${shortFormat.format(new Date(`${addDays(at.day, days)}T00:00:00Z`))} ${time}`;
}
