import { describe } from 'vitest';
import type { MqttBridge } from '../../src/bridges/mqtt.ts';
import type { MqttConfig } from '../../src/config/schema.ts';
import { testBridge, type BridgeUnderTest } from '../contract/bridge-contract.ts';
import { AedesUpstream } from '../support/aedes-upstream.ts';
import { BridgeHouse, mqttConfig } from '../support/bridge-house.ts';
import { freePort } from '../support/free-port.ts';
import { Mosquitto } from '../support/mosquitto.ts';
import { requires } from '../support/requires.ts';
import { UpstreamListener } from '../support/upstream-listener.ts';

/** An upstream that can be stopped and started, and what was heard there. */
interface Upstream extends AsyncDisposable {
  readonly url: string;
  heard(): readonly string[];
  stop(how: 'properly' | 'crash'): Promise<void>;
  start(): Promise<void>;
}

async function bridgeTo(upstream: Upstream, config: MqttConfig): Promise<BridgeUnderTest> {
  const house = await BridgeHouse.open();
  let bridge: MqttBridge = await house.bridge(config);
  return {
    append: (publications) => house.append(publications),
    get waiting() {
      return house.waiting;
    },
    status: () => bridge.describe(),
    progress: () => bridge.progress(),
    warnings: () => house.log.texts('warn'),
    heard: () => upstream.heard(),
    stopUpstream: (how) => upstream.stop(how),
    startUpstream: () => upstream.start(),
    async restart() {
      await house.restart();
      bridge = await house.bridge(config);
    },
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

async function mosquitto(): Promise<Upstream> {
  const broker = await Mosquitto.start({ lines: ['max_queued_messages 0'] });
  const listener = await UpstreamListener.connect(broker.url, { session: 'listener', filter: 'gw/#' });
  return {
    url: broker.url,
    heard: () => listener.ids,
    stop: (how) => broker.stop(how === 'crash' ? 'SIGKILL' : 'SIGTERM'),
    start: () => broker.start(),
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}

requires('mosquitto')('the bridge to mosquitto over MQTT 5', () => {
  testBridge({
    async open() {
      const upstream = await mosquitto();
      return bridgeTo(upstream, mqttConfig({ url: upstream.url }));
    },
  });
});

requires('mosquitto')('the bridge to mosquitto over MQTT 3.1.1', () => {
  testBridge({
    async open() {
      const upstream = await mosquitto();
      return bridgeTo(upstream, mqttConfig({ url: upstream.url, version: 4 }));
    },
  });
});

describe('the bridge to aedes over MQTT 3.1.1', () => {
  testBridge({
    async open() {
      const upstream = new AedesUpstream(await freePort());
      await upstream.start();
      return bridgeTo(upstream, mqttConfig({ url: upstream.url, version: 4 }));
    },
  });
});
