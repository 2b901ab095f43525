/** A piece of memory: the same bytes, also as words. */
export interface Slab {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** Bytes of a slab: the longest message fits. */
const SLAB_BYTES = 68 * 1024;
/** Slabs that wait for their next use. */
const MAX_SPARE = 128;

/** Large buffers of one size that go from hand to hand, so that the garbage collector need not follow. */
export class Slabs {
  readonly #spare: Slab[] = [];

  /** What its bytes are is left from its last use. */
  take(): Slab {
    return this.#spare.pop() ?? makeSlab();
  }

  /** To be called when nobody needs the bytes any more. */
  give(slab: Slab): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(slab);
  }
}

function makeSlab(): Slab {
  const memory = new ArrayBuffer(SLAB_BYTES);
  return { bytes: new Uint8Array(memory), words: new Uint32Array(memory) };
}
