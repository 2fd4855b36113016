// Builds elements. Data reaches the document as text alone: nothing here reads markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; a property that is a function listens to the event of its name. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Changes a text only where it differs, so that a screen reader and the layout are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Calls `work` at once, then at most every `ms`, always for the last call. */
export function throttle(work, ms) {
  let last = -Infinity;
  let timer = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      last = performance.now();
      work();
    }, Math.max(0, last + ms - performance.now()));
  };
}

/** Waits until nothing was typed for a while. */
export function settle(work, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}

/** Repeats `work` until `signal` is aborted. */
export function every(ms, work, signal) {
  const timer = setInterval(work, ms);
  signal.addEventListener('abort', () => clearInterval(timer));
}

/** A grey shape of what is coming, after a moment in which most answers are there. */
export function loading(place, lines, signal, sentence) {
  const shape = h('div', { class: 'loading', 'aria-hidden': 'true' });
  const note = h('p', { class: 'muted' });
  const soon = setTimeout(() => {
    for (let line = 0; line < lines; line += 1) shape.append(h('div', { class: 'ghost' }));
    place.append(shape, note);
  }, 200);
  const late = setTimeout(() => { note.textContent = sentence; }, 10_000);
  const done = () => {
    clearTimeout(soon);
    clearTimeout(late);
    shape.remove();
    note.remove();
  };
  signal.addEventListener('abort', done);
  return done;
}
