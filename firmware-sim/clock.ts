/** A timer that was set; `cancel` may be called at any time and twice. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the simulator sees it: `now` is monotonic milliseconds from any origin, `wall` milliseconds since the Unix epoch. A
 * virtual clock makes a whole run repeatable.
 */
export interface Clock {
  now(): number;
  wall(): number;
  /** Calls `action` once after `ms` milliseconds (0 or more). */
  after(ms: number, action: () => void): Timer;
}

export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, action) {
    const handle = setTimeout(action, Math.max(0, ms));
    return { cancel: () => clearTimeout(handle) };
  },
};
