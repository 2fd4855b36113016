// Tells the receiver what was seen: one request at a time, the newest clip of those gone past, until it has been taken.

import { send } from './api.js';
import { setText } from './dom.js';
import { t } from './i18n.js';

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Ends early when the network is back, or the place is left. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** What cannot be told stands in `problem`. Leaving the place does not take back what was pressed before. */
export function seenMark({ problem, signal }) {
  let wanted = 0;
  let told = 0;
  let telling = Promise.resolve();
  let isTelling = false;

  async function tell() {
    isTelling = true;
    let waitMs = FIRST_WAIT_MS;
    while (told < wanted && isTelling) {
      const clip = wanted;
      try {
        await send('PUT', '/api/new', { seen: clip });
        told = clip;
        waitMs = FIRST_WAIT_MS;
        setText(problem, '');
      } catch (error) {
        // Signed out, or gone on to another place: what is not told is shown once more, never lost.
        isTelling = !signal.aborted && error.status !== 401;
        setText(problem, t(error.status === 0 ? 'new.untold' : 'new.refused'));
        if (isTelling) await pause(waitMs, signal);
        waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
      }
    }
    isTelling = false;
  }

  return {
    set(clip) {
      wanted = Math.max(wanted, clip);
      if (!isTelling) telling = tell();
    },
    /** When all of it has been taken. */
    told: () => telling,
  };
}
