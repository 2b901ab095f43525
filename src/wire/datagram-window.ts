const WINDOW = 64;

/** Which packet numbers were received: tells repetitions, and what is too old to tell (clause 8.2.3). Numbers begin with 1. */
export class DatagramWindow {
  /** The last number with these low 6 bits. */
  readonly #seen = new Uint32Array(WINDOW);
  #highest = 0;

  /** Highest number received, 0 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether `packetNumber` may be received. */
  isFresh(packetNumber: number): boolean {
    return (
      packetNumber > Math.max(0, this.#highest - WINDOW) && this.#seen[packetNumber % WINDOW] !== packetNumber
    );
  }

  /** Notes that `packetNumber`, which was fresh, was received. */
  note(packetNumber: number): void {
    this.#seen[packetNumber % WINDOW] = packetNumber;
    this.#highest = Math.max(this.#highest, packetNumber);
  }
}
