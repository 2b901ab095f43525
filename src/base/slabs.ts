/** A piece of memory: the same bytes, also as words. */
export interface Slab {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** Buffers of one size that go from hand to hand, so that the garbage collector need not follow. */
export class Slabs {
  readonly #bytes: number;
  readonly #maxSpare: number;
  readonly #spare: Slab[] = [];

  /**
   * @param bytes of each; a multiple of 4
   * @param maxSpare how many are kept for their next use
   */
  constructor(bytes: number, maxSpare: number) {
    this.#bytes = bytes;
    this.#maxSpare = maxSpare;
  }

  /** What its bytes are is left from its last use. */
  take(): Slab {
    const spare = this.#spare.pop();
    if (spare) return spare;
    const memory = new ArrayBuffer(this.#bytes);
    return { bytes: new Uint8Array(memory), words: new Uint32Array(memory) };
  }

  /** To be called when nobody needs the bytes any more. One of another size is let go. */
  give(slab: Slab): void {
    if (slab.bytes.length === this.#bytes && this.#spare.length < this.#maxSpare) this.#spare.push(slab);
  }
}
