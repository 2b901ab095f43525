import { setImmediate } from 'node:timers/promises';
import { systemRandom } from '../../src/base/random.ts';
import { Counters } from '../../src/base/counters.ts';
import { Access } from '../../src/broker/access.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Connections } from '../../src/broker/connections.ts';
import { type ClientConfig, type Config, configSchema } from '../../src/config/schema.ts';
import type { LinkCapabilities } from '../../src/links/link.ts';
import { compileProfiles } from '../../src/profiles/profiles.ts';
import { encodeContent } from '../../src/wire/content.ts';
import { decodeMessage, encodeMessage } from '../../src/wire/long-form.ts';
import type { ConnackSuccess, ConnectToken, Message, Publish } from '../../src/wire/message.ts';
import { MessageType } from '../../src/wire/numbers.ts';
import { PublishView } from '../../src/wire/publish-view.ts';
import { decodeShort, encodeShort, isShortForm, type ShortFrame } from '../../src/wire/short-form.ts';
import { MemoryLink, streamCapabilities } from './memory-link.ts';
import { MemorySpool } from './memory-spool.ts';
import { RecordingLog } from './recording-log.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await setImmediate();
}

/** A client that says exactly what the test wants, and notes what it hears. */
export class Peer {
  readonly link: MemoryLink;
  readonly messages: Message[] = [];
  readonly short: ShortFrame[] = [];

  constructor(link: MemoryLink) {
    this.link = link;
    link.start({
      frame: (bytes) => {
        if (isShortForm(bytes[0] ?? 0)) this.short.push(decodeShort(bytes));
        else this.messages.push(decodeMessage(bytes));
      },
      drained: () => undefined,
      closed: () => undefined,
    });
  }

  async say(...messages: readonly Message[]): Promise<void> {
    for (const message of messages) this.link.send(encodeMessage(message));
    await settle();
  }

  async sayShort(...frames: readonly ShortFrame[]): Promise<void> {
    for (const frame of frames) this.link.send(encodeShort(frame));
    await settle();
  }

  /** The messages of one type that were heard. */
  heard<T extends Message['type']>(type: T): readonly Extract<Message, { readonly type: T }>[] {
    return this.messages.filter(
      (message): message is Extract<Message, { readonly type: T }> => message.type === type,
    );
  }

  get last(): Message | undefined {
    return this.messages.at(-1);
  }
}

/** A broker on virtual time, a spool in memory and links within the process; `restart` makes the next one on the same spool. */
export class ServedBroker {
  readonly clock = new VirtualClock();
  readonly counters = new Counters();
  readonly log = new RecordingLog();
  readonly spool: MemorySpool;
  readonly access: Access;
  readonly broker: Broker;
  readonly connections: Connections;
  readonly #options: ServedBrokerOptions;

  private constructor(options: ServedBrokerOptions, spool: MemorySpool) {
    this.#options = options;
    this.spool = spool;
    const limits = { ...configSchema.shape.limits.parse(undefined), ...options.limits };
    const { clients, profiles = {} } = options;
    const common = { clock: this.clock, random: systemRandom, counters: this.counters, log: this.log };
    const access = new Access(clients);
    this.access = access;
    this.broker = new Broker({ ...common, access, spool, limits });
    const confirms = spool.consumer('bridge');
    const bridge = this.broker.addDurable({ consumer: 'bridge', except: 'bridge', confirms });
    for (const filter of options.forward ?? []) bridge.add(filter);
    this.connections = new Connections({
      ...common,
      access,
      broker: this.broker,
      spool,
      limits,
      profiles: compileProfiles({ profiles, clients }),
    });
  }

  static async open(options: ServedBrokerOptions, spool = new MemorySpool()): Promise<ServedBroker> {
    const served = new ServedBroker(options, spool);
    await served.connections.open();
    return served;
  }

  /** The process dies, and another begins with what is on disk. */
  restart(): Promise<ServedBroker> {
    this.spool.crash();
    return ServedBroker.open(this.#options, this.spool);
  }

  /** A new link, with nothing said on it. */
  peer(capabilities: LinkCapabilities = streamCapabilities): Peer {
    const [server, client] = MemoryLink.pair(capabilities, this.#options.runs);
    this.connections.accept(server);
    return new Peer(client);
  }

  /** A link on which a session has begun. */
  async connected(
    token: string,
    more: Partial<ConnectToken> = {},
    capabilities: LinkCapabilities = streamCapabilities,
  ): Promise<{ readonly peer: Peer; readonly connack: ConnackSuccess }> {
    const peer = this.peer(capabilities);
    await peer.say(connectToken(token, more));
    const [connack] = peer.heard(MessageType.CONNACK_SUCCESS);
    if (!connack) throw new Error(`no CONNACK_SUCCESS but ${JSON.stringify(peer.messages)}`);
    return { peer, connack };
  }

  /** Moves time, and lets happen what comes of it. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settle();
  }
}

export interface ServedBrokerOptions {
  readonly clients: readonly ClientConfig[];
  readonly profiles?: Config['profiles'];
  readonly limits?: Partial<Config['limits']>;
  /** Filters of a durable consumer named `bridge`. */
  readonly forward?: readonly string[];
  /** Whether links hand on together what came together; default: those that lose nothing. */
  readonly runs?: boolean;
}

export function connectToken(token: string, more: Partial<ConnectToken> = {}): ConnectToken {
  return {
    type: MessageType.CONNECT_TOKEN,
    timestamp: 0,
    token: new TextEncoder().encode(token),
    confirm: false,
    aliases: [],
    ...more,
  };
}

export function publish(topic: string, messageId: number | undefined, more: Partial<Publish> = {}): Publish {
  const content = encodeContent([{ contentType: 0x8001, value: new Uint8Array([messageId ?? 0]) }]);
  return { type: MessageType.PUBLISH, timestamp: 0, messageId, topic, retain: false, content, ...more };
}

/** A PUBLISH to `topic` as a relay sees it when it is received. */
export function receivedPublish(topic: string): PublishView {
  const view = new PublishView();
  if (!view.read(encodeMessage(publish(topic, undefined)), 0)) throw new Error(`${topic} is not plain`);
  return view;
}

export function subscribe(messageId: number, topics: readonly string[], bestEffort = false): Message {
  return { type: MessageType.SUBSCRIBE, timestamp: 0, messageId, topics, bestEffort };
}

/** CONNECT_RESUME of the session that `connack` began. */
export function connectResume(connack: ConnackSuccess, messageId = 0): Message {
  const { sessionId, resumeKey } = connack;
  return { type: MessageType.CONNECT_RESUME, timestamp: 0, sessionId, resumeKey, messageId };
}
