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

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...options });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0);
  }
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds: a smaller difference says nothing.
  if (!Number.isNaN(date) && Math.abs(date - Date.now()) > 2000) skewMs = date - Date.now();
  if (response.status === 204) return null;
  const body = await response.json().catch(() => null);
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

export function get(path, params, signal) {
  return ask(address(path, params), { signal });
}

export function send(method, path, body, signal) {
  const options = { method, signal };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  return ask(path, options);
}
