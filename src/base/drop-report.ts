import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { Log, LogFields } from './log.ts';

/** A noisy peer fills no disk: one log line in this time says what came since the last one. */
const REPORT_EVERY_MS = 30_000;

/** Counts what is dropped at one place, per reason, and says so in the log now and then. */
export class DropReport {
  readonly #place: string;
  readonly #text: string;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #log: Log;
  readonly #level: 'info' | 'warn';
  #since: Record<string, number> = {};
  #quietUntil = Number.NEGATIVE_INFINITY;

  /**
   * @param options.text what a log line says.
   * @param options.level default `warn`.
   */
  constructor(options: {
    readonly place: string;
    readonly text: string;
    readonly clock: Clock;
    readonly counters: Counters;
    readonly log: Log;
    readonly level?: 'info' | 'warn';
  }) {
    this.#place = options.place;
    this.#text = options.text;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#log = options.log;
    this.#level = options.level ?? 'warn';
  }

  /**
   * Counts one drop.
   * @param reason kebab-case, from a small fixed set.
   * @param example facts about this one, for the log line.
   */
  add(reason: string, example: LogFields = {}): void {
    this.#counters.drops(this.#place, reason).add();
    this.#since[reason] = (this.#since[reason] ?? 0) + 1;
    if (this.#clock.now() < this.#quietUntil) return;
    this.#log[this.#level]({ reasons: this.#since, ...example }, this.#text);
    this.#since = {};
    this.#quietUntil = this.#clock.now() + REPORT_EVERY_MS;
  }
}
