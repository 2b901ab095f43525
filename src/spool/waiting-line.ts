/** Somebody who wants to pass. */
export interface Waiter {
  /** Consumers that must have room before it passes. */
  readonly needs: ReadonlySet<string>;
  /** Nobody passes before an earlier one of the same key: what order must be kept within. */
  readonly keys: readonly string[];
}

/**
 * Those whose consumers have no room, in order of arrival. One that waits holds up only later ones that share a key with it, so a
 * consumer that is full for days does not stop the others, and no session's second message is ever kept before its first.
 */
export class WaitingLine<W extends Waiter> {
  readonly #hasRoom: (consumer: string) => boolean;
  #waiting: W[] = [];
  readonly #held = new Set<string>();

  constructor(hasRoom: (consumer: string) => boolean) {
    this.#hasRoom = hasRoom;
  }

  /** Whether `waiter` may pass at once. If not, it now stands in the line. */
  enter(waiter: W): boolean {
    const free = waiter.keys.every((key) => !this.#held.has(key)) && this.#allHaveRoom(waiter);
    if (free) return true;
    for (const key of waiter.keys) this.#held.add(key);
    this.#waiting.push(waiter);
    return false;
  }

  /** Whether one that waits has this key. */
  holds(key: string): boolean {
    return this.#held.has(key);
  }

  /** To be called when room was made: calls `pass` for each that passes; `pass` takes the room. */
  release(pass: (waiter: W) => void): void {
    const line = this.#waiting;
    this.#waiting = [];
    this.#held.clear();
    for (const waiter of line) if (this.enter(waiter)) pass(waiter);
  }

  /** Empties the line and gives those who stood in it. */
  clear(): readonly W[] {
    this.#held.clear();
    return this.#waiting.splice(0);
  }

  #allHaveRoom(waiter: W): boolean {
    for (const consumer of waiter.needs) if (!this.#hasRoom(consumer)) return false;
    return true;
  }
}
