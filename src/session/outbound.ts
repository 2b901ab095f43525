import { Fifo } from '../base/fifo.ts';

/** A numbered message of ours that the peer has not acknowledged. */
export interface Entry {
  readonly messageId: number;
  /** Its long form: it may go out in the short one. */
  readonly frame: Uint8Array;
  /** When it was handed to us. */
  readonly at: number;
  readonly tag: number | undefined;
  /** When its EXPIRY is over; undefined: it has none that counts while it waits. */
  readonly expiresAt: number | undefined;
  /** Bytes it took on the line when it was last sent. */
  lineBytes: number;
  /** When its last bit had left the line. */
  leftAt: number;
  /** Was sent more than once, so that its ACK gives no sample of the round trip. */
  resent: boolean;
}

/** What an acknowledgement covered. */
export interface Covered {
  /** Of the newest message that had one. */
  readonly tag: number | undefined;
  /** `leftAt` of the newest message; undefined when one of those covered was sent twice or none was in flight. */
  readonly leftAt: number | undefined;
}

/**
 * Our numbered messages, in order: acknowledged ones are gone, then those in flight, then those not sent yet (clauses 5.1.1 and 5.2.4).
 * Bounded in bytes of the long form.
 */
export class Outbound {
  readonly #entries = new Fifo<Entry>();
  readonly #maxBytes: number;
  #acknowledged: number;
  #bytes = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** Highest number that ever went out. */
  #transmitted: number;
  readonly #restored: boolean;
  /** The peer has up to this, some of it from an earlier life. */
  #claimed: number;

  constructor(options: { readonly sent: number; readonly restored: boolean; readonly maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
    this.#restored = options.restored;
    this.#acknowledged = options.sent;
    this.#transmitted = options.sent;
    this.#claimed = options.sent;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Last number given. */
  get last(): number {
    return this.#acknowledged + this.#entries.length;
  }

  /** Last number in flight; `acknowledged` when there is none. */
  get lastInFlight(): number {
    return this.#acknowledged + this.#inFlight;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether `bytes` more fit. One message fits always. */
  hasRoom(bytes: number): boolean {
    return this.#entries.length === 0 || this.#bytes + bytes <= this.#maxBytes;
  }

  /** Takes up the message numbered `last` + 1. */
  push(frame: Uint8Array, at: number, tag: number | undefined, expiresAt: number | undefined): void {
    this.#entries.push({
      messageId: this.last + 1,
      frame,
      at,
      tag,
      expiresAt,
      lineBytes: 0,
      leftAt: 0,
      resent: false,
    });
    this.#bytes += frame.length;
  }

  /** The oldest message that is not acknowledged. */
  get oldest(): Entry | undefined {
    return this.#entries.at(0);
  }

  /** The newest message in flight. */
  get newest(): Entry | undefined {
    return this.#entries.at(this.#inFlight - 1);
  }

  /** The oldest message that is not in flight. */
  get unsent(): Entry | undefined {
    return this.#entries.at(this.#inFlight);
  }

  /** Notes that `entry`, the oldest or the oldest unsent one, went out. */
  sent(entry: Entry, lineBytes: number, leftAt: number): void {
    if (entry.messageId > this.lastInFlight) this.#inFlight += 1;
    else this.#inFlightBytes -= entry.lineBytes;
    if (entry.messageId > this.#transmitted) this.#transmitted = entry.messageId;
    else entry.resent = true;
    entry.lineBytes = lineBytes;
    entry.leftAt = leftAt;
    this.#inFlightBytes += lineBytes;
  }

  /** Nothing is in flight any more: everything is to be sent, or sent again. */
  rewind(): void {
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
  }

  /** Whether the peer can have `messageId`: sent in this life, or maybe in an earlier one. */
  canHave(messageId: number): boolean {
    return this.#restored || messageId <= this.#transmitted;
  }

  /** Up to where the peer has what was not even pushed yet: it is to be acknowledged as soon as it is. */
  get claimed(): number {
    return this.#claimed;
  }

  /** Forgets everything up to `messageId`, which `canHave` allows. Undefined when that says nothing new. */
  acknowledge(messageId: number): Covered | undefined {
    this.#claimed = Math.max(this.#claimed, messageId);
    const upTo = Math.min(messageId, this.last);
    if (upTo <= this.#acknowledged) return undefined;
    let tag: number | undefined;
    let leftAt: number | undefined;
    let resent = false;
    while (this.#acknowledged < upTo) {
      const entry = this.#entries.shift();
      if (!entry) break;
      this.#acknowledged += 1;
      this.#bytes -= entry.frame.length;
      tag = entry.tag ?? tag;
      resent ||= entry.resent;
      leftAt = undefined;
      if (this.#inFlight > 0) {
        this.#inFlight -= 1;
        this.#inFlightBytes -= entry.lineBytes;
        leftAt = entry.leftAt;
      }
    }
    return { tag, leftAt: resent ? undefined : leftAt };
  }
}
