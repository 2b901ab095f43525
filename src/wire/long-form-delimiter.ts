import { HashikeError } from '../base/errors.ts';
import { MAX_PAYLOAD_BYTES, MESSAGE_HEADER_BYTES } from './numbers.ts';

/**
 * Cuts a byte stream into long-form messages (clause 3.1). Only type range, length and limit are verified here, before
 * anything is kept; `decodeMessage` does the rest.
 *
 * It keeps at most one message. A message that lies whole in a chunk is handed on as a view on that chunk, so chunks must not be
 * written to after they were fed.
 */
export class LongFormDelimiter {
  readonly #maxFrameBytes: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #header = new Uint8Array(MESSAGE_HEADER_BYTES);
  /** The message that is being put together: `#header` until its length is known. */
  #partial = this.#header;
  #filled = 0;

  /**
   * @param options.maxFrameBytes largest message with its header, in bytes; by default the largest there can be.
   * @param options.onFrame gets each whole message; the bytes are its own.
   */
  constructor(options: {
    readonly maxFrameBytes?: number | undefined;
    readonly onFrame: (frame: Uint8Array) => void;
  }) {
    this.#maxFrameBytes = options.maxFrameBytes ?? MESSAGE_HEADER_BYTES + MAX_PAYLOAD_BYTES;
    this.#onFrame = options.onFrame;
  }

  /** Bytes kept of a message that is not whole yet. At the end of the stream anything but 0 means that it was cut off. */
  get pendingBytes(): number {
    return this.#filled;
  }

  /**
   * Takes the next bytes of the stream and hands on each message that they complete.
   * Throws HSK-1102 when no message can begin so and HSK-1103 when one is longer than the limit; the stream is lost then.
   */
  feed(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      if (this.#filled === 0 && left >= MESSAGE_HEADER_BYTES) {
        const length = this.#frameLength(chunk, at);
        if (left >= length) {
          this.#onFrame(chunk.subarray(at, at + length));
          at += length;
          continue;
        }
      }
      at += this.#collect(chunk, at);
    }
  }

  /** Copies what belongs to the message in work; returns how many bytes. */
  #collect(chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.#partial.length - this.#filled, chunk.length - at);
    this.#partial.set(chunk.subarray(at, at + taken), this.#filled);
    this.#filled += taken;
    if (this.#partial === this.#header && this.#filled === MESSAGE_HEADER_BYTES) {
      this.#partial = new Uint8Array(this.#frameLength(this.#header, 0));
      this.#partial.set(this.#header);
    }
    if (this.#partial !== this.#header && this.#filled === this.#partial.length) {
      const frame = this.#partial;
      this.#partial = this.#header;
      this.#filled = 0;
      this.#onFrame(frame);
    }
    return taken;
  }

  /** Bytes of the message whose header begins at `at`. */
  #frameLength(bytes: Uint8Array, at: number): number {
    const [typeHigh, typeLow, lengthHigh = 0, lengthLow = 0] = bytes.subarray(at, at + 4);
    if (typeHigh !== 0 || typeLow === 0) {
      throw new HashikeError('HSK-1102', 'the stream does not go on with a long-form message', {
        firstByte: typeHigh,
      });
    }
    const length = (lengthHigh << 8) | lengthLow;
    if (length % 4 !== 0) {
      throw new HashikeError('HSK-1102', 'the length of a message is no multiple of 4', { length });
    }
    if (MESSAGE_HEADER_BYTES + length > this.#maxFrameBytes) {
      throw new HashikeError('HSK-1103', 'a message is longer than the limit', {
        length: MESSAGE_HEADER_BYTES + length,
        most: this.#maxFrameBytes,
      });
    }
    return MESSAGE_HEADER_BYTES + length;
  }
}
