import { text, toUint, uint } from '../../../firmware-sim/codec/bytes.ts';
import { Deframer, wrap } from '../../../firmware-sim/codec/framing.ts';
import {
  decodeLong,
  encodeLong,
  find,
  findUint,
  make,
  message,
  type LongMessage,
  type Section,
} from '../../../firmware-sim/codec/long-form.ts';
import {
  decodeReadings,
  decodeShort,
  encodeShort,
  isShort,
  widen,
  type ShortFrame,
} from '../../../firmware-sim/codec/short-form.ts';
import type { SerialLine } from '../../../firmware-sim/line/serial-line.ts';
import { channelsOf } from '../../../firmware-sim/site-plan.ts';
import type { VirtualClock } from '../../support/virtual-clock.ts';

/** One reading as the gateway took it into custody. */
export interface Taken {
  readonly session: number;
  readonly id: number;
  readonly topic: string;
  readonly sequence: number;
  /** Milliseconds of the clock at which it was taken, as far as the frame tells. */
  readonly takenAt: number;
}

interface Session {
  readonly number: number;
  readonly sessionId: Uint8Array;
  readonly began: number;
  received: number;
  sent: number;
  acknowledged: number;
  readonly early: Map<number, (id: number) => void>;
}

const layouts = channelsOf('n').map(({ layout }) => layout);

/** The gateway's side of one line, as docs/protocol.md has it and no more than the tests need. What it does at each moment is up to the test. */
export class ScriptedGateway {
  readonly taken: Taken[] = [];
  /** Every frame heard, newest last. */
  readonly short: ShortFrame[] = [];
  readonly long: LongMessage[] = [];
  readonly acknowledgedDeliveries: number[] = [];
  session: Session | undefined;
  /** What the gateway does with a numbered message: takes it, or is deaf to it. */
  deaf = false;
  /** Whether it answers CONNECT_TOKEN and CONNECT_RESUME. */
  answers = true;
  credit: number | undefined;
  /** How far ahead a message may be to be kept (6.3.1); 1: it has to be the next one. */
  keepsEarly = 32;
  /** Answer to a CONNECT_RESUME of a session that is over; what it remembers, or undefined. */
  remembered: number | undefined;
  keepAliveMs = 10_000;
  #sessions = 0;
  #unacknowledged: { id: number; content: Uint8Array }[] = [];
  readonly #clock: VirtualClock;
  readonly #line: SerialLine;
  readonly #deframer = new Deframer();

  constructor(clock: VirtualClock, line: SerialLine) {
    this.#clock = clock;
    this.#line = line;
    line.gateway.onData((bytes) => {
      for (const frame of this.#deframer.push(bytes)) this.#frame(frame);
    });
  }

  sequences(topic: string): number[] {
    return this.taken.filter((one) => one.topic === topic).map(({ sequence }) => sequence);
  }

  say(frame: ShortFrame): void {
    this.#line.gateway.write(wrap(encodeShort(frame)));
  }

  sayLong(type: number, sections: readonly Section[], timestamp = 0): void {
    this.#line.gateway.write(wrap(encodeLong({ type, timestamp, sections })));
  }

  acknowledge(): void {
    if (!this.session) return;
    const credit = this.credit === undefined ? {} : { credit: this.credit };
    this.say({ kind: 'ack', confirmed: false, id8: this.session.received % 256, ...credit });
  }

  /** @param answer to a RESUME of the node's */
  resume(answer = false): void {
    if (!this.session) return;
    const tail = toUint(this.session.sessionId.subarray(-2));
    this.say({ kind: 'resume', answer, tail, id8: this.session.received % 256 });
  }

  /** Delivers a command reliably; again every 200 ms until it is acknowledged. */
  deliver(command: number): void {
    if (!this.session) return;
    const id = ++this.session.sent;
    this.#unacknowledged.push({ id, content: uint(command, 4) });
    this.#repeat();
  }

  #repeat(): void {
    for (const { id, content } of this.#unacknowledged)
      this.say({ kind: 'reliable', alias: 2, id8: id % 256, content });
    if (this.#unacknowledged.length > 0) this.#clock.after(200, () => this.#repeat());
  }

  #frame(frame: Uint8Array): void {
    if (isShort(frame)) this.#short(decodeShort(frame));
    else this.#long(decodeLong(frame));
  }

  #long(long: LongMessage): void {
    this.long.push(long);
    const id = findUint(long, 'messageId') ?? 0;
    switch (long.type) {
      case message.connectToken:
        if (this.answers) this.#connect();
        break;
      case message.connectResume:
        if (this.answers) this.#resumeByKey(long);
        break;
      case message.publish:
        if (id > 0)
          this.#numbered(id, () => {
            const topic = text(find(long, 'topic') ?? new Uint8Array());
            const content = long.sections.find(({ type }) => type === 0x8001)?.value ?? new Uint8Array();
            const takenAt = (this.session?.began ?? 0) + long.timestamp - 1;
            this.#take(id, topic, content, takenAt);
          });
        break;
      case message.subscribe:
      case message.alias:
        this.#numbered(id, () => undefined);
        break;
      default:
    }
  }

  #connect(): void {
    const number = ++this.#sessions;
    const began = this.#clock.now();
    const sessionId = uint(0x1000 + number, 8);
    this.session = { number, sessionId, began, received: 0, sent: 0, acknowledged: 0, early: new Map() };
    this.#unacknowledged = [];
    this.sayLong(
      message.connackSuccess,
      [
        make('clientId', 'n'),
        make('sessionId', sessionId),
        make('resumeKey', new Uint8Array(16)),
        make('keepAlive', [this.keepAliveMs, 4]),
        make('resumeWindow', [60_000, 4]),
        make('serverTime', [Math.round(this.#clock.wall()), 8]),
      ],
      1,
    );
  }

  #resumeByKey(long: LongMessage): void {
    const same =
      toUint(find(long, 'sessionId') ?? new Uint8Array()) === 0x1000 + (this.session?.number ?? -1);
    if (this.session && same) {
      const sections = [
        make('messageId', [this.session.received, 4]),
        make('serverTime', [Math.round(this.#clock.wall()), 8]),
      ];
      this.sayLong(message.connackResumed, sections);
    } else {
      const sections = this.remembered === undefined ? [] : [make('messageId', [this.remembered, 4])];
      this.sayLong(message.connackSessionExpired, sections);
    }
  }

  #short(frame: ShortFrame): void {
    this.short.push(frame);
    if (!this.session) {
      if (frame.kind !== 'reset' && this.answers) this.say({ kind: 'reset' });
      return;
    }
    const { session } = this;
    switch (frame.kind) {
      case 'reliable':
        this.#numbered(widen(frame.id8, session.received + 1), (id) =>
          this.#take(id, `n/${frame.alias}`, frame.content, this.#clock.now()),
        );
        break;
      case 'batch':
        this.#numbered(widen(frame.id8, session.received + 1), (id) => {
          for (const { age, content } of decodeReadings(
            layouts[frame.alias] ?? [],
            frame.count,
            frame.readings,
          ))
            this.#take(id, `n/${frame.alias}`, content, this.#clock.now() - age);
        });
        break;
      case 'ack':
        this.#acknowledged(frame.id8);
        break;
      case 'resume':
        this.#acknowledged(frame.id8);
        if (frame.tail !== toUint(session.sessionId.subarray(-2))) this.say({ kind: 'reset' });
        else if (!frame.answer) this.resume(true);
        break;
      case 'ping':
        this.say({ kind: 'pong', echo: frame.echo });
        break;
      case 'publish':
      case 'pong':
      case 'reset':
      case 'fragment':
        break;
    }
  }

  #acknowledged(id8: number): void {
    if (!this.session) return;
    const id = widen(id8, this.session.acknowledged);
    this.session.acknowledged = Math.max(this.session.acknowledged, id);
    this.acknowledgedDeliveries.push(id);
    this.#unacknowledged = this.#unacknowledged.filter((one) => one.id > id);
  }

  #numbered(id: number, process: (id: number) => void): void {
    if (!this.session || this.deaf) return;
    const { early } = this.session;
    if (this.credit !== 0 && id > this.session.received && id <= this.session.received + this.keepsEarly)
      early.set(id, process);
    for (let next = early.get(this.session.received + 1); next; next = early.get(this.session.received + 1)) {
      early.delete(++this.session.received);
      next(this.session.received);
    }
    this.acknowledge();
  }

  #take(id: number, topic: string, content: Uint8Array, takenAt: number): void {
    const sequence = toUint(content.subarray(0, 4));
    this.taken.push({ session: this.session?.number ?? 0, id, topic, sequence, takenAt });
  }
}
