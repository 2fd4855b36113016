// A bare @tus/server where uploads would be, and rows taken the plain way: it names no extension of ours.
// Usage: node server.mjs FOLDER URL_FILE      (prints a line for each request)
import fs from 'node:fs';
import http from 'node:http';
import { pathToFileURL } from 'node:url';

const [folder, urlFile] = process.argv.slice(2);
const installed = (name) => import(pathToFileURL(`${process.cwd()}/node_modules/${name}/dist/index.js`));
const { Server } = await installed('@tus/server');
const { FileStore } = await installed('@tus/file-store');
const path = '/api/media/uploads';
const tus = new Server({ path, datastore: new FileStore({ directory: folder }) });
let id = 0;

const server = http.createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  if (request.url.startsWith(path)) {
    tus.handle(request, response);
    return;
  }
  request.resume().on('end', () => {
    id += 1;
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(JSON.stringify({ id }));
  });
});
server.listen(0, '127.0.0.1', () => fs.writeFileSync(urlFile, `http://127.0.0.1:${server.address().port}`));
