const MAX_MESSAGES = 32;
const MAX_DELAY_MS = 20;

/**
 * When the peer is to be told what is settled (clause 5.2.1). "At once" means in the next tick, so that what one read brought is acknowledged by one ACK; after
 * 32 messages, and where the sender must learn of a loss (clause 6.3.1), it does not wait for that.
 */
export class AckSchedule {
  #told: number;
  #dueAt: number | undefined;
  #urgent = false;

  constructor(told: number) {
    this.#told = told;
  }

  /** When an ACK is due; undefined when none is. */
  get dueAt(): number | undefined {
    return this.#dueAt;
  }

  /** Whether an ACK is to go out without waiting for the next tick. */
  get urgent(): boolean {
    return this.#urgent;
  }

  /** `settled` moved; `idle` when no message waits to be settled. */
  moved(settled: number, idle: boolean, now: number): void {
    if (settled === this.#told) return;
    if (settled - this.#told >= MAX_MESSAGES) this.hurry(now);
    else this.owe(idle ? now : now + MAX_DELAY_MS);
  }

  /** An ACK is due at `at`, if not before. */
  owe(at: number): void {
    this.#dueAt = Math.min(at, this.#dueAt ?? at);
  }

  /** An ACK is due without waiting. */
  hurry(now: number): void {
    this.owe(now);
    this.#urgent = true;
  }

  /** Makes urgent what is due. */
  tick(now: number): void {
    if (this.#dueAt !== undefined && this.#dueAt <= now) this.#urgent = true;
  }

  /** The peer was told `settled`. */
  sent(settled: number): void {
    this.#told = settled;
    this.#dueAt = undefined;
    this.#urgent = false;
  }
}
