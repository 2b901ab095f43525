import type { Clock, Timer } from '../base/clock.ts';
import type { Access } from './access.ts';

/** The wall clock may be set: it is looked at again at least so often. */
const MOST_MS = 3_600_000;

export interface AccessWatchOptions {
  readonly access: Access;
  readonly clock: Clock;
  /** Ends the sessions that have no right to go on. */
  readonly enforce: () => void;
}

/** Has sessions ended when their tokens expire. */
export class AccessWatch {
  readonly #options: AccessWatchOptions;
  #timer: Timer | undefined;

  constructor(options: AccessWatchOptions) {
    this.#options = options;
  }

  /** Looks now, and whenever the next token expires. To be called again when the tokens change. */
  start(): void {
    const { access, clock, enforce } = this.#options;
    this.stop();
    enforce();
    const next = access.nextExpiry(clock.wall());
    if (next === undefined) return;
    this.#timer = clock.after(Math.min(MOST_MS, next - clock.wall()), () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
