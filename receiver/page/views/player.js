// Plays a clip, or shows a picture; says what the browser cannot play.

import { get, send, told } from '../lib/api.js';
import { h, setText } from '../lib/dom.js';
import { bytes, t } from '../lib/i18n.js';
import { bind } from '../lib/keys.js';
import { learnOffsets, offsetOf } from '../lib/offsets.js';
import { moment, readersTime } from '../lib/time.js';

const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4, 8];
/** An example of each, as browsers want to be asked. */
const EXAMPLES = {
  avc1: 'avc1.42E01E', avc3: 'avc3.42E01E', hvc1: 'hvc1.1.6.L93.B0', hev1: 'hev1.1.6.L93.B0', av01: 'av01.0.04M.08', vp09: 'vp09.00.10.08',
  vp08: 'vp08.00.10.08', mp4v: 'mp4v.20.9',
};
const CODECS = { avc1: 'H.264', avc3: 'H.264', hvc1: 'H.265', hev1: 'H.265', av01: 'AV1', vp09: 'VP9', vp08: 'VP8', mp4v: 'MPEG-4' };

/** "Caméra 1" once where the sensor is called like its camera. */
export function source(row) {
  const name = row.capteur.nom ?? t('sensor.number', { id: row.capteur.id ?? '?' });
  if (row.numero_camera === undefined || row.numero_camera === null) return String(name);
  const camera = t('camera', { id: row.numero_camera });
  return String(name).replace(/\W/g, '').endsWith(String(row.numero_camera)) ? String(name) : `${name} · ${camera}`;
}

/** Whether the browser says that it plays such a clip. A QuickTime file is told apart from MP4 by name alone. */
function plays({ media_type, codec }) {
  if (media_type.startsWith('image/')) return true;
  const type = codec ? 'video/mp4' : media_type;
  return document.createElement('video').canPlayType(codec ? `${type}; codecs="${EXAMPLES[codec] ?? codec}"` : type) !== '';
}

/** `ended` gives what stands over the last picture of a clip that has been watched. */
export function player(place, { me, step, signal, ended }) {
  const stage = h('div', { class: 'stage' }, h('p', { class: 'muted' }, t('player.none')));
  const title = h('p', { class: 'caption' });
  const note = h('p', { class: 'muted small' });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const retry = h('button', { type: 'button', hidden: true, click: again }, t('error.again'));
  const button = (key, text, work) => h('button', { type: 'button', 'aria-label': t(key), title: t(key), click: work }, text);
  const previous = button('player.previous', '‹', () => step(-1));
  const next = button('player.next', '›', () => step(1));
  const speed = h('select', { 'aria-label': t('player.speed'), change: () => setSpeed(Number(speed.value)) },
    SPEEDS.map((value) => h('option', { value: String(value) }, t('player.times', { n: value }))));
  speed.value = '1';
  const pin = h('button', { type: 'button', class: 'pin', 'aria-pressed': 'false', click: togglePin }, t('player.pin'));
  const download = h('a', { class: 'button', download: '', 'aria-label': t('player.download'), title: t('player.download') },
    h('span', { 'aria-hidden': 'true' }, '↓'), h('span', { class: 'wide-only' }, t('player.download')));
  const controls = h('div', { class: 'controls', hidden: true }, previous, next, speed, pin, download);
  const section = h('section', { class: 'player', 'aria-label': t('player.title') }, stage, title, note, problem, retry, controls);
  place.append(section);

  let clip = null;
  let video = null;
  let rate = 1;
  /** Clips whose pin is on its way. */
  const pinning = new Set();
  /** Where the clip was when it broke off. */
  let brokeAt = 0;

  function setSpeed(value) {
    rate = value;
    speed.value = String(value);
    if (video) video.playbackRate = value;
  }
  function showPin() {
    pin.setAttribute('aria-pressed', String(clip.pinned));
    setText(pin, t(clip.pinned ? 'player.pinned' : 'player.pin'));
    pin.hidden = me.role !== 'admin' && !clip.pinned;
    pin.disabled = me.role !== 'admin';
  }
  async function togglePin() {
    const mine = clip;
    // Pressed twice is one wish: the second would say again what the first said.
    if (pinning.has(mine)) return;
    pinning.add(mine);
    const pinned = !mine.pinned;
    try {
      await send('PUT', `/api/media/${mine.id}/pin`, { pinned }, signal);
      mine.pinned = pinned;
    } catch (error) {
      if (error.name !== 'AbortError') setText(problem, t(told(error)));
    } finally {
      pinning.delete(mine);
    }
    if (mine === clip) showPin();
  }

  /** The line, the codec or the file: why it does not play, and the way out. */
  async function explain(mine) {
    if (video) brokeAt = video.currentTime || brokeAt;
    let details;
    try {
      details = await get(`/api/media/${mine.id}`, {}, signal);
    } catch (error) {
      if (error.name === 'AbortError' || mine !== clip) return;
      setText(problem, t(error.status === 404 ? 'player.gone' : told(error)));
      retry.hidden = error.status === 404;
      return;
    }
    if (mine !== clip) return;
    if (details.media_type === 'application/octet-stream') setText(problem, t('player.unknown'));
    else if (plays(details)) {
      setText(problem, t('player.broken'));
      retry.hidden = false;
      return;
    } else setText(problem, t('player.cannot', { codec: CODECS[details.codec] ?? details.codec ?? details.media_type }));
    download.classList.add('primary');
  }

  /** Goes on where the clip broke off. */
  function again() {
    const had = retry === document.activeElement;
    play(clip, { from: brokeAt });
    if (had) (video ?? previous).focus();
  }

  function cover() {
    const offer = clip && ended?.();
    if (offer) stage.append(h('div', { class: 'over' }, offer));
  }
  function uncover() {
    const over = stage.querySelector('.over');
    if (over?.contains(document.activeElement)) (video ?? next).focus({ preventScroll: true });
    over?.remove();
  }

  function describe() {
    const reader = readersTime(clip.date, offsetOf(clip.device_id));
    const times = reader ? t('player.reader', { time: reader }) : t('player.theirs');
    setText(note, [clip.device_id, times, bytes(clip.size_bytes)].join(' · '));
  }

  function play(row, { begin = true, from = 0 } = {}) {
    clip = row;
    uncover();
    brokeAt = from;
    retry.hidden = true;
    section.classList.remove('none');
    const address = `/api/media/${row.id}/video`;
    setText(problem, '');
    download.classList.remove('primary');
    download.href = `${address}?download=1`;
    setText(title, `${moment(row.date)} · ${source(row)}`);
    describe();
    learnOffsets([row.device_id], signal).then((isNew) => { if (isNew && clip === row) describe(); });
    controls.hidden = false;
    showPin();
    if (row.media_type?.startsWith('image/')) {
      video = null;
      const picture = h('img', { src: address, alt: title.textContent, error: () => explain(row) });
      stage.replaceChildren(picture);
      return;
    }
    if (!video) {
      video = h('video', { controls: true, playsinline: true, preload: 'metadata', 'aria-label': t('player.video') });
      video.muted = true;
      video.addEventListener('error', () => { if (clip && video?.error) explain(clip); });
      for (const name of ['playing', 'seeking']) video.addEventListener(name, uncover);
      video.addEventListener('ended', cover);
      stage.replaceChildren(video);
    }
    // In the address, so that not even a moment of its beginning is played before.
    video.src = from ? `${address}#t=${from}` : address;
    video.playbackRate = rate;
    if (!begin) return;
    // Refused by a browser that saves power or data: its own play button is there.
    video.play().catch(() => null);
  }

  const seek = (by) => () => {
    if (!video) return false;
    video.currentTime = Math.max(0, video.currentTime + by);
    return true;
  };
  const faster = (by) => () => setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, SPEEDS.indexOf(rate) + by))]);
  bind({
    n: () => step(1), p: () => step(-1),
    ' ': () => {
      if (!video) return false;
      if (video.paused) video.play().catch(() => null);
      else video.pause();
      return true;
    },
    ArrowLeft: seek(-5), ArrowRight: seek(5), '<': faster(-1), '>': faster(1),
    d: () => (clip ? download.click() : false), x: (event) => (clip && !pin.disabled && !event.repeat ? togglePin() : false),
  }, signal);
  signal.addEventListener('abort', () => {
    // Lets go of the connection at once.
    video?.removeAttribute('src');
    video?.load();
  });

  return {
    play,
    describe,
    clear(text) {
      clip = null;
      section.classList.add('none');
      video?.removeAttribute('src');
      video = null;
      stage.replaceChildren(h('p', { class: 'muted' }, text ?? t('player.none')));
      setText(title, '');
      setText(note, '');
      setText(problem, '');
      retry.hidden = true;
      controls.hidden = true;
    },
    get clip() { return clip; },
    /** On a phone the player may be above what is seen. */
    reveal() { stage.scrollIntoView({ block: 'nearest' }); },
  };
}
