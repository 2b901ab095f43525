import type { Clock, Timer } from '../clock.ts';
import { Malformed, text, toUint } from '../codec/bytes.ts';
import { Defragmenter, fragment } from '../codec/fragments.ts';
import { DEFAULT_MTU } from '../codec/framing.ts';
import { readLayout, split } from '../codec/layout.ts';
import {
  decodeLong,
  encodeLong,
  find,
  findUint,
  make,
  message,
  nestedSections,
  type LongMessage,
} from '../codec/long-form.ts';
import {
  decodeReadings,
  decodeShort,
  encodeShort,
  isShort,
  widen,
  type ShortFrame,
} from '../codec/short-form.ts';
import type { BytePort } from '../line/byte-port.ts';
import type { Random } from '../random.ts';
import type { Behaviour, Command, Host, Keeps } from './behaviour.ts';
import { aliasEntry, type Aliasing, type Channel } from './channel.ts';
import { connectResume, connectToken, contextOf, tailOf, type Context } from './handshake.ts';
import { Ledger, type Outcome } from './ledger.ts';
import { contentOf, encodeBestEffort, encodeOutbound, type Outbound, type Reading } from './outbound.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { Uart } from './uart.ts';

export interface NodeOptions {
  readonly name: string;
  readonly token: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The wire. */
  readonly port: BytePort;
  readonly baud: number;
  readonly channels: readonly Channel[];
  readonly behaviours?: readonly Behaviour[];
  /** Default `profile`. */
  readonly aliasing?: Aliasing;
  /** Filters to SUBSCRIBE to; none where the gateway's profile subscribes for the node. */
  readonly subscribe?: readonly string[];
  /** What the node wishes in CONNECT_TOKEN; default 10,000; 0 = none. */
  readonly keepAliveMs?: number;
  /** Readings that are kept until they are acknowledged; default 10,000. */
  readonly outboxReadings?: number;
  readonly mtu?: number;
  /** Whether a node that wakes says RESUME first, and so gets its commands at once, or sends its data with no handshake; default false. */
  readonly resumeOnWake?: boolean;
}

export type Phase = 'off' | 'asleep' | 'connecting' | 'resuming' | 'online';

const CONNECT_FIRST_MS = 1000;
const CONNECT_LAST_MS = 4000;
const REFUSED_MS = 5000;
const RESET_PACE_MS = 1000;
const RESUME_LAST_MS = 10_000;
const BOOT_MS = 50;
const BATCH_BYTES = 200;
const BATCH_READINGS = 20;

/** Reasons of a DISCONNECT that leave the session alive (5.7.3). */
const SURVIVED: ReadonlySet<number> = new Set([2, 3, 4]);

type Inbound = () => void;

/**
 * A node on a serial line, as a device author would write it from docs/protocol.md. Its RAM is the fields of this object; what it keeps over a reboot
 * is said by `reboot`. The ledger is the experimenter's and forgets nothing.
 */
export class SimNode implements Host {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly #options: NodeOptions;
  readonly #uart: Uart;
  readonly #sender: Sender<Outbound>;
  readonly #receiver = new Receiver<Inbound>();
  readonly #channels = new Map<string, Channel>();
  readonly #behaviours: readonly Behaviour[];
  #defragmenter = new Defragmenter();
  #phase: Phase = 'off';
  #context: Context | undefined;
  /** Aliases declared by ALIAS that the gateway has acknowledged. */
  #aliasesInForce = false;
  /** Readings taken asleep, by topic, that wait to be sent together. */
  #pending: { channel: Channel; reading: Reading }[] = [];
  #waiting = 0;
  #rejected = new Set<Outbound>();
  #held = false;
  #usesCredit = false;
  #handshake: Timer | undefined;
  #keepAlive: Timer | undefined;
  #connectSince = -Infinity;
  #resumeAt = -Infinity;
  #heardAt = 0;
  #sentAt = 0;
  #fragmentId = 0;
  #echo = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.ledger = new Ledger(options.name);
    this.#behaviours = options.behaviours ?? [];
    for (const channel of options.channels) this.#channels.set(channel.topic, channel);
    const mtu = options.mtu ?? DEFAULT_MTU;
    this.#uart = new Uart(options.clock, options.port, options.baud, mtu, (frame) => this.#frame(frame));
    this.#sender = new Sender<Outbound>({
      clock: options.clock,
      byteMs: this.#uart.byteMs,
      encode: (outbound, id) => encodeOutbound(outbound, id, this.#moment()),
      transmit: (frame) => this.#transmit(frame),
      acknowledged: (outbound) => this.#acknowledged(outbound),
      resent: () => this.ledger.count('retransmission'),
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  get asleep(): boolean {
    return this.#phase === 'asleep';
  }

  /** Nothing waits for an acknowledgement. */
  get settled(): boolean {
    return this.#waiting === 0;
  }

  /** Frames that the node could not read. */
  get badFrames(): number {
    return this.#uart.dropped;
  }

  /** Power on: RESUME where a context is left, else CONNECT_TOKEN. */
  start(): void {
    if (this.#phase !== 'off') return;
    this.#uart.restart();
    this.#heardAt = this.#sentAt = this.clock.now();
    if (this.#context) this.#resume();
    else this.#connect();
    for (const behaviour of this.#behaviours) behaviour.start(this);
  }

  /** Power off, with all memory kept. The gateway is told nothing. */
  stop(): void {
    for (const behaviour of this.#behaviours) behaviour.stop();
    this.#silence('off');
  }

  /** Ends the session (5.7.3) and stops. What waits is kept for the next one. */
  disconnect(): void {
    if (this.#phase === 'online') {
      const sections = [make('reason', [0, 2])];
      this.#transmit(encodeLong({ type: message.disconnect, timestamp: 0, sections }));
      this.#context = undefined;
    }
    this.stop();
  }

  take(topic: string, content: (sequence: number) => Uint8Array, reliable = true): void {
    const channel = this.#channels.get(topic);
    if (!channel) throw new Error(`${this.name} has no topic ${topic}`);
    const sequence = this.ledger.make(topic);
    const reading = { sequence, content: content(sequence), takenAt: this.clock.now() };
    if (!reliable) {
      if (this.#phase === 'online') this.#transmit(encodeBestEffort(channel, reading, this.#moment()));
      this.ledger.settle('bestEffort', topic, sequence);
    } else if (this.#waiting >= (this.#options.outboxReadings ?? 10_000)) {
      this.ledger.settle('overflowed', topic, sequence);
    } else {
      this.#waiting++;
      if (this.#phase === 'asleep') this.#pending.push({ channel, reading });
      else this.#sender.push({ kind: 'readings', channel, readings: [reading] });
    }
  }

  hold(held: boolean): void {
    const opened = this.#held && !held;
    this.#held = held;
    this.#usesCredit = true;
    if (opened && this.#phase === 'online') this.#acknowledge();
  }

  sleep(): void {
    if (this.#phase === 'off' || this.#phase === 'asleep') return;
    this.ledger.count('sleep');
    this.#silence('asleep');
  }

  /** Back from sleep: sends what was taken meanwhile in batches, with no handshake where a context is held (6.5.1). */
  wake(): void {
    if (this.#phase !== 'asleep') return;
    this.#uart.restart();
    this.#flushPending();
    this.#heardAt = this.clock.now();
    if (!this.#context) this.#connect();
    else if (this.#options.resumeOnWake === true) this.#resume();
    else this.#online();
  }

  /** The power fails and comes back after 50 ms. */
  reboot(keeps: Keeps): void {
    if (this.#phase === 'off') return;
    this.ledger.count(`reboot-keeping-${keeps}`, true);
    this.stop();
    this.#defragmenter = new Defragmenter();
    this.#held = false;
    if (keeps !== 'all') this.#context = undefined;
    if (keeps === 'nothing') this.#forget();
    this.#flushPending();
    this.#handshake = this.clock.after(BOOT_MS, () => this.start());
  }

  junk(bytes: Uint8Array): void {
    if (this.#phase !== 'off') this.#uart.raw(bytes);
  }

  /** Neither talks nor listens. */
  #silence(phase: Phase): void {
    this.#phase = phase;
    this.#sender.close();
    this.#handshake?.cancel();
    this.#keepAlive?.cancel();
  }

  #forget(): void {
    const lost = this.#sender.messages.filter((outbound) => outbound.kind === 'readings');
    for (const { channel, readings } of lost)
      for (const { sequence } of readings) this.ledger.settle('forgotten', channel.topic, sequence);
    for (const { channel, reading } of this.#pending)
      this.ledger.settle('forgotten', channel.topic, reading.sequence);
    this.#sender.renumber([]);
    this.#pending = [];
    this.#waiting = 0;
  }

  #flushPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    const alone = this.#options.aliasing === 'never';
    for (const channel of this.#channels.values()) {
      const readings = pending.filter((one) => one.channel === channel).map(({ reading }) => reading);
      const longest = Math.max(1, ...readings.map(({ content }) => content.length));
      const size = alone ? 1 : Math.max(1, Math.min(BATCH_READINGS, Math.floor(BATCH_BYTES / (longest + 5))));
      for (let index = 0; index < readings.length; index += size)
        this.#sender.push({ kind: 'readings', channel, readings: readings.slice(index, index + size) });
    }
  }

  // Sending

  #transmit(frame: Uint8Array): number {
    this.#sentAt = this.clock.now();
    const frames = fragment(frame, this.#fragmentId, this.#options.mtu ?? DEFAULT_MTU);
    if (frames.length > 1) this.#fragmentId = (this.#fragmentId + 1) % 256;
    return frames.reduce((_, one) => this.#uart.send(one), 0);
  }

  #moment(): { now: number; sessionClock: number | undefined; inForce: boolean } {
    const aliasing = this.#options.aliasing ?? 'profile';
    const inForce = aliasing === 'message' ? this.#aliasesInForce : aliasing !== 'never';
    return { now: this.clock.now(), sessionClock: this.#context?.sessionClock, inForce };
  }

  #acknowledged(outbound: Outbound): void {
    const outcome: Outcome = this.#rejected.delete(outbound) ? 'rejected' : 'acknowledged';
    if (outbound.kind === 'control') {
      if (outbound.type === message.alias && outcome === 'acknowledged') this.#aliasesInForce = true;
      return;
    }
    this.#waiting -= outbound.readings.length;
    for (const { sequence } of outbound.readings)
      this.ledger.settle(outcome, outbound.channel.topic, sequence);
  }

  #acknowledge(): void {
    const credit = this.#usesCredit ? { credit: this.#held ? 0 : 127 } : {};
    this.#transmit(
      encodeShort({ kind: 'ack', confirmed: false, id8: this.#receiver.received % 256, ...credit }),
    );
  }

  // Session

  /** CONNECT_TOKEN, again and again until it is answered. */
  #connect(wait = CONNECT_FIRST_MS): void {
    const { token, name, keepAliveMs = 10_000, aliasing, channels } = this.#options;
    this.#enter('connecting');
    const aliases = aliasing === 'connect' ? channels.map(aliasEntry) : [];
    const leftAt = this.#transmit(connectToken({ token, name, keepAliveMs, aliases }));
    this.#later(wait + leftAt - this.clock.now(), () => this.#connect(Math.min(CONNECT_LAST_MS, wait * 2)));
  }

  /** CONNECT_RESUME: learns what had arrived, where the server still knows (5.4.3). */
  #connectResume(context: Context, wait = CONNECT_FIRST_MS): void {
    this.#enter('connecting');
    const leftAt = this.#transmit(connectResume(context, this.#receiver.received));
    this.#later(wait + leftAt - this.clock.now(), () =>
      this.#connectResume(context, Math.min(CONNECT_LAST_MS, wait * 2)),
    );
  }

  /** The gateway has no context for us (6.5.4): not more than one CONNECT a second for it. */
  #reconnect(): void {
    if (this.#phase === 'connecting') return;
    this.#enter('connecting');
    const wait = this.#connectSince + RESET_PACE_MS - this.clock.now();
    this.#later(Math.max(0, wait), () => {
      this.#connectSince = this.clock.now();
      if (this.#context) this.#connectResume(this.#context);
      else this.#connect();
    });
  }

  /** RESUME (6.5.2), again and again until it is answered. */
  #resume(wait = this.#sender.roundTrip.timeout): void {
    this.#enter('resuming');
    this.#sayResume();
    this.#later(wait, () => this.#resume(Math.min(RESUME_LAST_MS, wait * 2)));
  }

  #sayResume(): void {
    if (!this.#context) return;
    this.#resumeAt = this.clock.now();
    this.#transmit(
      encodeShort({ kind: 'resume', tail: tailOf(this.#context), id8: this.#receiver.received % 256 }),
    );
  }

  #enter(phase: Phase): void {
    this.#silence(phase);
  }

  #later(ms: number, action: () => void): void {
    this.#handshake?.cancel();
    this.#handshake = this.clock.after(ms, action);
  }

  #online(): void {
    this.#enter('online');
    this.#sender.open();
    this.#watch();
  }

  /** PING before KEEP_ALIVE is over, RESUME after 1.5 times as much silence (5.6.1). */
  #watch(): void {
    const keepAlive = this.#context?.keepAliveMs ?? 0;
    if (keepAlive === 0) return;
    this.#keepAlive = this.clock.after(keepAlive / 4, () => {
      const now = this.clock.now();
      if (now - this.#heardAt > 1.5 * keepAlive) {
        this.ledger.count('silence', true);
        this.#resume();
        return;
      }
      if (now - Math.min(this.#sentAt, this.#heardAt) >= keepAlive / 2) {
        this.#echo = (this.#echo + 1) % 256;
        this.#transmit(encodeShort({ kind: 'ping', echo: this.#echo }));
      }
      this.#watch();
    });
  }

  #newSession(connack: LongMessage): void {
    const context = contextOf(connack, this.clock.now());
    const known = this.#context;
    if (known && tailOf(known) === tailOf(context) && this.#phase !== 'connecting') return;
    this.#context = context;
    this.#receiver.restart();
    // Every CONNECT_TOKEN was on the wire before its first answer came, so what went out since belongs to the last session already.
    if (this.#phase !== 'connecting') return;
    this.ledger.count('connected', true);
    this.#aliasesInForce = false;
    const { aliasing, channels, subscribe = [] } = this.#options;
    const controls: Outbound[] = [];
    if (aliasing === 'message')
      controls.push({ kind: 'control', type: message.alias, sections: channels.map(aliasEntry) });
    if (subscribe.length > 0) {
      const sections = subscribe.map((filter) => make('topic', filter));
      controls.push({ kind: 'control', type: message.subscribe, sections });
    }
    this.#rejected.clear();
    this.#sender.renumber([...controls, ...this.#sender.messages.filter(({ kind }) => kind === 'readings')]);
    this.#online();
  }

  #refused(wait: number): void {
    this.ledger.count('refused', true);
    this.#enter('connecting');
    this.#later(wait, () => this.#connect());
  }

  // Receiving

  #frame(frame: Uint8Array): void {
    if (this.#phase === 'off' || this.#phase === 'asleep') return;
    try {
      if (isShort(frame)) this.#short(decodeShort(frame));
      else this.#long(decodeLong(frame));
      this.#heardAt = this.clock.now();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.ledger.count('malformed-frame');
    }
  }

  #short(frame: ShortFrame): void {
    // Until the session stands, frames of the short form speak of one that is gone.
    if (this.#phase === 'connecting') return;
    switch (frame.kind) {
      case 'reset':
        this.ledger.count('reset', true);
        this.#reconnect();
        break;
      case 'resume':
        this.#resumed(frame.tail, frame.id8);
        break;
      case 'ack':
        if (!frame.confirmed) this.#ackOf(this.#sender.widen(frame.id8), frame.credit);
        break;
      case 'publish':
        this.#deliver(this.#byAlias(frame.alias, frame.content));
        break;
      case 'reliable': {
        const command = this.#byAlias(frame.alias, frame.content);
        this.#numbered(widen(frame.id8, this.#receiver.received + 1), () => this.#deliver(command));
        break;
      }
      case 'batch': {
        const { topic, layout } = this.#channelOf(frame.alias);
        const readings = decodeReadings(layout, frame.count, frame.readings);
        this.#numbered(widen(frame.id8, this.#receiver.received + 1), () => {
          for (const { content } of readings) this.#deliver({ topic, content });
        });
        break;
      }
      case 'ping':
        this.#transmit(encodeShort({ kind: 'pong', echo: frame.echo }));
        break;
      case 'pong':
        break;
      case 'fragment': {
        const whole = this.#defragmenter.push(frame);
        if (whole) this.#frame(whole);
        break;
      }
    }
  }

  #ackOf(id: number | undefined, credit?: number): void {
    if (id === undefined || !this.#sender.acknowledge(id, credit)) this.ledger.count('stale-ack');
  }

  #resumed(tail: number, id8: number): void {
    if (!this.#context || tailOf(this.#context) !== tail) {
      this.ledger.count('resume-of-another-session', true);
      this.#reconnect();
      return;
    }
    this.ledger.count('resumed', true);
    this.#ackOf(this.#sender.widen(id8));
    // One that comes within a retransmission time of our own is its answer; any other wants one (6.5.2).
    const since = this.clock.now() - this.#resumeAt;
    if (this.#phase !== 'resuming' && since > this.#sender.roundTrip.timeout) this.#sayResume();
    this.#online();
  }

  #long(long: LongMessage): void {
    switch (long.type) {
      case message.connackSuccess:
        this.#newSession(long);
        break;
      case message.connackResumed:
        if (this.#phase !== 'connecting') break;
        this.ledger.count('resumed-by-key', true);
        this.#ackOf(findUint(long, 'messageId'));
        this.#online();
        break;
      case message.connackSessionExpired: {
        if (this.#phase !== 'connecting' || !this.#context) break;
        this.ledger.count('session-expired', true);
        const arrived = findUint(long, 'messageId');
        if (arrived !== undefined) this.#ackOf(arrived);
        this.#context = undefined;
        this.#connect();
        break;
      }
      case message.connackBusy:
        if (this.#phase === 'connecting') this.#refused(findUint(long, 'retryAfter') ?? REFUSED_MS);
        break;
      case message.connackFailed:
      case message.connackTokenError:
      case message.connackVersion:
        if (this.#phase === 'connecting') this.#refused(REFUSED_MS);
        break;
      case message.disconnect:
        this.#disconnected(toUint(find(long, 'reason')?.subarray(0, 2) ?? new Uint8Array(2)));
        break;
      default:
        if (this.#phase !== 'connecting') this.#inSession(long);
    }
  }

  #inSession(long: LongMessage): void {
    const id = findUint(long, 'messageId') ?? 0;
    switch (long.type) {
      case message.publish: {
        const content = contentOf(long.sections);
        const alias = findUint(long, 'aliasId');
        const topic =
          alias === undefined ? text(find(long, 'topic') ?? new Uint8Array()) : this.#channelOf(alias).topic;
        if (id === 0) this.#deliver({ topic, content });
        else this.#numbered(id, () => this.#deliver({ topic, content }));
        break;
      }
      case message.alias:
        this.#numbered(id, () => this.#declare(long));
        break;
      case message.presenceJoined:
      case message.presenceLeft:
        this.#numbered(id, () => this.ledger.count('presence'));
        break;
      case message.ack:
        this.#ackOf(id);
        break;
      case message.rejected: {
        const refused = this.#sender.find(id);
        if (refused) this.#rejected.add(refused);
        this.ledger.count('rejected', true);
        break;
      }
      case message.ping: {
        const sections = [make('echo', [findUint(long, 'echo') ?? 0, 4])];
        this.#transmit(encodeLong({ type: message.pong, timestamp: 0, sections }));
        break;
      }
      default:
        this.ledger.count('ignored-message');
    }
  }

  #disconnected(reason: number): void {
    if (this.#phase === 'connecting') return;
    this.ledger.count('disconnected', true);
    if (SURVIVED.has(reason)) this.#resume(CONNECT_FIRST_MS);
    else this.#reconnect();
  }

  /** A numbered message of the gateway's: processed in order and once, and acknowledged at once. */
  #numbered(id: number, process: Inbound): void {
    if (!this.#held) for (const next of this.#receiver.accept(id, process)) next();
    if (this.#phase === 'online' || this.#phase === 'resuming') this.#acknowledge();
  }

  #channelOf(alias: number): Channel {
    const channel = [...this.#channels.values()].find((one) => one.alias === alias);
    if (!channel) throw new Malformed(`6.1.2: alias ${alias} is not declared`);
    return channel;
  }

  #byAlias(alias: number, content: Uint8Array): Command {
    const { topic, layout } = this.#channelOf(alias);
    split(layout, content);
    return { topic, content };
  }

  #deliver(command: Command): void {
    const { topic, content } = command;
    const number = content.length >= 4 ? toUint(content.subarray(0, 4)) : undefined;
    this.ledger.command({
      topic,
      content: Buffer.from(content).toString('hex'),
      number,
      at: this.clock.wall(),
    });
    for (const behaviour of this.#behaviours) behaviour.command?.(command);
  }

  #declare(long: LongMessage): void {
    for (const { value } of long.sections.filter(({ type }) => type === 0x011c)) {
      const entry = { sections: nestedSections(value) };
      const topic = text(find(entry, 'topic') ?? new Uint8Array());
      const layout = readLayout(find(entry, 'layout') ?? new Uint8Array());
      this.#channels.set(topic, { alias: findUint(entry, 'aliasId') ?? 0, topic, layout });
    }
  }
}
