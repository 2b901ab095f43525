import { createSocket, type Socket } from 'node:dgram';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Counters } from '../../src/base/counters.ts';
import { silentLog } from '../../src/base/log.ts';
import { Access } from '../../src/broker/access.ts';
import { Broker } from '../../src/broker/broker.ts';
import { ClientQueues } from '../../src/broker/client-queues.ts';
import {
  type ClientConfig,
  type CoapConfig,
  coapSchema,
  type ProfileConfig,
} from '../../src/config/schema.ts';
import { type CoapInlet, createCoapInlet } from '../../src/inlets/coap.ts';
import { compileProfiles } from '../../src/profiles/profiles.ts';
import type { Publication } from '../../src/wire/publication.ts';
import { MemorySpool } from './memory-spool.ts';

/** Quick timers: an answer is given up after 0.4 s. */
const quick = { ackTimeoutMs: 50, maxRetransmit: 1, maxLatencyMs: 100 };

const profile: ProfileConfig = {
  contents: [
    { type: 0x8001, name: 'temperature', unit: 'Cel', encoding: 'i16', scale: 0.01 },
    { type: 0x8002, name: 'humidity', unit: '%RH', encoding: 'u8' },
    { type: 0x8003, name: 'setpoint', unit: 'Cel', encoding: 'i16', scale: 0.1 },
  ],
  aliases: [
    { alias: 0, topic: '{client}/climate', layout: ['temperature', 'humidity'] },
    { alias: 1, topic: '{client}/temperature', layout: ['temperature'] },
    { alias: 2, topic: '{client}/set', layout: ['setpoint'] },
  ],
  commands: [],
};

/** A CoAP inlet on a free port of ::1, before a real broker whose disk a test can hold or break. */
export class CoapGateway {
  readonly counters = new Counters();
  /** What passed to the disk, in order. */
  readonly kept: Publication[] = [];
  /** Holds what waits for `node`, where it has commands. */
  readonly spool = new MemorySpool();
  readonly access: Access;
  readonly broker: Broker;
  readonly inlet: CoapInlet;
  /** Awaited before each commit. */
  disk: () => Promise<void> = () => Promise.resolve();
  full = false;
  port = 0;
  /** May do anything below `node/`. */
  readonly token = 'node-secret';
  readonly #clients: readonly ClientConfig[];

  /** @param commands filters of what waits on disk for `node`. */
  constructor(
    config: Partial<CoapConfig> = {},
    commands: readonly string[] = [],
    clock: Clock = systemClock,
  ) {
    const clients = ['node', 'reader'].map((name) => ({
      name,
      token: `sha256:${createHash('sha256').update(`${name}-secret`).digest('hex')}`,
      publish: name === 'node' ? ['node/#'] : [],
      subscribe: ['node/#'],
      profile: 'climate',
      shared: false,
    }));
    this.access = new Access(clients);
    this.#clients = clients;
    this.broker = new Broker({
      access: this.access,
      spool: {
        append: async (records) => {
          await this.disk();
          this.kept.push(
            ...records.filter(({ consumer }) => consumer === 'cloud').map(({ publication }) => publication),
          );
          await this.spool.append(records);
        },
        saveRetained: () => Promise.resolve(),
        loadRetained: () => Promise.resolve([]),
        isFull: () => this.full,
      },
      clock,
      counters: this.counters,
      limits: { lastValues: 100, retainedMessages: 100, retainedBytes: 100_000 },
    });
    this.broker.addDurable({ consumer: 'cloud' }).add('#');
    const queues = new ClientQueues({
      broker: this.broker,
      spool: this.spool,
      clock,
      counters: this.counters,
      log: silentLog,
      limits: { queuedPerClient: 100 },
    });
    if (commands.length > 0) queues.of('node', commands);
    this.inlet = createCoapInlet({
      queueOf: (clientId) => queues.find(clientId),
      config: coapSchema.parse({ host: '::1', port: 0, ...quick, ...config }),
      broker: this.broker,
      profiles: compileProfiles({ profiles: { climate: profile }, clients }),
      clock,
      counters: this.counters,
      log: silentLog,
    });
  }

  static async open(...options: ConstructorParameters<typeof CoapGateway>): Promise<CoapGateway> {
    const gateway = new CoapGateway(...options);
    ({ port: gateway.port } = await gateway.inlet.open());
    return gateway;
  }

  /** A command from upstream, in raw content sections. */
  command(content: Uint8Array, reliable = true): Promise<void> {
    const publication: Publication = {
      topic: 'node/set',
      content,
      reliable,
      retain: false,
      origin: { clientId: 'cloud' },
      taken: { at: systemClock.wall() },
    };
    const cloud = { clientId: 'cloud', mayPublish: () => true, maySubscribe: () => true };
    return this.broker.publish(publication, cloud);
  }

  /** The configuration is read again, in which every token has expired. */
  expireTokens(): void {
    this.access.reload(this.#clients.map((client) => ({ ...client, expires: '2020-01-01' })));
  }

  dropped(reason: string): number {
    return this.counters.drops('coap', reason).value;
  }
}

/** A bare UDP socket that collects what comes. */
export class Datagrams {
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #port: number;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on('message', (bytes) => this.received.push(bytes));
  }

  static async open(port: number): Promise<Datagrams> {
    const socket = createSocket('udp6');
    socket.bind(0, '::1');
    await once(socket, 'listening');
    return new Datagrams(socket, port);
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.#port, '::1');
  }

  /** The next datagram that was not taken yet. */
  async take(limitMs = 5000): Promise<Uint8Array> {
    const end = performance.now() + limitMs;
    for (;;) {
      const next = this.received.shift();
      if (next) return new Uint8Array(next);
      if (performance.now() > end) throw new Error(`no datagram within ${limitMs} ms`);
      await pause(5);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Waits until `condition` holds; an Error after `limitMs`. */
export async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${condition.toString()}`);
    await pause(5);
  }
}
