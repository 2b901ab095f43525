import { MAX_SHORT_IN_FLIGHT } from '../wire/numbers.ts';
import type { Line } from './line.ts';
import type { Covered, Entry, Outbound } from './outbound.ts';
import type { Transport } from './ports.ts';
import { Recovery } from './recovery.ts';
import { RoundTrip } from './round-trip.ts';

/** An acknowledgement takes at least this, for the size of the window (clause 6.3.3). */
const MIN_ACKNOWLEDGEMENT_MS = 100;

/**
 * Which of our reliable messages may go next: in order, within what the peer takes and what is worth having on the way, and again what got lost. Where the link loses nothing there is
 * no need to look for that.
 */
export class Window {
  readonly outbound: Outbound;
  roundTrip = new RoundTrip();
  #transport: Transport | undefined;
  /** On a link that may lose frames. */
  #recovery: Recovery | undefined;
  /** The peer has yet to say what it has. */
  #held = false;
  #credit = MAX_SHORT_IN_FLIGHT;

  constructor(outbound: Outbound) {
    this.outbound = outbound;
  }

  /** @param held the peer has yet to say what it has: `resumed` will tell. */
  attach(transport: Transport, held: boolean): void {
    this.#transport = transport;
    this.roundTrip = new RoundTrip();
    this.#recover();
    this.#held = held;
    this.#credit = MAX_SHORT_IN_FLIGHT;
    this.outbound.rewind();
  }

  detach(): void {
    this.#transport = undefined;
    this.#recover();
  }

  /** Everything waits until `resumed`. */
  hold(): void {
    this.#held = true;
  }

  get held(): boolean {
    return this.#held;
  }

  /** The peer says anew what it has; the rest is sent again. */
  resumed(messageId: number): Covered | undefined {
    const covered = this.outbound.acknowledge(messageId);
    this.outbound.rewind();
    this.#recover();
    this.#held = false;
    return covered;
  }

  /** What the peer acknowledges; undefined when it is nothing new. @param line that the acknowledged messages took */
  acknowledge(messageId: number, credit: number | undefined, now: number, line: Line): Covered | undefined {
    const { outbound } = this;
    if (messageId < outbound.acknowledged) return undefined;
    const creditBefore = this.#credit;
    this.#credit = credit ?? creditBefore;
    const covered = outbound.acknowledge(messageId);
    if (covered) {
      this.#advanced(covered, now, line);
    } else if (outbound.inFlight > 0 && outbound.inFlight <= this.#credit && this.#credit === creditBefore) {
      // An ACK that brings credit, or answers a probe, tells of no loss.
      this.#recovery?.repeated(outbound.lastInFlight);
    }
    return covered;
  }

  /** The message that may go next: the oldest again, or the next new one within window and credit. @param line that it would take */
  next(line: Line): Entry | undefined {
    if (!this.#transport || this.#held) return undefined;
    const { outbound } = this;
    if (this.#recovery?.resend) return outbound.oldest;
    const entry = outbound.unsent;
    if (!entry || this.#overCredit) return undefined;
    const { reliable, shortForm } = this.#transport;
    // An id8 tells no more apart (clause 6.2.1).
    if ((shortForm || !reliable) && outbound.inFlight >= MAX_SHORT_IN_FLIGHT) return undefined;
    return this.#isOpen(line) ? entry : undefined;
  }

  /** Notes that `entry`, the one that `next` gave, goes out. @param leftAt when its last bit will have left */
  sent(entry: Entry, lineBytes: number, leftAt: number): void {
    const recovery = this.#recovery;
    const again = recovery?.resend;
    recovery?.resent();
    this.outbound.sent(entry, lineBytes, leftAt);
    if (again || recovery?.deadline === undefined) recovery?.arm(leftAt, this.roundTrip.timeout);
  }

  /** When a loss is to be looked for. */
  get deadline(): number | undefined {
    return this.#recovery?.deadline;
  }

  tick(now: number): void {
    const deadline = this.#recovery?.deadline;
    if (deadline !== undefined && deadline <= now) this.#recovery?.expire(this.outbound.lastInFlight);
  }

  /** What is held back by the peer's credit alone: the timer makes the oldest message a probe (clause 6.4.1). */
  probe(now: number): void {
    const { outbound } = this;
    const recovery = this.#recovery;
    if (!recovery || this.#held || outbound.inFlight > 0 || !outbound.unsent || !this.#overCredit) return;
    if (recovery.deadline === undefined && !recovery.resend) recovery.arm(now, this.roundTrip.timeout);
  }

  /** Whether the next new message is beyond what the peer takes (clause 6.4.1). */
  get #overCredit(): boolean {
    return this.#transport?.shortForm === true && this.outbound.inFlight >= this.#credit;
  }

  /** The newest message is on the line while the ACKs of the others travel (clause 6.3.3). */
  #isOpen(line: Line): boolean {
    if (!this.#recovery) return true;
    const { newest, inFlightBytes } = this.outbound;
    const acknowledgement = Math.max(MIN_ACKNOWLEDGEMENT_MS, this.roundTrip.smoothed ?? 0);
    return inFlightBytes - (newest?.lineBytes ?? 0) < line.drains(acknowledgement);
  }

  #advanced(covered: Covered, now: number, line: Line): void {
    if (covered.leftAt !== undefined) this.roundTrip.sample(Math.max(0, now - covered.leftAt));
    const recovery = this.#recovery;
    if (!recovery) return;
    recovery.advanced(this.outbound.acknowledged);
    if (this.outbound.inFlight === 0) recovery.rest();
    else recovery.arm(line.freeAt(now), this.roundTrip.timeout);
  }

  #recover(): void {
    this.#recovery = this.#transport?.reliable === false ? new Recovery() : undefined;
  }
}
