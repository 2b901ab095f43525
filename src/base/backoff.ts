import type { Random } from './random.ts';

/** Delays that double from `initialMs` to `maxMs`, each with up to a quarter taken off at random so that peers spread out. */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #random: Random;
  #attempt = 0;

  constructor(options: { readonly initialMs: number; readonly maxMs: number; readonly random: Random }) {
    this.#initialMs = options.initialMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const full = Math.min(this.#maxMs, this.#initialMs * 2 ** this.#attempt);
    if (full < this.#maxMs) this.#attempt += 1;
    return full * (1 - this.#random.fraction() / 4);
  }

  /** To be called on success. */
  reset(): void {
    this.#attempt = 0;
  }
}
