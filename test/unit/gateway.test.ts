import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { configSchema } from '../../src/config/schema.ts';
import { startGateway } from '../../src/gateway.ts';
import { TcpSource } from '../../src/links/tcp.ts';
import { clientConfig } from '../support/broker-house.ts';
import { RecordingLog } from '../support/recording-log.ts';

function emptyDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hashike-gateway-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a part that fails to start is what is told, also when one before it fails to stop', async () => {
  const directory = emptyDirectory();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const config = configSchema.parse({
    gateway: { name: 'gw', stateDirectory: directory, runtimeDirectory: directory },
    listen: { tcp: { port: 0 }, websocket: { port } },
  });
  const close = vi.spyOn(TcpSource.prototype, 'close').mockImplementationOnce(async function (
    this: TcpSource,
  ) {
    await this.close();
    throw new Error('planted');
  });
  onTestFinished(() => close.mockRestore());
  const log = new RecordingLog();
  const started = startGateway({ config, version: '0', clock: systemClock, random: systemRandom, log });
  await expect(started).rejects.toMatchObject({ code: 'HSK-2102' });
  expect(close).toHaveBeenCalledTimes(2);
  expect(log.texts('error')).toEqual(['what had started before the error could not be stopped cleanly']);
});

test('a configuration that is read while the gateway stops changes nothing: no timer begins that would keep the process', async () => {
  const directory = emptyDirectory();
  const config = configSchema.parse({
    gateway: { name: 'gw', stateDirectory: directory, runtimeDirectory: directory },
    clients: [clientConfig('a', { expires: '2099-01-01' })],
  });
  const log = new RecordingLog();
  const gateway = await startGateway({
    config,
    version: '0',
    clock: systemClock,
    random: systemRandom,
    log,
  });
  await gateway.reload(config);
  expect(log.texts('info').filter((text) => /were read again/.test(text))).toHaveLength(1);
  const stopped = gateway.stop();
  await gateway.reload(config);
  await stopped;
  await gateway.reload(config);
  expect(log.texts('info').filter((text) => /were read again/.test(text))).toHaveLength(1);
});
