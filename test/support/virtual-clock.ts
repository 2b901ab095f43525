import type { Clock, Timer } from '../../src/base/clock.ts';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

/** A clock that stands still until it is advanced; timers run in order of their time, then of their setting. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  #wallOffset: number;
  readonly #due = new Set<Due>();

  constructor(wallAtStart = Date.UTC(2026, 0, 1)) {
    this.#wallOffset = wallAtStart;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wallOffset + this.#now;
  }

  /** Moves the wall clock alone, as NTP does. */
  stepWall(byMs: number): void {
    this.#wallOffset += byMs;
  }

  after(ms: number, action: () => void): Timer {
    const due: Due = { at: this.#now + Math.max(0, ms), order: this.#order++, action };
    this.#due.add(due);
    return { cancel: () => this.#due.delete(due) };
  }

  /** Milliseconds until the next timer; undefined when none is set. */
  get nextIn(): number | undefined {
    const next = this.#next();
    return next && next.at - this.#now;
  }

  /** Runs every timer due within `ms`, including those set meanwhile. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#due.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = end;
  }

  #next(): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#due) {
      if (!next || due.at < next.at || (due.at === next.at && due.order < next.order)) next = due;
    }
    return next;
  }
}
