import { Fifo } from '../base/fifo.ts';
import { HashikeError } from '../base/errors.ts';
import { MAX_SHORT_IN_FLIGHT } from '../wire/numbers.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { earliest } from './earliest.ts';
import { fragment, mostBytesInFragments } from './fragments.ts';
import { Line } from './line.ts';
import { Outbound, type Covered, type Entry } from './outbound.ts';
import type { BestEffort, Transport } from './ports.ts';
import { Recovery } from './recovery.ts';
import { RoundTrip } from './round-trip.ts';

/** An acknowledgement takes at least this, for the size of the window (clause 6.3.3). */
const MIN_ACKNOWLEDGEMENT_MS = 100;
/** Best-effort readings have no way to say that they grew old, so what the line can't drain in this time is dropped (clause 6.1.6). */
const MAX_BEST_EFFORT_WAIT_MS = 1000;
/** Answers that would come later than this are of no use, and would keep others waiting. */
const MAX_CONTROL_WAIT_MS = 10_000;

export interface SenderOptions {
  readonly sent: number;
  readonly restored: boolean;
  readonly sendQueueBytes: number;
  transmit(frame: Uint8Array): boolean;
  relay(publish: PublishView, timestamp: number): boolean;
  /** Something was transmitted. */
  transmitted(now: number): void;
  encode(entry: Entry, now: number): Uint8Array;
  /** The next short answer (ACK, PONG …) that is due; these go before everything else. */
  owed(now: number): Uint8Array | undefined;
  dropped(reason: string): void;
  /** A reliable message came up that the link cannot carry; nothing more is sent on it. */
  tooLong(error: HashikeError): void;
}

/**
 * Everything that is sent: short answers, control messages, reliable ones in order and within the window, best-effort ones between them. Never puts more on the line
 * than it drains in a moment, so that an ACK need not wait; sends again what got lost.
 */
export class Sender {
  readonly outbound: Outbound;
  readonly #options: SenderOptions;
  #transport: Transport | undefined;
  #line = new Line(undefined);
  #roundTrip = new RoundTrip();
  #recovery = new Recovery();
  /** The link's queue is over its high-water mark. */
  #blocked = false;
  /** The peer has yet to say what it has. */
  #held = false;
  #stopped = false;
  #credit = MAX_SHORT_IN_FLIGHT;
  /** Frames of a message that was cut. */
  readonly #fragments = new Fifo<Uint8Array>();
  #fragmented = 0;
  /** Control and best-effort messages that wait for the line. */
  readonly #waiting = new Fifo<Uint8Array>();
  #waitingBytes = 0;
  #reliableHasTurn = true;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.outbound = new Outbound({ ...options, maxBytes: options.sendQueueBytes });
  }

  get roundTrip(): RoundTrip {
    return this.#roundTrip;
  }

  get line(): Line {
    return this.#line;
  }

  /** @param held the peer has yet to say what it has: `resumed` will tell. */
  attach(transport: Transport, held: boolean): void {
    this.#transport = transport;
    this.#line = new Line(transport.bitRate);
    this.#roundTrip = new RoundTrip();
    this.#recovery = new Recovery();
    this.#blocked = false;
    this.#held = held;
    this.#stopped = false;
    this.#credit = MAX_SHORT_IN_FLIGHT;
    this.outbound.rewind();
  }

  detach(): void {
    this.#transport = undefined;
    for (let waiting = this.#waiting.length; waiting > 0; waiting -= 1) this.#options.dropped('link-lost');
    this.#waiting.clear();
    this.#fragments.clear();
    this.#waitingBytes = 0;
  }

  /** Sends no more on this link. */
  stop(): void {
    this.#stopped = true;
  }

  /** Reliable messages wait until `resumed`. */
  hold(): void {
    this.#held = true;
  }

  /** Whether the present link can carry a frame of `length` bytes. */
  carries(length: number): boolean {
    if (!this.#transport) return true;
    const { mtu, shortForm } = this.#transport;
    return length <= mtu || (shortForm && length <= mostBytesInFragments(mtu));
  }

  /** Queues a control message. False, and counted, when it can't be carried or too much waits. */
  control(frame: Uint8Array, now: number): boolean {
    const carried = this.carries(frame.length);
    if (!carried || !this.#hasRoom(frame.length, this.#options.sendQueueBytes, MAX_CONTROL_WAIT_MS, now)) {
      this.#options.dropped(carried ? 'send-queue-full' : 'too-long');
      return false;
    }
    this.#enqueue(frame, now);
    return true;
  }

  /** Queues a best-effort message. One that can't be carried is counted; one that finds the queue full is its owner's. */
  bestEffort(frame: Uint8Array, now: number): BestEffort {
    if (!this.carries(frame.length)) {
      this.#options.dropped('too-long');
      return 'dropped';
    }
    const room = this.#options.sendQueueBytes - this.outbound.bytes;
    if (!this.#hasRoom(frame.length, room, MAX_BEST_EFFORT_WAIT_MS, now)) return 'full';
    this.#enqueue(frame, now);
    return 'sent';
  }

  /** Whether a frame of `length` bytes would go out at once, before everything else, as it is. */
  isFree(length: number): boolean {
    const transport = this.#transport;
    return (
      transport !== undefined &&
      transport.reliable &&
      !transport.shortForm &&
      length <= transport.mtu &&
      !this.#blocked &&
      !this.#held &&
      !this.#stopped &&
      this.#waiting.length === 0 &&
      this.outbound.unsent === undefined
    );
  }

  /** Sends a best-effort message for which the way `isFree`. */
  relay(publish: PublishView, timestamp: number, now: number): void {
    if (!this.#options.relay(publish, timestamp)) this.#blocked = true;
    this.#options.transmitted(now);
  }

  /** Sends a last frame past all queues. */
  last(frame: Uint8Array, now: number): void {
    this.#fragments.clear();
    let next = this.#cut(frame)?.first;
    if (!next) this.#options.dropped('too-long');
    for (; next; next = this.#fragments.shift()) this.#put(next, now);
  }

  /** What the peer acknowledges; undefined when it is nothing new. */
  acknowledge(messageId: number, credit: number | undefined, now: number): Covered | undefined {
    const { outbound } = this;
    if (messageId < outbound.acknowledged) return undefined;
    const creditBefore = this.#credit;
    this.#credit = credit ?? creditBefore;
    const covered = outbound.acknowledge(messageId);
    if (covered) {
      this.#advanced(covered, now);
    } else if (
      this.#lossy &&
      outbound.inFlight > 0 &&
      outbound.inFlight <= this.#credit &&
      this.#credit === creditBefore
    ) {
      // An ACK that brings credit, or answers a probe, tells of no loss.
      this.#recovery.repeated(outbound.lastInFlight);
    }
    return covered;
  }

  /** The peer says anew what it has; the rest is sent again. */
  resumed(messageId: number): Covered | undefined {
    const covered = this.outbound.acknowledge(messageId);
    this.outbound.rewind();
    this.#recovery = new Recovery();
    this.#held = false;
    return covered;
  }

  drained(): void {
    this.#blocked = false;
  }

  tick(now: number): void {
    const { deadline } = this.#recovery;
    if (deadline !== undefined && deadline <= now && !this.#blocked) {
      this.#recovery.expire(this.outbound.lastInFlight);
    }
  }

  /** When something is to be done: @param owedAt when `owed` has something. */
  deadline(owedAt: number | undefined): number | undefined {
    if (!this.#transport || this.#blocked || this.#stopped) return undefined;
    const readyAt = this.#line.readyAt;
    const works = this.#fragments.length + this.#waiting.length > 0 || this.#nextReliable() !== undefined;
    return earliest(
      owedAt === undefined ? undefined : Math.max(owedAt, readyAt),
      works ? readyAt : undefined,
      this.#recovery.deadline,
    );
  }

  /** Sends what may be sent. */
  pump(now: number): void {
    while (this.#ready(now)) {
      const frame = this.#next(now);
      if (!frame) break;
      this.#put(frame, now);
    }
    // Held back by the peer's credit alone: the timer makes the oldest message a probe (clause 6.4.1).
    const { outbound } = this;
    const probes = this.#lossy && !this.#held && outbound.inFlight === 0 && outbound.unsent !== undefined;
    if (probes && this.#recovery.deadline === undefined && !this.#recovery.resend && this.#overCredit()) {
      this.#recovery.arm(now, this.#roundTrip.timeout);
    }
  }

  get #lossy(): boolean {
    return this.#transport !== undefined && !this.#transport.reliable;
  }

  #ready(now: number): boolean {
    return this.#transport !== undefined && !this.#blocked && !this.#stopped && this.#line.readyAt <= now;
  }

  #put(frame: Uint8Array, now: number): void {
    this.#line.put(Line.bytes(frame.length), now);
    if (!this.#options.transmit(frame)) this.#blocked = true;
    this.#options.transmitted(now);
  }

  #hasRoom(length: number, room: number, maxWaitMs: number, now: number): boolean {
    const waits = this.#waiting.length > 0 || !this.#ready(now);
    return !waits || this.#waitingBytes + length <= Math.min(room, this.#line.drains(maxWaitMs));
  }

  #enqueue(frame: Uint8Array, now: number): void {
    this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
    this.pump(now);
  }

  #next(now: number): Uint8Array | undefined {
    const first = this.#options.owed(now) ?? this.#fragments.shift();
    if (first) return first;
    // Turn by turn, so that neither starves the other.
    const entry = this.#nextReliable();
    if (entry && (this.#reliableHasTurn || this.#waiting.length === 0)) {
      this.#reliableHasTurn = false;
      return this.#takeEntry(entry, now);
    }
    this.#reliableHasTurn = true;
    const frame = this.#waiting.shift();
    if (!frame) return undefined;
    this.#waitingBytes -= frame.length;
    return this.#cut(frame)?.first;
  }

  /** The reliable message that may go next: the oldest again, or the next new one within window and credit. */
  #nextReliable(): Entry | undefined {
    if (!this.#transport || this.#held) return undefined;
    const { outbound } = this;
    if (this.#recovery.resend) return outbound.oldest;
    const entry = outbound.unsent;
    if (!entry || this.#overCredit()) return undefined;
    const { reliable, shortForm } = this.#transport;
    // An id8 tells no more apart (clause 6.2.1).
    if ((shortForm || !reliable) && outbound.inFlight >= MAX_SHORT_IN_FLIGHT) return undefined;
    return this.#windowOpen() ? entry : undefined;
  }

  /** Whether the next new message is beyond what the peer takes (clause 6.4.1). */
  #overCredit(): boolean {
    return this.#transport?.shortForm === true && this.outbound.inFlight >= this.#credit;
  }

  /** The newest message is on the line while the ACKs of the others travel (clause 6.3.3). */
  #windowOpen(): boolean {
    if (!this.#lossy) return true;
    const { newest, inFlightBytes } = this.outbound;
    const acknowledgement = Math.max(MIN_ACKNOWLEDGEMENT_MS, this.#roundTrip.smoothed ?? 0);
    return inFlightBytes - (newest?.lineBytes ?? 0) < this.#line.drains(acknowledgement);
  }

  #takeEntry(entry: Entry, now: number): Uint8Array | undefined {
    const cut = this.#cut(this.#options.encode(entry, now));
    if (!cut) {
      this.#stopped = true;
      this.#options.tooLong(
        new HashikeError('HSK-2005', 'a message is longer than the link can carry', {
          messageId: entry.messageId,
          length: entry.frame.length,
          mtu: this.#transport?.mtu,
        }),
      );
      return undefined;
    }
    const leftAt = this.#line.freeAt(now) + this.#line.duration(cut.lineBytes);
    const again = this.#recovery.resend;
    this.#recovery.resent();
    this.outbound.sent(entry, cut.lineBytes, leftAt);
    if (this.#lossy && (again || this.#recovery.deadline === undefined)) {
      this.#recovery.arm(leftAt, this.#roundTrip.timeout);
    }
    return cut.first;
  }

  /** The first frame that carries `frame`, with the others put in line. Undefined when the link can't carry it. */
  #cut(frame: Uint8Array): { readonly first: Uint8Array; readonly lineBytes: number } | undefined {
    const { mtu = 0, shortForm = false } = this.#transport ?? {};
    if (frame.length <= mtu) return { first: frame, lineBytes: Line.bytes(frame.length) };
    if (!shortForm) return undefined;
    const [first, ...others] = fragment(frame, mtu, this.#fragmented & 0xff) ?? [];
    if (!first) return undefined;
    this.#fragmented += 1;
    let lineBytes = Line.bytes(first.length);
    for (const piece of others) {
      this.#fragments.push(piece);
      lineBytes += Line.bytes(piece.length);
    }
    return { first, lineBytes };
  }

  #advanced(covered: Covered, now: number): void {
    if (covered.leftAt !== undefined) this.#roundTrip.sample(Math.max(0, now - covered.leftAt));
    if (!this.#lossy) return;
    this.#recovery.advanced(this.outbound.acknowledged);
    if (this.outbound.inFlight === 0) this.#recovery.rest();
    else this.#recovery.arm(this.#line.freeAt(now), this.#roundTrip.timeout);
  }
}
