import type { Clock, Timer } from '../clock.ts';
import { RoundTrip } from './round-trip.ts';

const MAX_IN_FLIGHT = 127;
const MAX_TIMEOUT_MS = 10_000;
const LEAST_WINDOW_MS = 100;

interface Entry<M> {
  readonly message: M;
  /** When the last byte left the line, last time; before it was sent 0. */
  leftAt: number;
  bytes: number;
  sends: number;
}

export interface SenderHost<M> {
  readonly clock: Clock;
  readonly byteMs: number;
  /** The frame that carries `message` now; undefined when it can't be said yet. */
  encode(message: M, id: number): Uint8Array | undefined;
  /** Puts a frame on the line; gives when its last byte will have left. */
  transmit(frame: Uint8Array): number;
  acknowledged(message: M): void;
  resent(): void;
}

/**
 * Sends reliable messages in order until they are acknowledged: numbers, window, retransmission, credit (6.3, 6.4). A message's number is its place: the
 * first in the queue has the number after the last acknowledged one.
 */
export class Sender<M> {
  readonly #host: SenderHost<M>;
  readonly roundTrip = new RoundTrip();
  #queue: Entry<M>[] = [];
  #acked = 0;
  /** From the front of the queue: sent since the line was taken up, and sent ever in this session. */
  #inFlight = 0;
  #sent = 0;
  #credit = MAX_IN_FLIGHT;
  #doublings = 0;
  #recoverTo = 0;
  #repeats = 0;
  #open = false;
  #timer: Timer | undefined;

  constructor(host: SenderHost<M>) {
    this.#host = host;
  }

  /** The last number that the peer has acknowledged. */
  get acknowledged(): number {
    return this.#acked;
  }

  get messages(): readonly M[] {
    return this.#queue.map(({ message }) => message);
  }

  push(message: M): void {
    this.#queue.push({ message, leftAt: 0, bytes: 0, sends: 0 });
    this.#pump();
  }

  /** The message of this number, while it waits for its acknowledgement. */
  find(id: number): M | undefined {
    return id > this.#acked + this.#sent ? undefined : this.#queue[id - this.#acked - 1]?.message;
  }

  /** A new session (5.3.2): numbers begin with 1 again, with these messages. */
  renumber(messages: readonly M[]): void {
    this.#queue = messages.map((message) => ({ message, leftAt: 0, bytes: 0, sends: 0 }));
    this.#acked = 0;
    this.#sent = 0;
    this.#credit = MAX_IN_FLIGHT;
    this.close();
  }

  /** The peer hears us: sends what is not acknowledged, from the oldest. */
  open(): void {
    this.close();
    this.#open = true;
    this.#pump();
  }

  close(): void {
    this.#open = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#inFlight = 0;
    this.#doublings = 0;
    this.#recoverTo = 0;
    this.#repeats = 0;
  }

  /** The number of ours that an id8 in an ACK or RESUME means; undefined when it is none that could be acknowledged now. */
  widen(id8: number): number | undefined {
    const id = this.#acked + ((((id8 - this.#acked) % 256) + 256) % 256);
    return id <= this.#acked + this.#sent ? id : undefined;
  }

  /** The peer has everything up to `id`. False: it can't, or it said more before. */
  acknowledge(id: number, credit?: number): boolean {
    const count = id - this.#acked;
    if (count < 0 || count > this.#sent) return false;
    if (credit !== undefined) this.#credit = credit;
    if (count > 0) this.#advance(count);
    else if (this.#inFlight > 0 && this.#credit > 0 && ++this.#repeats === 2) this.#sendOldest();
    this.#pump();
    return true;
  }

  #advance(count: number): void {
    const covered = this.#queue.splice(0, count);
    const newest = covered.at(-1);
    // One that waited in the receiver for an earlier one to come again says nothing of the line.
    if (newest && count <= this.#inFlight && covered.every(({ sends }) => sends === 1)) {
      this.roundTrip.sample(Math.max(0, this.#host.clock.now() - newest.leftAt));
    }
    this.#doublings = 0;
    this.#acked += count;
    this.#sent -= count;
    this.#inFlight = Math.max(0, this.#inFlight - count);
    this.#repeats = 0;
    for (const { message } of covered) this.#host.acknowledged(message);
    if (this.#inFlight > 0 && this.#acked < this.#recoverTo) this.#sendOldest();
    this.#arm();
  }

  #pump(): void {
    if (!this.#open) return;
    const window = Math.max(LEAST_WINDOW_MS, this.roundTrip.smoothed ?? 0) / this.#host.byteMs;
    const limit = Math.min(MAX_IN_FLIGHT, this.#credit);
    let bytes = this.#bytesInFlight();
    while (this.#inFlight < Math.min(limit, this.#queue.length) && (bytes < window || this.#inFlight === 0)) {
      const sent = this.#transmit(this.#inFlight);
      if (!sent) break;
      bytes += sent.bytes;
      this.#inFlight++;
    }
    this.#sent = Math.max(this.#sent, this.#inFlight);
    if (!this.#timer) this.#arm();
  }

  #transmit(index: number): Entry<M> | undefined {
    const entry = this.#queue[index];
    const frame = entry && this.#host.encode(entry.message, this.#acked + 1 + index);
    if (!frame) return undefined;
    if (entry.sends > 0) this.#host.resent();
    entry.sends++;
    entry.bytes = frame.length + 4;
    entry.leftAt = this.#host.transmit(frame);
    return entry;
  }

  #sendOldest(): void {
    if (this.#transmit(0)) {
      this.#inFlight = Math.max(1, this.#inFlight);
      this.#sent = Math.max(1, this.#sent);
    }
  }

  #bytesInFlight(): number {
    return this.#queue.slice(0, this.#inFlight).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Sets the retransmission timer anew, for what is in flight or, held by credit 0, for a probe (6.4.1). */
  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const held = this.#credit === 0 && this.#queue.length > 0;
    if (!this.#open || (this.#inFlight === 0 && !held)) return;
    const timeout = Math.min(MAX_TIMEOUT_MS, this.roundTrip.timeout * 2 ** this.#doublings);
    this.#timer = this.#host.clock.after(timeout + this.#bytesInFlight() * this.#host.byteMs, () => {
      this.#doublings = Math.min(10, this.#doublings + 1);
      this.#recoverTo = this.#acked + this.#sent;
      this.#repeats = 0;
      this.#sendOldest();
      this.#arm();
    });
  }
}
