import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStatusServer, readStatus, statusSocketPath } from '../../../src/admin/status-server.ts';
import type { GatewayStatus } from '../../../src/admin/status.ts';

const status: GatewayStatus = {
  gateway: 'g',
  version: '0',
  pid: 1,
  startedAt: 2,
  links: [],
  clients: [],
  upstream: [],
  spool: [{ consumer: 'upstream/mqtt', messages: 3, bytes: 4 }],
  counters: [{ name: 'dropped', labels: { place: 'x', reason: 'crc' }, value: 5 }],
};

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hashike-status-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('answers with the status of now, to its own user only', async () => {
  const path = statusSocketPath(join(directory, 'run'));
  let pid = 7;
  const server = await openStatusServer(path, () => ({ ...status, pid }));
  expect(await readStatus(path)).toEqual({ ...status, pid: 7 });
  pid = 8;
  expect((await readStatus(path)).pid).toBe(8);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await server.close();
});

test('a socket file left by a killed gateway is replaced', async () => {
  const path = statusSocketPath(directory);
  await writeFile(path, '');
  const server = await openStatusServer(path, () => status);
  expect(await readStatus(path)).toEqual(status);
  await server.close();
});

test('nobody there: HSK-4202 names the socket and what to do', async () => {
  const path = statusSocketPath(directory);
  await expect(readStatus(path)).rejects.toMatchObject({
    code: 'HSK-4202',
    message: expect.stringContaining(path) as unknown,
  });
});

test('a runtime directory that cannot be made: HSK-4201', async () => {
  await writeFile(join(directory, 'file'), '');
  const path = statusSocketPath(join(directory, 'file', 'run'));
  await expect(openStatusServer(path, () => status)).rejects.toMatchObject({ code: 'HSK-4201' });
});
