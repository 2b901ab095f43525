import type { Clock, Timer } from '../base/clock.ts';

/** Somebody who wants to be called at a time. The fields are the alarms' own; they begin with `NEVER` and `NOWHERE`. */
export interface Sleeper {
  /** When, of the monotonic clock. */
  wakeAt: number;
  /** Where it stands in the heap. */
  place: number;
  wake(): void;
}

/** `wakeAt` and `place` of a sleeper that has no alarm set. */
export const NEVER = Number.POSITIVE_INFINITY;
export const NOWHERE = -1;
/** `place` of one whose time has come and that waits for its call. */
const DUE = -2;

/**
 * At most one alarm for each of many sleepers, by one timer of the clock: thousands of sessions wait for their next PING, and a timer of the runtime takes more memory than the rest of what an idle
 * session's timing needs. A binary heap, the earliest first, in which each sleeper knows its place.
 */
export class Alarms {
  readonly clock: Clock;
  readonly #heap: Sleeper[] = [];
  #timer: Timer | undefined;
  #timerAt = NEVER;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Has `sleeper` called once at `at`, and not when it was set before. */
  set(sleeper: Sleeper, at: number): void {
    const place = sleeper.place < 0 ? this.#heap.push(sleeper) - 1 : sleeper.place;
    const before = sleeper.wakeAt;
    sleeper.wakeAt = at;
    if (at < before) this.#rise(sleeper, place);
    else this.#sink(sleeper, place);
    this.#arm();
  }

  /** Leaves `sleeper` alone from now on. */
  clear(sleeper: Sleeper): void {
    if (sleeper.place === DUE) sleeper.place = NOWHERE;
    if (sleeper.place < 0) return;
    this.#remove(sleeper);
    if (this.#heap.length > 0) return;
    this.#timer?.cancel();
    this.#timerAt = NEVER;
  }

  /** A timer that fires before it is needed does no harm, so it is brought forward but never put off. */
  #arm(): void {
    const at = this.#heap[0]?.wakeAt ?? NEVER;
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.clock.after(Math.max(0, at - this.clock.now()), () => {
      this.#timerAt = NEVER;
      this.#ring();
    });
  }

  /** Calls each once whose time has come; who sets it again within the call, however early, waits for the next time. */
  #ring(): void {
    const now = this.clock.now();
    const due: Sleeper[] = [];
    for (let first = this.#heap[0]; first && first.wakeAt <= now; first = this.#heap[0]) {
      this.#remove(first);
      first.place = DUE;
      due.push(first);
    }
    try {
      for (const sleeper of due) {
        // A call before it may have cleared it, or set it anew.
        if (sleeper.place !== DUE) continue;
        sleeper.place = NOWHERE;
        sleeper.wake();
      }
    } finally {
      // Left are those that one which throws kept from their call.
      for (const sleeper of due) if (sleeper.place === DUE) this.set(sleeper, now);
      this.#arm();
    }
  }

  #remove(sleeper: Sleeper): void {
    const { place, wakeAt } = sleeper;
    sleeper.place = NOWHERE;
    sleeper.wakeAt = NEVER;
    const last = this.#heap.pop();
    if (!last || last === sleeper) return;
    if (last.wakeAt < wakeAt) this.#rise(last, place);
    else this.#sink(last, place);
  }

  /** Moves `sleeper` from `place` towards the front, before those that are later. */
  #rise(sleeper: Sleeper, place: number): void {
    const heap = this.#heap;
    let at = place;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (!parent || parent.wakeAt <= sleeper.wakeAt) break;
      heap[at] = parent;
      parent.place = at;
      at = above;
    }
    heap[at] = sleeper;
    sleeper.place = at;
  }

  /** Moves `sleeper` from `place` towards the back, behind those that are earlier. */
  #sink(sleeper: Sleeper, place: number): void {
    const heap = this.#heap;
    let at = place;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const child = right && left && right.wakeAt < left.wakeAt ? right : left;
      if (!child || child.wakeAt >= sleeper.wakeAt) break;
      const below = child.place;
      heap[at] = child;
      child.place = at;
      at = below;
    }
    heap[at] = sleeper;
    sleeper.place = at;
  }
}
