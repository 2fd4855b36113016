// Requests to the receiver, and what went wrong with one.

/** An answer that is not the one hoped for; status 0 where none came. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? `HTTP ${status}`);
    this.status = status;
    this.reason = body?.reason;
    this.waitSeconds = body?.wait_s;
  }
}

let skewMs = 0;

/** The server's clock, in milliseconds: "ago" must not depend on the reader's. */
export function serverNow() {
  return Date.now() + skewMs;
}

/** A line may have died without a word: no answer within this is none, and one that stands still for so long ends. */
const ANSWER_MS = 20_000;
/** The header has whole seconds: a smaller difference says nothing. */
const EQUAL_MS = 2000;

/** The server's time is that of its answer's first bytes: a long list may be on its way for a while after them. */
function compareClocks(response, askedAt) {
  const date = Date.parse(response.headers.get('date') ?? '');
  const tookMs = Date.now() - askedAt;
  // On its way for so long, the header is of any moment within.
  if (Number.isNaN(date) || tookMs < 0 || tookMs > 2 * EQUAL_MS) return;
  const offMs = date + 500 + tookMs / 2 - Date.now();
  skewMs = Math.abs(offMs) > EQUAL_MS ? offMs : 0;
}

async function textOf(response, moved) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    moved();
    text += decoder.decode(value, { stream: true });
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function answer(path, { signal, ...options }) {
  signal?.throwIfAborted();
  const late = new AbortController();
  const stop = () => late.abort(signal.reason);
  signal?.addEventListener('abort', stop);
  let timer = 0;
  const moved = () => {
    clearTimeout(timer);
    timer = setTimeout(() => late.abort(new ApiError(0)), ANSWER_MS);
  };
  moved();
  try {
    const askedAt = Date.now();
    const response = await fetch(path, { credentials: 'same-origin', ...options, signal: late.signal });
    compareClocks(response, askedAt);
    moved();
    return { response, body: response.body ? parsed(await textOf(response, moved)) : null };
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof ApiError) throw error;
    throw new ApiError(0);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

async function ask(path, options) {
  const { response, body } = await answer(path, options);
  if (!response.ok) {
    if (response.status === 401 && path !== '/api/session') {
      dispatchEvent(new CustomEvent('signed-out', { detail: body?.reason }));
    }
    throw new ApiError(response.status, body);
  }
  return body;
}

/** What went wrong, as a key of the words. */
export function told(error) {
  return { 0: 'error.away', 403: 'error.forbidden', 404: 'error.gone' }[error.status] ?? 'error.server';
}

/** An address with those parameters that have a value. */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Reads; asks a second time where no answer came, on a line of its own then. */
export function get(path, params, signal) {
  const whole = address(path, params);
  return ask(whole, { signal }).catch((error) => {
    if (error.status !== 0 || signal?.aborted) throw error;
    return ask(whole, { signal });
  });
}

/** Writes; what was pressed is done even where the page is closed at once. */
export function send(method, path, body, signal) {
  const options = { method, signal, keepalive: true };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  return ask(path, options);
}
