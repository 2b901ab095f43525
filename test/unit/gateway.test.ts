import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { configSchema } from '../../src/config/schema.ts';
import { startGateway } from '../../src/gateway.ts';
import { clientConfig } from '../support/broker-house.ts';
import { RecordingLog } from '../support/recording-log.ts';

test('a configuration that is read while the gateway stops changes nothing: no timer begins that would keep the process', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hashike-gateway-'));
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
  rmSync(directory, { recursive: true });
});
