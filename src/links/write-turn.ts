/** Memory for what one connection sends in a turn of the event loop: the same bytes, also as words. */
export interface Slab {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

/** What is flushed at the end of a turn. */
export interface Flushable {
  flush(): void;
}

const SLAB_BYTES = 32 * 1024;
/** Slabs that are kept for the next turn. */
const MAX_SPARE = 128;

/**
 * What the connections of one source share, so that each leaves with one write what it was given in a turn of the event loop: memory that goes from hand to hand, and the end of the
 * turn.
 */
export class WriteTurn {
  readonly #spare: Slab[] = [];
  #waiting: Flushable[] = [];

  /** A slab that takes at least `length` bytes. */
  take(length: number): Slab {
    const spare = length <= SLAB_BYTES ? this.#spare.pop() : undefined;
    return spare ?? makeSlab(Math.max(length, SLAB_BYTES));
  }

  /** Gives a slab back whose bytes nobody needs any more. */
  give(slab: Slab): void {
    if (slab.bytes.length === SLAB_BYTES && this.#spare.length < MAX_SPARE) this.#spare.push(slab);
  }

  /** Flushes `link` when everything that came in this turn was worked off. */
  atEnd(link: Flushable): void {
    this.#waiting.push(link);
    if (this.#waiting.length === 1) setImmediate(() => this.#end());
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const link of waiting) link.flush();
  }
}

function makeSlab(length: number): Slab {
  const bytes = Buffer.allocUnsafeSlow((length + 3) & ~3);
  return { bytes, words: new Uint32Array(bytes.buffer, 0, bytes.length >> 2) };
}
