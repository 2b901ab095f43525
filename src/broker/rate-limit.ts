import type { Clock } from '../base/clock.ts';

export interface RateLimitOptions {
  readonly clock: Clock;
  readonly perSecond: number;
  /** Messages that may come at once after a pause. */
  readonly burst: number;
}

/** How many messages may come now: so many a second, and a burst after a pause. What was taken beyond that is owed. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  #left: number;
  #at: number;

  constructor(options: RateLimitOptions) {
    this.#options = options;
    this.#left = options.burst;
    this.#at = options.clock.now();
  }

  /** Whole messages that may come now. */
  get available(): number {
    this.#refill();
    return Math.max(0, Math.floor(this.#left));
  }

  /** Milliseconds until the next may come; 0: now. */
  get waitMs(): number {
    this.#refill();
    return Math.max(0, Math.ceil(((1 - this.#left) * 1000) / this.#options.perSecond));
  }

  take(messages: number): void {
    this.#refill();
    this.#left -= messages;
  }

  #refill(): void {
    const { clock, perSecond, burst } = this.#options;
    const now = clock.now();
    this.#left = Math.min(burst, this.#left + ((now - this.#at) * perSecond) / 1000);
    this.#at = now;
  }
}
