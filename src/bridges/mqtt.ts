import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { type ErrorCode, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Progress } from '../base/progress.ts';
import type { Random } from '../base/random.ts';
import type { BrokerPort, Principal } from '../broker/ports.ts';
import type { MqttConfig } from '../config/schema.ts';
import { renderPayload } from '../profiles/payload.ts';
import type { Profiles } from '../profiles/profiles.ts';
import { publicationId } from '../profiles/publication-id.ts';
import type { Spool, SpoolConsumer, StoredPublication } from '../spool/ports.ts';
import { MqttCommands } from './mqtt-commands.ts';
import { packetBytes, publishOptions, type UpstreamMessage } from './mqtt-message.ts';
import { checkMqttConfig, clientOptions, CONNECT_TIMEOUT_MS } from './mqtt-options.ts';
import { verdictOf } from './mqtt-reasons.ts';
import { MqttSession, type MqttSessionHandler } from './mqtt-session.ts';
import { TopicMap } from './mqtt-topics.ts';
import { ANSWER_MS, Pump, type Verdict } from './pump.ts';
import { Refused, type RefusedMessage } from './refused.ts';

/** Name of the bridge: of its consumer in the spool, and the CLIENT_ID of its commands. */
export const MQTT_BRIDGE = 'upstream/mqtt';

export interface MqttBridgeOptions {
  readonly config: MqttConfig;
  /** Name of the gateway. */
  readonly gateway: string;
  readonly spool: Pick<Spool, 'id' | 'append' | 'consumer'>;
  readonly broker: Pick<BrokerPort, 'publish' | 'addDurable' | 'taken'>;
  readonly profiles: Profiles;
  /** In whose name commands are published. */
  readonly principal: Principal;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

/** How the bridge is, for `hashike status`. */
export interface MqttBridgeStatus {
  readonly name: string;
  readonly url: string;
  /** waiting: for the next try to connect. */
  readonly state: 'online' | 'connecting' | 'waiting' | 'closed';
  /** Epoch ms since when it is so; all tries in a row count as one absence. */
  readonly since: number;
  /** Why it is not online, or why commands do not come. */
  readonly error?: string | undefined;
  readonly queued: { readonly messages: number; readonly bytes: number };
  readonly inFlight: number;
  readonly taken: number;
  readonly commands: number;
  /** What the upstream will never take, kept on disk. */
  readonly refused: {
    readonly messages: number;
    readonly bytes: number;
    readonly last: RefusedMessage | undefined;
  };
}

const RECONNECT_MS = { initialMs: 500, maxMs: 60_000 };
/** A connection that held so long makes the next try a quick one; two gateways of one clientId throw each other out faster. */
const STABLE_MS = 5000;
/** How late a try to connect may be before the watchdog hears of it. */
const LATE_MS = 30_000;
/** How long `close` waits for what is in flight. */
const CLOSE_MS = 2000;

/**
 * The bridge to an upstream MQTT broker. What `forward` matches is in its custody from here on, whether it is open or not. Throws HSK-4101 when
 * the configuration cannot work, HSK-1202 when a filter of `forward` is malformed.
 */
export function createMqttBridge(options: MqttBridgeOptions): MqttBridge {
  checkMqttConfig(options.config);
  return new MqttBridge(options);
}

export class MqttBridge {
  readonly #options: MqttBridgeOptions;
  readonly #log: Log;
  readonly #topics: TopicMap;
  readonly #consumer: SpoolConsumer;
  readonly #refused: Refused;
  readonly #commands: MqttCommands;
  readonly #reconnect: Backoff;
  #pump: Pump | undefined;
  #session: MqttSession | undefined;
  #connecting: Promise<void> | undefined;
  #closing = new AbortController();
  #timer: Timer | undefined;
  #state: MqttBridgeStatus['state'] = 'closed';
  #since: number;
  #error: HashikeError | undefined;
  /** What the log has said of the present absence. */
  #said: ErrorCode | undefined;
  #attempts = 0;
  #attemptsReported = 0;
  /** When the next thing is due while there is no connection. */
  #dueAt = 0;

  constructor(options: MqttBridgeOptions) {
    const { config, gateway, spool, broker, clock, random, counters, log } = options;
    this.#options = options;
    this.#log = log.child({ bridge: MQTT_BRIDGE });
    this.#topics = new TopicMap({
      gateway,
      topic: config.topic,
      commands: config.commands,
      status: config.will.topic,
    });
    this.#consumer = spool.consumer(MQTT_BRIDGE);
    this.#refused = new Refused({ bridge: MQTT_BRIDGE, spool, clock, counters, log: this.#log });
    this.#commands = new MqttCommands({
      ...options,
      name: MQTT_BRIDGE,
      topics: this.#topics,
      format: config.payload,
      log: this.#log,
    });
    this.#reconnect = new Backoff({ ...RECONNECT_MS, random });
    this.#since = clock.wall();
    const queue = broker.addDurable({
      consumer: MQTT_BRIDGE,
      except: MQTT_BRIDGE,
      confirms: this.#consumer,
    });
    for (const filter of config.forward) queue.add(filter);
  }

  /** Begins to connect, and goes on trying until `close`. */
  open(): void {
    const { broker, clock, random, counters } = this.#options;
    const taken = counters.counter('upstream_taken', { link: MQTT_BRIDGE });
    this.#pump = new Pump({
      consumer: this.#consumer,
      clock,
      random,
      log: this.#log,
      refuse: (record, reason) => this.#refused.keep(record, reason),
      stalled: () => this.#session?.drop('the broker answers no publish'),
      taken: () => taken.add(),
      settled: ({ publication }) => broker.taken(publication.origin, MQTT_BRIDGE),
    });
    this.#closing = new AbortController();
    this.#connect();
  }

  /** Says goodbye, waiting a bounded time for what is in flight. What is not acknowledged stays on disk. */
  async close(): Promise<void> {
    const session = this.#session;
    this.#become('closed');
    this.#closing.abort();
    this.#timer?.cancel();
    this.#pump?.finish();
    if (session) {
      const { clock, config } = this.#options;
      void session.publish(this.#statusMessage(config.will.offline));
      await session.end(clock, CLOSE_MS);
    }
    await this.#connecting;
    this.#session = undefined;
    await this.#pump?.close();
    this.#pump = undefined;
  }

  describe(): MqttBridgeStatus {
    const { config, counters } = this.#options;
    const labels = { link: MQTT_BRIDGE };
    return {
      name: MQTT_BRIDGE,
      url: config.url,
      state: this.#state,
      since: this.#since,
      error: this.#error?.message,
      queued: this.#consumer.depth,
      inFlight: this.#pump?.inFlight ?? 0,
      taken: counters.counter('upstream_taken', labels).value,
      commands: counters.counter('commands', labels).value,
      refused: this.#refused.status,
    };
  }

  /** For the watchdog: messages move, there is nothing to move, or the next try to connect is not due yet. */
  progress(): Progress {
    if (this.#state === 'online') return this.#pump?.progress() ?? 'idle';
    const tried = this.#attempts !== this.#attemptsReported;
    this.#attemptsReported = this.#attempts;
    if (tried) return 'advanced';
    return this.#state !== 'closed' && this.#options.clock.now() > this.#dueAt + LATE_MS ? 'stuck' : 'idle';
  }

  #connect(): void {
    this.#become('connecting');
    this.#attempts += 1;
    this.#dueAt = this.#options.clock.now() + CONNECT_TIMEOUT_MS;
    this.#connecting = this.#tryToConnect().catch((error: unknown) => {
      if (!(error instanceof HashikeError)) throw error;
      this.#lost(error, false);
    });
  }

  async #tryToConnect(): Promise<void> {
    const { config, gateway, clock } = this.#options;
    const options = await clientOptions(config, gateway, this.#topics);
    const life = { over: false, connectedAt: 0 };
    const handler: MqttSessionHandler = {
      received: (packet) => this.#commands.receive(packet, () => life.over || this.#state === 'closed'),
      closed: (cause, blamed) => {
        life.over = true;
        if (clock.now() - life.connectedAt >= STABLE_MS) this.#reconnect.reset();
        this.#lost(cause, blamed);
      },
    };
    const session = await MqttSession.connect(config.url, options, handler, this.#closing.signal);
    life.connectedAt = clock.now();
    if (this.#state === 'closed') session.drop('closed');
    else this.#online(session);
  }

  #online(session: MqttSession): void {
    const { config, clock } = this.#options;
    const absentMs = clock.wall() - this.#since;
    const { sessionPresent } = session.grant;
    this.#log.info({ url: config.url, absentMs, sessionPresent }, 'connected to the upstream');
    this.#session = session;
    this.#error = undefined;
    this.#said = undefined;
    this.#become('online');
    void this.#subscribe(session);
    void this.#startPump(session);
  }

  async #subscribe(session: MqttSession): Promise<void> {
    try {
      await session.subscribe(this.#topics.commandFilter);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      if (session !== this.#session) return;
      this.#error = error;
      this.#log.warn({ code: error.code, cure: error.cure }, error.message);
    }
  }

  /** Readings follow once a small message has shown that the connection carries what it is given. */
  async #startPump(session: MqttSession): Promise<void> {
    const { config, clock } = this.#options;
    const patience = clock.after(ANSWER_MS, () => session.drop('the broker answers no publish'));
    const reason = await session.publish(this.#statusMessage(config.will.online));
    patience.cancel();
    if (verdictOf(reason).kind !== 'taken') {
      this.#log.warn(
        { topic: this.#topics.status, reason },
        'the upstream refuses the status of the gateway',
      );
    }
    if (session !== this.#session || this.#state !== 'online') return;
    const window = Math.min(config.window, session.grant.receiveMaximum);
    this.#pump?.start({ send: (record) => this.#send(session, record) }, window);
  }

  #lost(cause: HashikeError, blamed: boolean): void {
    this.#session = undefined;
    this.#pump?.stop(blamed);
    if (this.#state === 'closed') return;
    this.#error = cause;
    this.#become('waiting');
    if (this.#said !== cause.code) {
      this.#said = cause.code;
      this.#log.warn({ code: cause.code, ...cause.context, cure: cause.cure }, cause.message);
    }
    const { clock } = this.#options;
    const ms = this.#reconnect.next();
    this.#dueAt = clock.now() + ms;
    this.#timer = clock.after(ms, () => this.#connect());
  }

  async #send(session: MqttSession, record: StoredPublication): Promise<Verdict> {
    const { clock, counters } = this.#options;
    const { expiresAt } = record.publication;
    if (expiresAt !== undefined && expiresAt <= clock.wall()) {
      counters.drops(MQTT_BRIDGE, 'expired').add();
      return { kind: 'taken' };
    }
    const message = this.#message(session, record);
    if (!message) return { kind: 'refused', reason: 'topic-reserved' };
    if (packetBytes(message) > session.grant.maximumPacketBytes) {
      return { kind: 'refused', reason: 'too-large' };
    }
    return verdictOf(await session.publish(message));
  }

  #message(session: MqttSession, { seq, publication }: StoredPublication): UpstreamMessage | undefined {
    const { config, gateway, spool, profiles, clock } = this.#options;
    const topic = this.#topics.upstream(publication.topic);
    if (topic === undefined) return undefined;
    const id = publicationId(gateway, publication, spool.id, seq);
    const profile = profiles.forClient(publication.origin.clientId);
    const { bytes, contentType } = renderPayload(publication, config.payload, { profile, gateway, id });
    const retain = publication.retain && session.grant.retainAvailable;
    const options = publishOptions(
      { ...publication, retain },
      { version: config.version, id, contentType, topics: this.#topics, now: clock.wall() },
    );
    // Without content it clears the retained message, upstream as here (clause 5.5.5).
    const clears = publication.retain && publication.content.length === 0;
    return { topic, payload: clears ? Buffer.alloc(0) : Buffer.from(bytes), options };
  }

  #statusMessage(text: string): UpstreamMessage {
    return { topic: this.#topics.status, payload: Buffer.from(text), options: { qos: 1, retain: true } };
  }

  #become(state: MqttBridgeStatus['state']): void {
    if (!(isAbsent(state) && isAbsent(this.#state))) this.#since = this.#options.clock.wall();
    this.#state = state;
  }
}

function isAbsent(state: MqttBridgeStatus['state']): boolean {
  return state === 'connecting' || state === 'waiting';
}
