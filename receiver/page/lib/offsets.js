// How far the devices' clocks are from UTC, as they last said, and when that was; asked for once each.

import { get, serverNow } from './api.js';

const known = new Map();
/** More devices than this on one page are not asked for one by one, but read from the list of all, up to so many pages. */
const MOST = 20;
const PAGE = 1000;
const PAGES = 3;
/** No place on earth is further from UTC. */
const FURTHEST_S = 18 * 3600;

export function offsetOf(device) {
  return known.get(device) ?? null;
}

/** Keeps what a device's own answer says of it. */
export function noteOffset(device, found) {
  const { utc_offset_s: offsetS, last_sign: sign } = found;
  const isOne = Number.isInteger(offsetS) && Math.abs(offsetS) <= FURTHEST_S;
  known.set(device, isOne ? { offsetS, saidMs: sign ? Date.parse(sign) : serverNow() } : null);
}

async function learnFromList(missing, signal) {
  let cursor = null;
  for (let pages = 0; pages < PAGES && missing.size > 0; pages += 1) {
    const page = await get('/api/devices', { limit: PAGE, cursor }, signal);
    for (const found of page.devices) {
      if (missing.delete(found.device_id)) noteOffset(found.device_id, found);
    }
    cursor = page.next;
    if (cursor === null) return;
  }
}

/** Asks for those that are not known yet; true where there is something new to show. */
export async function learnOffsets(devices, signal) {
  const missing = [...new Set(devices)].filter((device) => !known.has(device));
  if (missing.length === 0) return false;
  if (missing.length > MOST) {
    await learnFromList(new Set(missing), signal);
    return missing.some((device) => offsetOf(device) !== null);
  }
  await Promise.all(missing.map(async (device) => {
    const found = await get(`/api/devices/${encodeURIComponent(device)}`, {}, signal).catch((error) => (error.status === 404 ? {} : null));
    if (found) noteOffset(device, found);
  }));
  return missing.some((device) => offsetOf(device) !== null);
}
