#!/usr/bin/env node
/** Serves this folder, and the client below /hashike, to browsers on this machine: `serve.js [PORT]`. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';

const here = new URL('./', import.meta.url);
/** Where package `hashike` holds its compiled modules. */
const library = new URL('../', import.meta.resolve('hashike/client'));
const types = { '.html': 'text/html', '.js': 'text/javascript' };

/** The file that a path means; URLs have no way out of the folder that they are resolved in, once the path is normal. */
function fileOf(path) {
  if (path === '/') return new URL('index.html', here);
  return path.startsWith('/hashike/') ? new URL(path.slice(9), library) : new URL(path.slice(1), here);
}

const server = createServer(async ({ url }, response) => {
  const { pathname } = new URL(url, 'http://localhost');
  const type = types[extname(pathname === '/' ? 'index.html' : pathname)];
  try {
    if (!type || /%|\/\//.test(pathname)) throw new Error('not served');
    const body = await readFile(fileOf(pathname));
    response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-cache' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
