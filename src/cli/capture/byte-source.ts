/** Reads a stream in pieces of the length that the reader wants. It keeps no more than one such piece and one chunk of the stream. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array, unknown>;
  #chunk: Uint8Array = new Uint8Array(0);
  #position = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Bytes read or skipped so far. */
  get position(): number {
    return this.#position;
  }

  /** The next `length` bytes, fewer where the stream ends before them. They may be a view on a chunk. */
  async read(length: number): Promise<Uint8Array> {
    if (this.#chunk.length >= length) return this.#take(length);
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length && (await this.#more())) {
      const part = this.#take(Math.min(length - filled, this.#chunk.length));
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes.subarray(0, filled);
  }

  /** Passes over `length` bytes; false where the stream ends before. */
  async skip(length: number): Promise<boolean> {
    let left = length;
    while (left > 0 && (await this.#more())) left -= this.#take(Math.min(left, this.#chunk.length)).length;
    return left === 0;
  }

  #take(length: number): Uint8Array {
    const taken = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    this.#position += length;
    return taken;
  }

  /** Whether there is anything left, fetched where it must be. */
  async #more(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      this.#chunk = value;
    }
    return true;
  }
}
