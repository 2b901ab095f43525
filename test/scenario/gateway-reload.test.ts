import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';
import { connect, encodeContent, type HashikeClient } from '../../src/client/index.ts';
import { clientConfig } from '../support/broker-house.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const content = encodeContent([{ contentType: 0x8001, value: Uint8Array.of(1) }]);
const directory = mkdtempSync(join(tmpdir(), 'hashike-reload-'));
const file = join(directory, 'hashike.yaml');
const gateway = new GatewayProcess(file);
const open: HashikeClient[] = [];
let port = 0;

/** Writes the configuration with these clients, as people do: a date without quotes. */
function write(...clients: readonly object[]): void {
  const text = stringify({
    gateway: {
      name: 'gw',
      stateDirectory: join(directory, 'state'),
      runtimeDirectory: join(directory, 'run'),
    },
    listen: { tcp: { port } },
    limits: { wrongTokenDelayMs: 0 },
    clients,
  });
  writeFileSync(file, text.replaceAll(/"(20[^"]*)"/g, '$1'));
}

async function hangUp(line: RegExp): Promise<void> {
  gateway.log.length = 0;
  process.kill(gateway.pid ?? 0, 'SIGHUP');
  await until(() => gateway.log.some(({ msg }) => line.test(msg)), 5000, String(line));
}

async function client(token: string): Promise<HashikeClient> {
  const connected = await connect({ port, token });
  open.push(connected);
  return connected;
}

beforeAll(async () => {
  port = await freePort();
  write(clientConfig('kept'), clientConfig('gone'));
  await gateway.start();
});
afterAll(async () => {
  for (const each of open) await each.close();
  await gateway.stop('SIGTERM');
  rmSync(directory, { recursive: true, force: true });
});

test('SIGHUP lets new clients in, ends those that are gone or expired, and leaves the others alone', async () => {
  const kept = await client('kept');
  const gone = await client('gone');
  const subscription = await kept.subscribe('t');
  await expect(connect({ port, token: 'new' })).rejects.toMatchObject({ code: 'HSK-3101' });
  write(
    clientConfig('kept', { expires: '2099-01-01' }),
    clientConfig('new'),
    clientConfig('old', { expires: '2020-01-01' }),
  );
  await hangUp(/were read again/);
  const fresh = await client('new');
  await fresh.publish('t', content);
  expect((await subscription.next()).value).toMatchObject({ topic: 't', publisher: 'new' });
  await expect(gone.publish('t', content)).rejects.toMatchObject({ code: 'HSK-3101' });
  await expect(connect({ port, token: 'old' })).rejects.toMatchObject({ code: 'HSK-3101' });
  await kept.publish('t', content);
});

test('SIGHUP with a configuration that has problems says which, and changes nothing', async () => {
  const kept = await client('kept');
  write(clientConfig('kept', { expires: '2099-13-01' }), { name: 'new' });
  await hangUp(/the configuration stays as it was/);
  const said = gateway.log.find(({ code }) => code === 'HSK-2401')?.msg ?? '';
  expect(said).toMatch(/clients\[0\]\.expires: .*calendar/);
  expect(said).toContain('clients[1]');
  await (await client('new')).publish('t', content);
  await kept.publish('t', content);
});
