/** Somebody who wants to pass. */
export interface Waiter {
  /** Consumers that must have room before it passes. */
  readonly needs: ReadonlySet<string>;
  /** Nobody passes before an earlier one of the same order; undefined: it may. */
  readonly order: string | undefined;
}

/**
 * Those whose consumers have no room, in order of arrival. One that waits holds up only later ones of its own order, a session: so
 * a consumer that is full for days does not stop the others, and no session's second message is ever kept before its first.
 */
export class WaitingLine<W extends Waiter> {
  readonly #hasRoom: (consumer: string) => boolean;
  #waiting: W[] = [];
  readonly #heldOrders = new Set<string>();

  constructor(hasRoom: (consumer: string) => boolean) {
    this.#hasRoom = hasRoom;
  }

  /** Whether `waiter` may pass at once. If not, it now stands in the line. */
  enter(waiter: W): boolean {
    const { needs, order } = waiter;
    const held = order !== undefined && this.#heldOrders.has(order);
    if (!held && [...needs].every(this.#hasRoom)) return true;
    if (order !== undefined) this.#heldOrders.add(order);
    this.#waiting.push(waiter);
    return false;
  }

  /** To be called when room was made: calls `pass` for each that passes, and `pass` takes the room. */
  release(pass: (waiter: W) => void): void {
    for (const waiter of this.clear()) if (this.enter(waiter)) pass(waiter);
  }

  /** Empties the line and gives those who stood in it. */
  clear(): readonly W[] {
    const line = this.#waiting;
    this.#waiting = [];
    this.#heldOrders.clear();
    return line;
  }
}
