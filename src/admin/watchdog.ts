import type { Clock, Timer } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Progress } from '../base/progress.ts';

/** One loop that must not stand still. */
export interface Watched {
  readonly name: string;
  /** A promise that stays open counts as stuck. */
  progress(): Progress | Promise<Progress>;
}

/**
 * Feeds systemd's watchdog from progress, not from a timer: each round asks every loop, and only when none is stuck is `alive` called. A gateway
 * whose timers still run while its disk or its upstream pump hangs is thus restarted.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watched: readonly Watched[];
  readonly #roundMs: number;
  readonly #alive: () => void;
  #timer: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly watched: readonly Watched[];
    /** Time between rounds; a third of systemd's limit, so that one slow round does no harm. */
    readonly roundMs: number;
    readonly alive: () => void;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#watched = options.watched;
    this.#roundMs = options.roundMs;
    this.#alive = options.alive;
  }

  start(): void {
    this.#timer = this.#clock.after(this.#roundMs, () => {
      void this.#round();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Never rejects: a failing probe is a stuck one. The next round waits for this one, so a hung probe starves systemd. */
  async #round(): Promise<void> {
    const stuck: string[] = [];
    for (const loop of this.#watched) {
      try {
        if ((await loop.progress()) === 'stuck') stuck.push(loop.name);
      } catch (error) {
        stuck.push(`${loop.name} (${describeError(error)})`);
      }
    }
    if (stuck.length === 0) this.#alive();
    else this.#log.error({ stuck }, 'no progress: the watchdog is not fed');
    if (this.#timer) this.start();
  }
}
