import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { describe } from 'vitest';
import type { MqttBridge } from '../../src/bridges/mqtt.ts';
import type { MqttConfig } from '../../src/config/schema.ts';
import { testBridge, type BridgeUnderTest } from '../contract/bridge-contract.ts';
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

/** aedes speaks 3.1.1 only. */
class AedesUpstream implements Upstream {
  readonly url: string;
  readonly #port: number;
  readonly #heard: string[] = [];
  readonly #sockets = new Set<Socket>();
  #running: { readonly server: Server; readonly broker: Aedes } | undefined;

  constructor(port: number) {
    this.#port = port;
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  heard(): readonly string[] {
    return this.#heard;
  }

  async start(): Promise<void> {
    const broker = await Aedes.createBroker();
    broker.on('publish', ({ topic, payload }) => {
      if (!topic.startsWith('gw/greenhouse/')) return;
      this.#heard.push((JSON.parse(payload.toString()) as { id: string }).id);
    });
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      broker.handle(socket);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#running = { server, broker };
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    const { server, broker } = this.#running;
    this.#running = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await new Promise<void>((resolve) => broker.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
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
