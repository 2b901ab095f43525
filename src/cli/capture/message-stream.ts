import { concat } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';
import { decodeMessage, peekType } from '../../wire/long-form.ts';
import { MESSAGE_HEADER_BYTES } from '../../wire/numbers.ts';
import type { ByteStreamSink } from './tcp-reassembly.ts';

export interface MessageSink {
  /** One whole message by its header; what is in it may still be wrong. */
  message(frame: Uint8Array): void;
  /** The stream went out of step: so many bytes were not captured, and so many were passed over before the next message. */
  lost(missing: number, skipped: number): void;
}

/**
 * Cuts one direction of a captured stream into long-form messages (clause 3.1). Unlike a receiver it does not give up at a gap or at bytes that
 * are no message: it goes on where a whole valid message stands and another may follow. It keeps at most one message and one chunk.
 */
export class MessageStream implements ByteStreamSink {
  readonly #sink: MessageSink;
  #kept: Uint8Array = new Uint8Array(0);
  #inStep: boolean;
  /** Messages begin at multiples of 4 of the stream; undefined when it is not known where the stream began. */
  #phase: number | undefined;
  #missing = 0;
  #skipped = 0;

  /** @param fromStart whether the first byte fed is the first of the stream. */
  constructor(sink: MessageSink, fromStart: boolean) {
    this.#sink = sink;
    this.#inStep = fromStart;
    this.#phase = fromStart ? 0 : undefined;
  }

  feed(bytes: Uint8Array): void {
    this.#kept = this.#kept.length === 0 ? bytes : concat([this.#kept, bytes]);
    this.#cut();
    // A copy, so that the little that is left does not keep a whole chunk of the file.
    this.#kept = this.#kept.slice();
  }

  gap(bytes: number): void {
    this.#drop(this.#kept.length);
    this.#missing += bytes;
    if (this.#phase !== undefined) this.#phase = (this.#phase + bytes) % 4;
    this.#inStep = false;
  }

  /** Like `gap`, of bytes that carry an unknown number of bytes of this stream. */
  brokenOff(missing: number, skipped: number): void {
    this.gap(missing);
    this.#skipped += skipped;
    this.#phase = undefined;
  }

  end(): void {
    this.#drop(this.#kept.length);
    this.#tellLoss();
  }

  #cut(): void {
    for (;;) {
      if (!this.#inStep && !this.#search()) return;
      if (this.#kept.length < MESSAGE_HEADER_BYTES) return;
      const length = frameLength(this.#kept);
      if (length === undefined) {
        this.#inStep = false;
      } else {
        if (this.#kept.length < length) return;
        this.#sink.message(this.#kept.subarray(0, length));
        this.#advance(length);
      }
    }
  }

  /** Drops what stands before the next message; false when none is found yet. */
  #search(): boolean {
    const kept = this.#kept;
    const step = this.#phase === undefined ? 1 : 4;
    let waiting: number | undefined;
    let at = this.#phase === undefined ? 0 : (4 - this.#phase) % 4;
    for (; at + MESSAGE_HEADER_BYTES <= kept.length; at += step) {
      const length = peekType(kept.subarray(at)) === undefined ? undefined : frameLength(kept.subarray(at));
      if (length === undefined) continue;
      const end = at + length;
      if (end > kept.length) waiting ??= at;
      else if (isMessage(kept.subarray(at, end)) && mayGoOn(kept.subarray(end))) {
        this.#drop(at);
        this.#phase = 0;
        this.#inStep = true;
        this.#tellLoss();
        return true;
      }
    }
    this.#drop(Math.min(waiting ?? at, kept.length));
    return false;
  }

  /** Passes over bytes that belong to no message. */
  #drop(bytes: number): void {
    this.#skipped += bytes;
    this.#advance(bytes);
  }

  #advance(bytes: number): void {
    this.#kept = this.#kept.subarray(bytes);
    if (this.#phase !== undefined) this.#phase = (this.#phase + bytes) % 4;
  }

  #tellLoss(): void {
    if (this.#missing + this.#skipped > 0) this.#sink.lost(this.#missing, this.#skipped);
    this.#missing = 0;
    this.#skipped = 0;
  }
}

/** Bytes of the message that may begin here; undefined where none can. */
export function frameLength(bytes: Uint8Array): number | undefined {
  const [typeHigh, typeLow, lengthHigh = 0, lengthLow = 0] = bytes;
  return typeHigh === 0 && typeLow !== 0 && lengthLow % 4 === 0
    ? MESSAGE_HEADER_BYTES + ((lengthHigh << 8) | lengthLow)
    : undefined;
}

function isMessage(frame: Uint8Array): boolean {
  try {
    decodeMessage(frame);
    return true;
  } catch (error) {
    if (error instanceof HashikeError) return false;
    throw error;
  }
}

/** Whether what follows a message found in a search begins like another, as far as it is there. */
function mayGoOn(bytes: Uint8Array): boolean {
  return bytes.length < 4 || (peekType(bytes) !== undefined && frameLength(bytes) !== undefined);
}
