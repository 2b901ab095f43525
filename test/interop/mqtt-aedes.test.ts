import { expect, test, vi } from 'vitest';
import { idsOf, readings } from '../contract/bridge-contract.ts';
import { AedesUpstream } from '../support/aedes-upstream.ts';
import { BridgeHouse, mqttConfig } from '../support/bridge-house.ts';
import { freePort } from '../support/free-port.ts';

const soon = { timeout: 10_000, interval: 10 };

test('a broker that refuses the subscription to commands is named, and readings flow', async () => {
  await using upstream = new AedesUpstream(await freePort());
  upstream.subscriptions = false;
  await upstream.start();
  await using house = await BridgeHouse.open();
  const bridge = await house.bridge(mqttConfig({ url: upstream.url, version: 4 }));
  await house.append(readings(1, 20));
  await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
  expect(upstream.heard()).toEqual(idsOf(1, 20));
  expect(bridge.describe()).toMatchObject({ state: 'online', taken: 20 });
  expect(bridge.describe().error).toContain('HSK-4108');
  expect(house.log.texts('warn').filter((text) => text.includes('HSK-4108'))).toHaveLength(1);
});

test('a broker that speaks 3.1.1 only refuses MQTT 5 with a clear line', async () => {
  await using upstream = new AedesUpstream(await freePort());
  await upstream.start();
  await using house = await BridgeHouse.open();
  const bridge = await house.bridge(mqttConfig({ url: upstream.url, version: 5 }));
  await vi.waitFor(() => expect(bridge.describe().error).toMatch(/HSK-410[26]/), soon);
});
