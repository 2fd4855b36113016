// The line between a browser and the receiver, which can be cut, or die without a word, and may be slow.

import net from 'node:net';

/** Carries up to `bytesPerSecond` of what the receiver says. */
export async function relay(server, bytesPerSecond = Infinity) {
  const pairs = new Set();
  let freeAt = 0;
  let downloaded = 0;
  let port = Number(new URL(server.url).port);

  function join(client) {
    const upstream = net.connect(port, '127.0.0.1');
    const pair = { client, upstream, isStream: false, isDead: false };
    pairs.add(pair);
    const pass = (other) => (bytes) => { if (!pair.isDead) other.write(bytes); };
    client.on('data', (bytes) => { pair.isStream ||= bytes.includes('GET /api/live'); });
    client.on('data', pass(upstream));
    upstream.on('data', (bytes) => { downloaded += bytes.length; });
    upstream.on('data', pass(client));
    upstream.on('data', (bytes) => {
      if (bytesPerSecond === Infinity) return;
      freeAt = Math.max(freeAt, performance.now()) + (bytes.length * 1000) / bytesPerSecond;
      upstream.pause();
      setTimeout(() => upstream.resume(), freeAt - performance.now());
    });
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      one.on('error', () => one.destroy());
      one.on('close', () => {
        // A dead line brings no news of its other end either.
        if (one === client || !pair.isDead) other.destroy();
        if (one === client) pairs.delete(pair);
      });
    }
  }
  const listener = net.createServer(join);
  await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });

  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    /** Leads to another receiver from now on. */
    lead: (other) => { port = Number(new URL(other.url).port); },
    cut: () => { for (const { client } of pairs) client.destroy(); },
    /** What is open stays open, and carries nothing any more. */
    die: () => { for (const pair of pairs) pair.isDead = true; },
    /** Bytes that came from the receiver. */
    downloaded: () => downloaded,
    /** Streams of live rows that browsers hold open. */
    streams: () => [...pairs].filter((pair) => pair.isStream).length,
    close: () => {
      for (const { client } of pairs) client.destroy();
      listener.close();
    },
  };
}
