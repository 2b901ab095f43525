import type { Clock, Timer } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SpoolConsumer } from '../spool/ports.ts';

const RETRY_MS = 5000;

/** How far a consumer has come, and the deletion from disk that follows it: one transaction at a time. */
export class SettledRecords {
  readonly #consumer: SpoolConsumer;
  readonly #clock: Clock;
  readonly #log: Log;
  #upTo = 0;
  #deleted = 0;
  #deleting: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(options: { readonly consumer: SpoolConsumer; readonly clock: Clock; readonly log: Log }) {
    this.#consumer = options.consumer;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Up to and including this seq nothing is to be sent any more. */
  get upTo(): number {
    return this.#upTo;
  }

  /** Moves on to `seq`, never back. */
  advance(seq: number): void {
    this.#upTo = Math.max(this.#upTo, seq);
    this.#delete();
  }

  /** Waits for the deletion that is under way. */
  async close(): Promise<void> {
    await this.#deleting;
    this.#timer?.cancel();
  }

  #delete(): void {
    this.#timer?.cancel();
    this.#deleting ??= this.#deleteAll().finally(() => {
      this.#deleting = undefined;
    });
  }

  /** What settles meanwhile goes with the next transaction. */
  async #deleteAll(): Promise<void> {
    while (this.#deleted < this.#upTo) {
      const upTo = this.#upTo;
      try {
        await this.#consumer.acknowledge(upTo);
        this.#deleted = upTo;
      } catch (error) {
        // Were the gateway to end now, it would be sent again after the start, under the same identifier.
        const text = 'what the upstream took cannot be deleted from disk; trying again';
        this.#log.error({ error: describeError(error) }, text);
        this.#timer = this.#clock.after(RETRY_MS, () => this.#delete());
        return;
      }
    }
  }
}
