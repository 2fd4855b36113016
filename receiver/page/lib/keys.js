// Keys. One letter does something only outside of fields, without Ctrl, Alt or Meta, and where the reader has not
// switched them off.

const layers = [];
let pending = '';
let pendingAt = 0;

function storedOff() {
  try {
    return localStorage.getItem('keys') === 'off';
  } catch {
    return false;
  }
}

let off = storedOff();
export function keysAreOff() {
  return off;
}
export function switchKeys(isOff) {
  off = isOff;
  try {
    localStorage.setItem('keys', isOff ? 'off' : 'on');
  } catch {
    // Then it holds for this page alone.
  }
}

/** Listens to keys by name until `signal` is aborted; the newest layer is asked first. A binding that gives `false`
 * passes the key on. */
export function bind(bindings, signal) {
  layers.unshift(bindings);
  signal?.addEventListener('abort', () => layers.splice(layers.indexOf(bindings), 1));
}

function inField(target) {
  return target.closest?.('input, select, textarea, [contenteditable]');
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (event.key !== 'Escape' && (off || inField(event.target))) return;
  if (event.key === ' ' && event.target.closest?.('button, a, summary, video, [role=slider]')) return;
  if (event.key === 'Enter' && event.target.closest?.('button, a, summary, video')) return;
  if (event.key.startsWith('Arrow') && event.target.closest?.('video, [role=slider]')) return;
  const chord = performance.now() - pendingAt < 1500 ? `${pending} ${event.key}` : '';
  pending = '';
  if (event.key === 'g') {
    pending = 'g';
    pendingAt = performance.now();
  }
  for (const name of [chord, event.key]) {
    for (const layer of layers) {
      if (name && layer[name] && layer[name](event) !== false) {
        event.preventDefault();
        return;
      }
    }
  }
});
