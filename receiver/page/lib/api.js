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

/** A line may have died without a word: no answer within this is none. */
const ANSWER_MS = 20_000;

async function answer(path, { signal, ...options }) {
  const late = new AbortController();
  const stop = () => late.abort(signal.reason);
  const timer = setTimeout(() => late.abort(new ApiError(0)), ANSWER_MS);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', stop);
  try {
    const response = await fetch(path, { credentials: 'same-origin', ...options, signal: late.signal });
    clearTimeout(timer);
    return { response, body: response.status === 204 ? null : await response.json().catch((error) => (error instanceof SyntaxError ? null : Promise.reject(error))) };
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
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds: a smaller difference says nothing.
  if (!Number.isNaN(date) && Math.abs(date - Date.now()) > 2000) skewMs = date - Date.now();
  if (!response.ok) {
    if (response.status === 401 && path !== '/api/session') {
      dispatchEvent(new CustomEvent('signed-out', { detail: body?.reason }));
    }
    throw new ApiError(response.status, body);
  }
  return body;
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

export function send(method, path, body, signal) {
  const options = { method, signal };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  return ask(path, options);
}
