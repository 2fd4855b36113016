// A day as lanes of marks: drag moves, pinch, Ctrl and wheel, or buttons zoom. For the keyboard and a screen reader it is a
// slider over the day's moments; the list below it says the same in words.

import { h, svg } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { DAY_S, clock } from '../lib/time.js';

const LANE = 44;
const MARK_TOP = 18;
const MARK = 20;
const AXIS = 22;
const CLIP_WIDTH = 7;
const SHORTEST_S = 120;
const STEPS_S = [10, 30, 60, 300, 900, 1800, 3600, 7200, 10_800, 21_600];

export function timeline(place, { pick, moved, signal }) {
  const drawing = svg('svg', { class: 'lanes', 'aria-hidden': 'true' });
  const slider = h('div', {
    class: 'timeline', role: 'slider', tabindex: '0', 'aria-label': t('day.timeline'), title: t('day.how'), 'aria-valuemin': '0', 'aria-valuemax': String(DAY_S),
  }, drawing);
  const zoomButton = (key, text, factor) => h('button', { type: 'button', class: 'quiet', 'aria-label': t(key), title: t(key), click: () => zoom(factor, middle()) }, text);
  const buttons = h('div', { class: 'zoom' }, zoomButton('day.zoom_out', '−', 2), zoomButton('day.zoom_in', '+', 0.5),
    h('button', { type: 'button', class: 'quiet', click: () => show(0, DAY_S) }, t('day.whole')));
  place.append(buttons, slider);

  let lanes = [];
  let items = [];
  let start = 0;
  let end = DAY_S;
  let width = 0;
  let at = null;
  let frame = 0;

  const x = (s) => ((s - start) / (end - start)) * width;
  const time = (px) => start + (px / Math.max(1, width)) * (end - start);
  const middle = () => (start + end) / 2;
  const redraw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  };

  function show(from, to) {
    const length = Math.min(DAY_S, Math.max(SHORTEST_S, to - from));
    start = Math.min(DAY_S - length, Math.max(0, from));
    end = start + length;
    redraw();
    moved(start, end);
  }
  function zoom(factor, around) {
    const share = (around - start) / (end - start);
    const length = Math.min(DAY_S, Math.max(SHORTEST_S, (end - start) * factor));
    show(around - share * length, around + (1 - share) * length);
  }

  function axis(height) {
    const step = STEPS_S.find((candidate) => (candidate / (end - start)) * width >= 56) ?? DAY_S / 4;
    const parts = [];
    for (let s = Math.ceil(start / step) * step; s <= end; s += step) {
      parts.push(svg('line', { class: 'tick', x1: x(s), x2: x(s), y1: AXIS - 4, y2: height }));
      const anchor = x(s) < 20 ? 'start' : x(s) > width - 20 ? 'end' : 'middle';
      parts.push(svg('text', { class: 'hour', x: x(s), y: 13, 'text-anchor': anchor }, clock(s % DAY_S || (s ? DAY_S : 0), step < 60)));
    }
    return parts;
  }

  const tall = () => AXIS + Math.max(1, lanes.length) * LANE;

  function draw() {
    if (!width) return;
    const height = tall();
    drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const parts = axis(height);
    lanes.forEach((lane, index) => {
      const top = AXIS + index * LANE;
      parts.push(svg('line', { class: 'base', x1: 0, x2: width, y1: top + LANE - 2, y2: top + LANE - 2 }));
      for (const [kind, list] of [['event', lane.events], ['clip', lane.clips]]) {
        let path = '';
        let last = -10;
        for (const item of list) {
          const left = x(item.s);
          // Marks that fall on each other are drawn once: a day may have thousands.
          if (left < -CLIP_WIDTH || left > width || Math.abs(left - last) < 0.5) continue;
          last = left;
          path += kind === 'event' ? `M${left.toFixed(1)} ${top + MARK_TOP}v${MARK}` : `M${left.toFixed(1)} ${top + MARK_TOP + 2}h${CLIP_WIDTH}v${MARK - 4}h-${CLIP_WIDTH}z`;
        }
        if (path) parts.push(svg('path', { class: kind, d: path }));
      }
      parts.push(svg('text', { class: 'lane', x: 4, y: top + 13 }, lane.name));
    });
    if (at !== null && at >= start && at <= end) {
      parts.push(svg('line', { class: 'cursor', x1: x(at), x2: x(at), y1: AXIS - 4, y2: height }));
    }
    drawing.replaceChildren(...parts);
  }

  function say() {
    slider.setAttribute('aria-valuenow', String(Math.round(at ?? 0)));
    const item = items.find((candidate) => candidate.s === at);
    slider.setAttribute('aria-valuetext', at === null ? t('day.no_moment') : item ? `${clock(at)}, ${item.text}` : clock(at));
  }

  /** The item nearest to a place, in the lane that was meant if it has one near. */
  function nearest(px, py) {
    const lane = lanes[Math.floor((py - AXIS) / LANE)];
    const meant = lane ? [...lane.events, ...lane.clips] : items;
    let best = null;
    for (const item of meant) {
      const centre = x(item.s) + (item.kind === 'media' ? CLIP_WIDTH / 2 : 0);
      const distance = Math.abs(centre - px) - (item.kind === 'media' ? 4 : 0);
      if (distance < 22 && (!best || distance < best.distance)) best = { item, distance };
    }
    return best?.item ?? null;
  }

  // ── Pointers ──
  const pointers = new Map();
  let dragged = 0;
  slider.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, event.clientX);
    dragged = 0;
  });
  slider.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    // Let go of where nobody told: outside, before the pointer was caught.
    if (event.buttons === 0) {
      pointers.delete(event.pointerId);
      return;
    }
    const by = event.clientX - before;
    dragged += Math.abs(by);
    if (dragged > 4) slider.setPointerCapture(event.pointerId);
    const box = slider.getBoundingClientRect();
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const [was, is] = [Math.abs(before - other), Math.abs(event.clientX - other)];
      if (was > 10 && is > 10) zoom(was / is, time((event.clientX + other) / 2 - box.left));
    } else if (dragged > 4) {
      const shift = (by / Math.max(1, width)) * (end - start);
      show(start - shift, end - shift);
    }
    pointers.set(event.pointerId, event.clientX);
  });
  for (const name of ['pointerup', 'pointercancel']) {
    slider.addEventListener(name, (event) => {
      const was = pointers.delete(event.pointerId);
      if (!was || name === 'pointercancel' || dragged > 4) return;
      const box = slider.getBoundingClientRect();
      const item = nearest(event.clientX - box.left, event.clientY - box.top);
      if (item) pick(item);
    });
  }
  // The wheel alone scrolls the page, or a tall day would hold it fast; with Ctrl it zooms, as two fingers on a pad do.
  slider.addEventListener('wheel', (event) => {
    const isAlong = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!event.ctrlKey && !event.metaKey && !isAlong) return;
    event.preventDefault();
    if (isAlong) {
      const by = (event.deltaX / Math.max(1, width)) * (end - start);
      show(start + by, end + by);
    } else zoom(event.deltaY > 0 ? 1.25 : 0.8, time(event.clientX - slider.getBoundingClientRect().left));
  }, { passive: false });

  // ── Keyboard ──
  const after = (s) => items.find((item) => item.s > s);
  const before = (s) => items.findLast((item) => item.s < s);
  const keys = {
    ArrowRight: () => after(at ?? -1), ArrowUp: () => after(at ?? -1),
    ArrowLeft: () => before(at ?? DAY_S + 1), ArrowDown: () => before(at ?? DAY_S + 1),
    Home: () => items[0], End: () => items.at(-1),
    PageDown: () => after((at ?? 0) + 3600), PageUp: () => before((at ?? DAY_S) - 3600),
  };
  slider.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === '+' || event.key === '-') zoom(event.key === '+' ? 0.5 : 2, at ?? middle());
    else if (keys[event.key]) {
      const item = keys[event.key]();
      if (item) pick(item);
    } else return;
    event.preventDefault();
  });

  const observer = new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    redraw();
  });
  observer.observe(slider);
  signal.addEventListener('abort', () => observer.disconnect());
  say();

  return {
    set(newLanes) {
      lanes = newLanes;
      // At once: what is below must not move when the marks are drawn.
      drawing.setAttribute('height', tall());
      items = lanes.flatMap((lane) => [...lane.events, ...lane.clips]).sort((one, other) => one.s - other.s);
      redraw();
      say();
    },
    select(s) {
      at = s;
      if (s !== null && (s < start || s > end)) show(s - (end - start) / 2, s + (end - start) / 2);
      redraw();
      say();
    },
    show,
    element: slider,
  };
}

const HEIGHT = 40;

/** Events and clips an hour, above the timeline. A picture, and a button over each of its hours: one stop for the keyboard,
 * with arrows from hour to hour. */
export function histogram(pick) {
  const bars = Array.from({ length: 24 }, (_, index) => ['event', 'clip'].map((name) => svg('rect', { class: name, x: index * 10 + 1, width: 8 })));
  const drawing = svg('svg', { class: 'histogram', viewBox: `0 0 240 ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' }, bars);
  const targets = bars.map((_, index) => h('button', { type: 'button', tabindex: index ? '-1' : '0', click: () => { reach(index); pick(index); } }));
  const toolbar = h('div', { class: 'targets', role: 'toolbar', 'aria-label': t('day.by_hour') }, targets);

  function reach(index) {
    for (const target of targets) target.tabIndex = target === targets[index] ? 0 : -1;
    targets[index].focus({ preventScroll: true });
  }
  toolbar.addEventListener('keydown', (event) => {
    const at = targets.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: 23 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    reach(Math.min(23, Math.max(0, to)));
  });

  return {
    element: h('div', { class: 'by-hour' }, drawing, toolbar),
    set(hours) {
      const most = Math.max(1, ...hours.map((hour) => hour.events + hour.clips));
      const total = (name) => hours.reduce((sum, hour) => sum + hour[name], 0);
      const texts = hours.map((hour, index) => t('day.hour', {
        hour: clock(index * 3600, false), events: t('events', { n: hour.events }), clips: t('clips', { n: hour.clips }),
      }));
      drawing.setAttribute('aria-label', t('day.histogram', {
        events: t('events', { n: total('events') }), clips: t('clips', { n: total('clips') }),
        busiest: texts[Math.max(0, hours.findIndex((hour) => hour.events + hour.clips === most))] ?? '',
      }));
      const scale = (n) => (n === 0 ? 0 : Math.max(1.5, (n / most) * (HEIGHT - 2)));
      hours.forEach((hour, index) => {
        const [events, clips] = [scale(hour.events), scale(hour.clips)];
        for (const [bar, y, height] of [[bars[index][0], HEIGHT - events - clips, events], [bars[index][1], HEIGHT - clips, clips]]) {
          bar.setAttribute('y', y);
          bar.setAttribute('height', height);
        }
        targets[index].title = texts[index];
        targets[index].setAttribute('aria-label', texts[index]);
      });
    },
  };
}
