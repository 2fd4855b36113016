// An HTTP proxy in front of the receiver whose requests can wait and whose answers can stop midway, as over a bad line.

import http from 'node:http';

/** A point that is reached once (`stopped`), and left when it is let (`release`). */
function stop(pattern) {
  const one = { pattern };
  one.stopped = new Promise((resolve) => { one.reached = resolve; });
  one.released = new Promise((resolve) => { one.release = resolve; });
  return one;
}

export async function gate(server) {
  let held = null;
  let refused = null;
  let waiting = null;
  const listener = http.createServer(async (request, answer) => {
    if (refused?.test(request.url)) {
      answer.writeHead(503, { 'Content-Type': 'application/json' }).end('{"error":"x"}');
      return;
    }
    if (waiting?.pattern.test(request.url)) {
      const { reached, released } = waiting;
      waiting = null;
      reached();
      await released;
      if (answer.destroyed) return;
    }
    const asked = http.request(server.url + request.url, { method: request.method, headers: { ...request.headers, 'accept-encoding': 'identity' } }, async (got) => {
      answer.writeHead(got.statusCode, got.headers);
      const hold = held?.pattern.test(request.url) ? held : null;
      if (!hold) {
        got.pipe(answer);
        return;
      }
      if (!hold.every) held = null;
      const parts = [];
      for await (const part of got) parts.push(part);
      const body = Buffer.concat(parts);
      const first = Number(/^bytes (\d+)-/.exec(got.headers['content-range'])?.[1] ?? 0);
      const most = Math.max(0, hold.bytes - first);
      if (most >= body.length) {
        answer.end(body);
        return;
      }
      answer.flushHeaders();
      answer.write(body.subarray(0, most));
      hold.reached();
      await hold.released;
      if (hold.isCut) answer.destroy();
      else answer.end(body.subarray(most));
    });
    asked.on('error', () => answer.destroy());
    answer.on('close', () => asked.destroy());
    request.pipe(asked);
  });
  await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    /** The next answer at such an address (each, with `every`) stops before that byte of what is asked for, whichever range
     * of it is sent, until it is released or cut. A browser asks for one clip in as many ranges as it likes. */
    hold: (pattern, bytes, { every = false } = {}) => {
      const hold = Object.assign(stop(pattern), { bytes, every, isCut: false });
      hold.cut = () => {
        hold.isCut = true;
        held = null;
        hold.release();
      };
      held = hold;
      return hold;
    },
    /** The next request at such an address is not passed on before its release, and not at all once nobody waits for it. */
    wait: (pattern) => {
      waiting = stop(pattern);
      return waiting;
    },
    /** All answers at such an address are 503 from now on; none without one. */
    refuse: (pattern) => { refused = pattern; },
    close: () => {
      listener.close();
      listener.closeAllConnections();
    },
  };
}
