import type { Clock, Timer } from '../clock.ts';
import { Malformed } from '../codec/bytes.ts';
import { Defragmenter, fragment } from '../codec/fragments.ts';
import { DEFAULT_MTU } from '../codec/framing.ts';
import { encodeLong, findUint, make, message, type LongMessage } from '../codec/long-form.ts';
import { encodeShort, widen } from '../codec/short-form.ts';
import type { BytePort } from '../line/byte-port.ts';
import type { Command } from './behaviour.ts';
import { aliasEntry, type Aliasing, type Channel } from './channel.ts';
import { connectResume, connectToken, contextOf, tailOf, type Context } from './handshake.ts';
import { hear, type Heard, type Numbering } from './heard.ts';
import type { Ledger } from './ledger.ts';
import { encodeBestEffort, encodeOutbound, type Moment, type Outbound, type Reading } from './outbound.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { Uart } from './uart.ts';

export type Phase = 'off' | 'asleep' | 'connecting' | 'resuming' | 'online';

export interface SessionOptions {
  readonly name: string;
  readonly token: string;
  readonly clock: Clock;
  readonly port: BytePort;
  readonly baud: number;
  readonly channels: readonly Channel[];
  /** Default `profile`. */
  readonly aliasing?: Aliasing;
  /** Filters to SUBSCRIBE to; none where the gateway's profile subscribes for the node. */
  readonly subscribe?: readonly string[];
  /** What the node wishes in CONNECT_TOKEN; default 10,000; 0 = none. */
  readonly keepAliveMs?: number;
  readonly mtu?: number;
}

export interface SessionHost {
  readonly ledger: Ledger;
  deliver(command: Command): void;
  /** The gateway has this message of ours, and took it or refused it. */
  settled(outbound: Outbound, rejected: boolean): void;
}

const CONNECT_FIRST_MS = 1000;
const CONNECT_LAST_MS = 2000;
const REFUSED_MS = 5000;
const RESET_PACE_MS = 1000;
const RESUME_LAST_MS = 10_000;

/** Reason of a DISCONNECT by a node whose gateway has lost state (4.3). */
const STATE_LOST = 13;

/** Reasons of a DISCONNECT that leave the session alive (5.7.3). */
const SURVIVED: ReadonlySet<number> = new Set([2, 3, 4]);

/** A node's side of its session with the gateway, over a serial line: clauses 5 and 6. */
export class Session {
  readonly sender: Sender<Outbound>;
  readonly #options: SessionOptions;
  readonly #host: SessionHost;
  readonly #clock: Clock;
  readonly #uart: Uart;
  readonly #receiver = new Receiver<() => void>();
  readonly #channels = new Map<string, Channel>();
  readonly #rejected = new Set<Outbound>();
  #defragmenter = new Defragmenter();
  #phase: Phase = 'off';
  #context: Context | undefined;
  /** Aliases declared by ALIAS that the gateway has acknowledged. */
  #aliasesInForce = false;
  #held = false;
  #usesCredit = false;
  #handshake: Timer | undefined;
  #keepAlive: Timer | undefined;
  #answeredResetAt = -Infinity;
  #heardAt = 0;
  #sentAt = 0;
  #fragmentId = 0;
  #echo = 0;

  constructor(options: SessionOptions, host: SessionHost) {
    this.#options = options;
    this.#host = host;
    this.#clock = options.clock;
    for (const channel of options.channels) this.#channels.set(channel.topic, channel);
    const mtu = options.mtu ?? DEFAULT_MTU;
    this.#uart = new Uart(options.clock, options.port, options.baud, mtu, {
      frame: (frame) => this.#frame(frame),
      dropped: () => host.ledger.count('bad-frame'),
    });
    this.sender = new Sender<Outbound>({
      clock: options.clock,
      byteMs: this.#uart.byteMs,
      encode: (outbound, id) => encodeOutbound(outbound, id, this.#moment()),
      transmit: (frame) => this.#transmit(frame),
      acknowledged: (outbound) => this.#acknowledged(outbound),
      resent: () => host.ledger.count('retransmission'),
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Power on: RESUME where a context is left, else CONNECT_TOKEN. */
  start(): void {
    this.#listen();
    if (this.#context) this.#resume();
    else this.#connect();
  }

  /** Back from sleep: where a context is held data may go at once, with no handshake (6.5.1). */
  wake(resumeFirst: boolean): void {
    if (!this.#context || resumeFirst) {
      this.start();
      return;
    }
    this.#listen();
    this.#online();
  }

  /** Neither talks nor listens from now on. */
  silence(phase: 'off' | 'asleep'): void {
    this.#enter(phase);
  }

  forgetContext(): void {
    this.#context = undefined;
  }

  /** Ends the session (5.7.3). */
  disconnect(): void {
    if (this.#phase === 'online') this.#sayLong(message.disconnect, [make('reason', [0, 2])]);
    this.#context = undefined;
  }

  /** Sends a reading once, where there is a session. */
  bestEffort(channel: Channel, reading: Reading): void {
    if (this.#phase === 'online') this.#transmit(encodeBestEffort(channel, reading, this.#moment()));
  }

  /** Takes no more numbered messages and grants no credit, or does again (6.4). */
  hold(held: boolean): void {
    const opened = this.#held && !held;
    this.#held = held;
    this.#usesCredit = true;
    if (opened && this.#phase === 'online') this.#acknowledge();
  }

  /** Puts bytes on the line between frames. */
  raw(bytes: Uint8Array): void {
    this.#uart.raw(bytes);
  }

  // Sending

  /** @param flush the frame ends whatever noise stands before it (7.2). */
  #transmit(frame: Uint8Array, flush = false): number {
    this.#sentAt = this.#clock.now();
    const frames = fragment(frame, this.#fragmentId, this.#options.mtu ?? DEFAULT_MTU);
    if (frames.length > 1) this.#fragmentId = (this.#fragmentId + 1) % 256;
    return frames.reduce((_, one, index) => this.#uart.send(one, flush && index === 0), 0);
  }

  #sayLong(type: number, sections: LongMessage['sections']): void {
    this.#transmit(encodeLong({ type, timestamp: 0, sections }));
  }

  #moment(): Moment {
    const aliasing = this.#options.aliasing ?? 'profile';
    const inForce = aliasing === 'message' ? this.#aliasesInForce : aliasing !== 'never';
    return { now: this.#clock.now(), sessionClock: this.#context?.sessionClock, inForce };
  }

  #acknowledged(outbound: Outbound): void {
    const rejected = this.#rejected.delete(outbound);
    if (outbound.kind === 'control' && outbound.type === message.alias && !rejected)
      this.#aliasesInForce = true;
    this.#host.settled(outbound, rejected);
  }

  #acknowledge(): void {
    const credit = this.#usesCredit ? { credit: this.#held ? 0 : 127 } : {};
    const id8 = this.#receiver.received % 256;
    this.#transmit(encodeShort({ kind: 'ack', confirmed: false, id8, ...credit }));
  }

  // The handshake

  #listen(): void {
    this.#uart.restart();
    this.#defragmenter = new Defragmenter();
    this.#held = false;
    this.#heardAt = this.#sentAt = this.#clock.now();
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.sender.close();
    this.#handshake?.cancel();
    this.#keepAlive?.cancel();
  }

  #later(ms: number, action: () => void): void {
    this.#handshake = this.#clock.after(ms, action);
  }

  /** CONNECT_TOKEN, again and again until it is answered. */
  #connect(wait = CONNECT_FIRST_MS): void {
    const { token, name, keepAliveMs = 10_000, aliasing, channels } = this.#options;
    this.#enter('connecting');
    const aliases = aliasing === 'connect' ? channels.map(aliasEntry) : [];
    const leftAt = this.#transmit(connectToken({ token, name, keepAliveMs, aliases }), true);
    this.#later(wait + leftAt - this.#clock.now(), () => this.#connect(Math.min(CONNECT_LAST_MS, wait * 2)));
  }

  /** CONNECT_RESUME: learns what had arrived, where the server still knows (5.4.3). */
  #connectResume(context: Context, wait = CONNECT_FIRST_MS): void {
    this.#enter('connecting');
    const leftAt = this.#transmit(connectResume(context, this.#receiver.received), true);
    this.#later(wait + leftAt - this.#clock.now(), () =>
      this.#connectResume(context, Math.min(CONNECT_LAST_MS, wait * 2)),
    );
  }

  /** The gateway has no context for us (6.5.4): not more than one CONNECT a second for it. */
  #reconnect(): void {
    const wait = this.#answeredResetAt + RESET_PACE_MS - this.#clock.now();
    this.#enter('connecting');
    this.#later(Math.max(0, wait), () => {
      this.#answeredResetAt = this.#clock.now();
      if (this.#context) this.#connectResume(this.#context);
      else this.#connect();
    });
  }

  /** The gateway claims less than it had acknowledged: it has lost state, and would wait for what nobody has any more (6.5.6). */
  #beginAnew(): void {
    this.#host.ledger.count('gateway-lost-state', true);
    this.#sayLong(message.disconnect, [make('reason', [STATE_LOST, 2])]);
    this.#context = undefined;
    this.#reconnect();
  }

  /** RESUME (6.5.2), again and again until it is answered. */
  #resume(wait = this.sender.roundTrip.timeout): void {
    this.#enter('resuming');
    this.#sayResume(false);
    this.#later(wait, () => this.#resume(Math.min(RESUME_LAST_MS, wait * 2)));
  }

  #sayResume(answer: boolean): void {
    if (!this.#context) return;
    const id8 = this.#receiver.received % 256;
    this.#transmit(encodeShort({ kind: 'resume', answer, tail: tailOf(this.#context), id8 }), true);
  }

  #online(): void {
    this.#enter('online');
    this.sender.open();
    this.#watch();
  }

  /** PING before KEEP_ALIVE is over, RESUME after 1.5 times as much silence (5.6.1). */
  #watch(): void {
    const keepAlive = this.#context?.keepAliveMs ?? 0;
    if (keepAlive === 0 || this.#phase !== 'online') return;
    this.#keepAlive = this.#clock.after(keepAlive / 4, () => {
      const now = this.#clock.now();
      if (now - this.#heardAt > 1.5 * keepAlive) {
        this.#host.ledger.count('silence', true);
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

  #connected(connack: LongMessage): void {
    const context = contextOf(connack, this.#clock.now());
    const before = this.#context;
    this.#context = context;
    if (this.#phase !== 'connecting') {
      // An answer to an earlier CONNECT_TOKEN of ours. All of them were on the wire before the first answer came, so what went out since belongs
      // to the newest session, and its numbers hold.
      if (before && tailOf(before) !== tailOf(context)) this.#receiver.restart();
      return;
    }
    this.#host.ledger.count('connected', true);
    this.#receiver.restart();
    this.#aliasesInForce = false;
    this.#rejected.clear();
    const readings = this.sender.messages.filter(({ kind }) => kind === 'readings');
    this.sender.renumber([...this.#introduction(), ...readings]);
    this.#online();
  }

  /** What a new session begins with. */
  #introduction(): Outbound[] {
    const { aliasing, channels, subscribe = [] } = this.#options;
    const messages: Outbound[] = [];
    if (aliasing === 'message')
      messages.push({ kind: 'control', type: message.alias, sections: channels.map(aliasEntry) });
    if (subscribe.length > 0) {
      const sections = subscribe.map((filter) => make('topic', filter));
      messages.push({ kind: 'control', type: message.subscribe, sections });
    }
    return messages;
  }

  // Receiving

  #frame(frame: Uint8Array): void {
    if (this.#phase === 'off' || this.#phase === 'asleep') return;
    try {
      const heard = hear(frame, this.#channels.values());
      this.#heardAt = this.#clock.now();
      if (heard.kind === 'connack') this.#connack(heard);
      // Until the session stands, everything else speaks of one that is gone.
      else if (this.#phase !== 'connecting') this.#heard(heard);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#host.ledger.count('malformed-frame');
    }
  }

  #connack({ result, long }: Extract<Heard, { kind: 'connack' }>): void {
    if (result === 'success') {
      this.#connected(long);
      return;
    }
    if (this.#phase !== 'connecting') return;
    const arrived = findUint(long, 'messageId');
    switch (result) {
      case 'resumed':
        if (arrived !== undefined && arrived < this.sender.acknowledged) {
          this.#beginAnew();
          break;
        }
        this.#host.ledger.count('resumed-by-key', true);
        this.#ackOf({ id: arrived ?? 0 });
        this.#online();
        break;
      case 'expired':
        // To a CONNECT_RESUME that was repeated; CONNECT_TOKEN is on its way already.
        if (!this.#context) break;
        this.#host.ledger.count('session-expired', true);
        if (arrived !== undefined) this.#ackOf({ id: arrived });
        this.#context = undefined;
        this.#connect();
        break;
      case 'refused':
        this.#host.ledger.count('refused', true);
        this.#enter('connecting');
        this.#later(findUint(long, 'retryAfter') ?? REFUSED_MS, () => this.#connect());
        break;
    }
  }

  #heard(heard: Exclude<Heard, { kind: 'connack' }>): void {
    const { ledger } = this.#host;
    switch (heard.kind) {
      case 'disconnect':
        ledger.count('disconnected', true);
        if (SURVIVED.has(heard.reason)) this.#resume(CONNECT_FIRST_MS);
        else this.#reconnect();
        break;
      case 'reset':
        ledger.count('reset', true);
        this.#reconnect();
        break;
      case 'resume':
        this.#resumed(heard);
        break;
      case 'ack':
        if ('id' in heard.number && heard.number.id < this.sender.acknowledged) this.#beginAnew();
        else this.#ackOf(heard.number, heard.credit);
        break;
      case 'rejected': {
        const refused = this.sender.find(heard.id);
        if (refused) this.#rejected.add(refused);
        ledger.count('rejected', true);
        break;
      }
      case 'publish': {
        const deliver = (): void => {
          for (const content of heard.contents) this.#host.deliver({ topic: heard.topic, content });
        };
        if (heard.number) this.#numbered(heard.number, deliver);
        else deliver();
        break;
      }
      case 'alias':
        this.#numbered(heard, () => {
          for (const channel of heard.channels) this.#channels.set(channel.topic, channel);
        });
        break;
      case 'presence':
      case 'expired':
        this.#numbered(heard, () => ledger.count(heard.kind));
        break;
      case 'ping':
        if (heard.long) this.#sayLong(message.pong, [make('echo', [heard.echo, 4])]);
        else this.#transmit(encodeShort({ kind: 'pong', echo: heard.echo }));
        break;
      case 'fragment': {
        const whole = this.#defragmenter.push(heard);
        if (whole) this.#frame(whole);
        break;
      }
      case 'nothing':
        break;
    }
  }

  #ackOf(number: Numbering, credit?: number): void {
    const id = 'id' in number ? number.id : this.sender.widen(number.id8);
    if (id === undefined || !this.sender.acknowledge(id, credit)) this.#host.ledger.count('stale-ack');
  }

  #resumed({ answer, tail, id8 }: Extract<Heard, { kind: 'resume' }>): void {
    if (!this.#context || tailOf(this.#context) !== tail) {
      this.#host.ledger.count('resume-of-another-session', true);
      this.#reconnect();
      return;
    }
    // An answer for which nobody waits means nothing: the one before it did (6.5.2).
    if (answer && this.#phase !== 'resuming') return;
    if (this.sender.widen(id8) === undefined) {
      this.#beginAnew();
      return;
    }
    this.#host.ledger.count('resumed', true);
    this.#ackOf({ id8 });
    if (!answer) this.#sayResume(true);
    this.#online();
  }

  /** A numbered message of the gateway's: processed in order and once, and acknowledged at once. */
  #numbered(number: Numbering, process: () => void): void {
    const id = 'id' in number ? number.id : widen(number.id8, this.#receiver.received + 1);
    if (!this.#held) for (const next of this.#receiver.accept(id, process)) next();
    if (this.#phase === 'online' || this.#phase === 'resuming') this.#acknowledge();
  }
}
