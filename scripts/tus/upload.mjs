// tus-js-client sends a clip in pieces; meanwhile the receiver is killed, and later the sender pauses.
// Usage: node upload.mjs URL FILE PID_FILE
import fs from 'node:fs';
import { createRequire } from 'node:module';

const [url, file, pidFile] = process.argv.slice(2);
const tus = createRequire(`${process.cwd()}/`)('tus-js-client');
const media = {
  date: '2025-12-18T17:30:00.123456', capteur: { id: 4, nom: 'Caméra 1' }, numero_camera: 1,
  device_id: 'tus-js-client', source: 'test',
};
let killed = false;
let paused = false;
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint: url,
  chunkSize: 500_000,
  uploadSize: fs.statSync(file).size,
  retryDelays: [100, 200, 400, 800, 1600, 3200],
  metadata: { filename: 'clip.mp4', media: JSON.stringify(media) },
  onChunkComplete(_, sent, total) {
    if (!killed && sent > total / 3) {
      killed = true;
      process.kill(Number(fs.readFileSync(pidFile, 'utf8')), 'SIGKILL');
    } else if (!paused && sent > total * 2 / 3) {
      paused = true;
      // A new sender, that knows nothing but the address.
      upload.abort().then(() => resume(upload.url));
    }
  },
  onError: fail,
  onSuccess: () => fail('it was not paused'),
});
upload.start();

function resume(uploadUrl) {
  new tus.Upload(fs.createReadStream(file), {
    endpoint: url,
    uploadUrl,
    chunkSize: 500_000,
    uploadSize: fs.statSync(file).size,
    retryDelays: [100, 200, 400, 800, 1600, 3200],
    onError: fail,
    onSuccess() {
      console.log(`tus-js-client: killed ${killed}, paused ${paused}, whole`);
      process.exit(killed && paused ? 0 : 1);
    },
  }).start();
}

function fail(error) {
  console.error(`tus-js-client: ${error}`);
  process.exit(1);
}
