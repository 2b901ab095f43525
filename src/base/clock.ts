/** A timer that was set; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/**
 * Time, injected wherever it is needed, so that tests own it.
 * `now` is monotonic milliseconds from an arbitrary origin; `wall` is milliseconds since the Unix epoch and may jump.
 */
export interface Clock {
  now(): number;
  wall(): number;
  /** Calls `action` once after `ms` milliseconds (0 or more). */
  after(ms: number, action: () => void): Timer;
}

/** The operating system's clock. Its timers keep the process alive, as sockets do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, action) {
    const handle = setTimeout(action, Math.max(0, ms));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `ms` milliseconds of `clock`. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
