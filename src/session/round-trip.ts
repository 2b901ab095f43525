const MIN_TIMEOUT_MS = 50;
/** The least allowance for variation: a receiver may take this long to send its ACK (clause 5.2.1). */
const MIN_ALLOWANCE_MS = 20;
/** Before the first sample (RFC 6298, 2.1). */
const INITIAL_TIMEOUT_MS = 1000;

/** Estimates how long an acknowledgement takes, from samples in milliseconds (clause 6.3.2, RFC 6298). */
export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;

  sample(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
      return;
    }
    this.#variation += (Math.abs(this.#smoothed - ms) - this.#variation) / 4;
    this.#smoothed += (ms - this.#smoothed) / 8;
  }

  /** Undefined before the first sample. */
  get smoothed(): number | undefined {
    return this.#smoothed;
  }

  /** How long to wait for an acknowledgement after the last bit has left. */
  get timeout(): number {
    if (this.#smoothed === undefined) return INITIAL_TIMEOUT_MS;
    return Math.max(MIN_TIMEOUT_MS, this.#smoothed + Math.max(MIN_ALLOWANCE_MS, 4 * this.#variation));
  }
}
