// Asked for at once, while the words are on their way.

import { get } from './api.js';

/** Who is here. */
export const me = get('/api/me');
me.catch(() => null);

/** The places and their addresses. */
export const PLACES = { devices: '/', day: '/day', new: '/new', kept: '/kept', add: '/add' };
const place = location.pathname.split('/')[1] || 'devices';
// Most likely it may be shown; whatever becomes of it is said when it is.
if (Object.hasOwn(PLACES, place)) import(`../views/${place}.js`).catch(() => null);
