import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import type { Log } from '../base/log.ts';

/** A noisy line fills no disk: one log line in this time says what came since the last one. */
const REPORT_EVERY_MS = 30_000;

/** Counts what was skipped on a line, per reason, and says so in the log now and then. */
export class JunkReport {
  readonly #options: {
    readonly place: string;
    readonly clock: Clock;
    readonly counters: Counters;
    readonly log: Log;
  };
  #since: Record<string, number> = {};
  #bytes = 0;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly place: string;
    readonly clock: Clock;
    readonly counters: Counters;
    readonly log: Log;
  }) {
    this.#options = options;
  }

  add(reason: string, bytes: number): void {
    const { place, clock, counters, log } = this.#options;
    counters.drops(place, reason).add();
    this.#since[reason] = (this.#since[reason] ?? 0) + 1;
    this.#bytes += bytes;
    if (clock.now() < this.#nextAt) return;
    log.warn({ frames: this.#since, bytes: this.#bytes }, 'skipped junk on the line');
    this.#since = {};
    this.#bytes = 0;
    this.#nextAt = clock.now() + REPORT_EVERY_MS;
  }
}
