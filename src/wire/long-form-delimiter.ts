import type { Slab, Slabs } from '../base/slabs.ts';
import { HashikeError } from '../base/errors.ts';
import { MAX_PAYLOAD_BYTES, MESSAGE_HEADER_BYTES } from './numbers.ts';

/** A message of this length is worth a slab. */
const MIN_SLAB_FRAME_BYTES = 4096;

/**
 * Cuts a byte stream into long-form messages (clause 3.1). Only type range, length and limit are verified here, before
 * anything is kept; `decodeMessage` does the rest.
 *
 * It keeps at most one message. A message that lies whole in a chunk is handed on as a view on that chunk, so chunks must not be
 * written to after they were fed.
 */
export class LongFormDelimiter {
  readonly #maxFrameBytes: number;
  readonly #onRun: (bytes: Uint8Array, from: number, to: number) => void;
  /** The message that is being put together: no more than room for its header until its length is known. */
  #partial: Uint8Array | undefined;
  #filled = 0;
  readonly #slabs: Slabs | undefined;
  /** Where `#partial` lies, if it is large. */
  #slab: Slab | undefined;

  /**
   * @param options.maxFrameBytes largest message with its header, in bytes; by default the largest there can be.
   * @param options.onFrame gets each whole message; the bytes are its own.
   * @param options.onRun gets in place of `onFrame` whole messages, one after the other, as many as came together.
   * With `options.slabs` their bytes are lent for the time of the call: a large message is put together in one of these.
   */
  constructor(options: {
    readonly maxFrameBytes?: number | undefined;
    readonly onFrame?: (frame: Uint8Array) => void;
    readonly onRun?: (bytes: Uint8Array, from: number, to: number) => void;
    readonly slabs?: Slabs;
  }) {
    this.#slabs = options.slabs;
    this.#maxFrameBytes = options.maxFrameBytes ?? MESSAGE_HEADER_BYTES + MAX_PAYLOAD_BYTES;
    const { onFrame = () => undefined } = options;
    this.#onRun = options.onRun ?? ((bytes, from, to) => forEachFrame(bytes, from, to, onFrame));
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
      const end = this.#filled === 0 ? this.#wholeUpTo(chunk, at) : at;
      if (end > at) this.#onRun(chunk, at, end);
      // What is left is the beginning of a message, or of none.
      at = end + this.#collect(chunk, end);
    }
  }

  /** Offset after the last of the whole and valid messages that follow one another from `at`. */
  #wholeUpTo(chunk: Uint8Array, at: number): number {
    let end = at;
    while (chunk.length - end >= MESSAGE_HEADER_BYTES) {
      const length = payloadLength(chunk, end);
      const next = end + MESSAGE_HEADER_BYTES + length;
      if (next > chunk.length || !beginsMessage(chunk, end) || length % 4 !== 0) break;
      if (MESSAGE_HEADER_BYTES + length > this.#maxFrameBytes) break;
      end = next;
    }
    return end;
  }

  /** Copies what belongs to the message in work; returns how many bytes. */
  #collect(chunk: Uint8Array, at: number): number {
    if (at === chunk.length) return 0;
    let partial = this.#partial ?? new Uint8Array(MESSAGE_HEADER_BYTES);
    const taken = Math.min(partial.length - this.#filled, chunk.length - at);
    partial.set(chunk.subarray(at, at + taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === MESSAGE_HEADER_BYTES) {
      const header = partial;
      partial = this.#room(this.#frameLength(header, 0));
      partial.set(header);
    }
    const whole = this.#filled >= MESSAGE_HEADER_BYTES && this.#filled === partial.length;
    this.#partial = whole ? undefined : partial;
    if (whole) {
      this.#filled = 0;
      const slab = this.#slab;
      this.#slab = undefined;
      this.#onRun(partial, 0, partial.length);
      if (slab) this.#slabs?.give(slab);
    }
    return taken;
  }

  #room(length: number): Uint8Array {
    if (length < MIN_SLAB_FRAME_BYTES) return new Uint8Array(length);
    this.#slab = this.#slabs?.take();
    return this.#slab?.bytes.subarray(0, length) ?? new Uint8Array(length);
  }

  /** Bytes of the message whose header begins at `at`. */
  #frameLength(bytes: Uint8Array, at: number): number {
    if (!beginsMessage(bytes, at)) {
      throw new HashikeError('HSK-1102', 'the stream does not go on with a long-form message', {
        firstByte: bytes[at],
      });
    }
    const length = payloadLength(bytes, at);
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

/** Takes apart a run of whole messages. */
export function forEachFrame(
  bytes: Uint8Array,
  from: number,
  to: number,
  take: (frame: Uint8Array) => void,
): void {
  for (let at = from; at < to;) {
    const end = frameEnd(bytes, at);
    take(bytes.subarray(at, end));
    at = end;
  }
}

/** Offset after the message whose header begins at `at`. */
export function frameEnd(bytes: Uint8Array, at: number): number {
  return at + MESSAGE_HEADER_BYTES + payloadLength(bytes, at);
}

function beginsMessage(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && bytes[at + 1] !== 0;
}

/** `Length` of the message whose header begins at `at`. */
function payloadLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}
