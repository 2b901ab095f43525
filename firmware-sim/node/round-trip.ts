const FIRST_MS = 1000;
const LEAST_MS = 50;

/** The smoothed round trip and its variation, as RFC 6298 keeps them; for the line's timer (6.3.2). */
export class RoundTrip {
  smoothed: number | undefined;
  #variation = 0;

  sample(ms: number): void {
    if (this.smoothed === undefined) {
      this.smoothed = ms;
      this.#variation = ms / 2;
      return;
    }
    this.#variation += (Math.abs(this.smoothed - ms) - this.#variation) / 4;
    this.smoothed += (ms - this.smoothed) / 8;
  }

  /** Milliseconds to wait for an answer, without the time on the line. */
  get timeout(): number {
    return this.smoothed === undefined ? FIRST_MS : Math.max(LEAST_MS, this.smoothed + 4 * this.#variation);
  }
}
