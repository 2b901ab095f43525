import type { Segment } from './network-layers.ts';

/** Who gets the bytes of one direction of a connection, in order. */
export interface ByteStreamSink {
  feed(bytes: Uint8Array): void;
  /** `bytes` of the stream were not captured; what follows comes after them. */
  gap(bytes: number): void;
}

/** Bytes that all connections together keep because an earlier segment is missing. */
export interface HeldBytes {
  bytes: number;
}

/** Most that is kept out of order, of one direction and of all together, before the missing segment is given up. */
const MAX_HELD_SEGMENTS = 1024;
const MAX_HELD_BYTES = 1_048_576;
const MAX_HELD_BYTES_TOGETHER = 33_554_432;

interface Held {
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly length: number;
}

/**
 * Puts the segments of one direction of a TCP connection in order: what was sent again is passed over, what came early waits, and
 * what the capture does not have is told as a gap: when the other side acknowledges beyond it, when too much waits, and at the end.
 */
export class TcpReassembly {
  readonly #sink: ByteStreamSink;
  readonly #together: HeldBytes;
  readonly #held: Held[] = [];
  #heldBytes = 0;
  /** Sequence number of the next byte; undefined before the first segment. */
  #next: number | undefined;
  #start: number | undefined;

  constructor(sink: ByteStreamSink, together: HeldBytes) {
    this.#sink = sink;
    this.#together = together;
  }

  /** Whether a SYN with this sequence number begins another connection than the one that is followed here. */
  startsAnother(sequence: number): boolean {
    return this.#next !== undefined && this.#start !== (sequence + 1) >>> 0;
  }

  /** Takes a segment; the first one is where the stream begins. */
  take({ syn, sequence, payload, payloadLength }: Segment): void {
    const at = (sequence + (syn ? 1 : 0)) >>> 0;
    if (this.#next === undefined) {
      this.#next = at;
      if (syn) this.#start = at;
    }
    if (payloadLength === 0) return;
    if (distance(this.#next, at) <= 0) {
      this.#deliver({ sequence: at, payload, length: payloadLength });
      this.#release();
    } else {
      this.#hold({ sequence: at, payload: payload.slice(), length: payloadLength });
    }
  }

  /** The other side has everything before `sequence`: whatever of it is missing here was not captured. */
  acknowledged(sequence: number): void {
    for (let first = this.#held[0]; first && distance(first.sequence, sequence) > 0; first = this.#held[0]) {
      this.#giveUp(first);
    }
  }

  /** No more segments come. */
  end(): void {
    for (let first = this.#held[0]; first; first = this.#held[0]) this.#giveUp(first);
  }

  #hold(segment: Held): void {
    let index = this.#held.length;
    while (index > 0 && distance(this.#held[index - 1]?.sequence ?? 0, segment.sequence) < 0) index -= 1;
    this.#held.splice(index, 0, segment);
    this.#count(segment.payload.length);
    while (
      this.#held[0] &&
      (this.#held.length > MAX_HELD_SEGMENTS ||
        this.#heldBytes > MAX_HELD_BYTES ||
        this.#together.bytes > MAX_HELD_BYTES_TOGETHER)
    ) {
      this.#giveUp(this.#held[0]);
    }
  }

  /** Goes on with `first`, the earliest that waits. */
  #giveUp(first: Held): void {
    const missing = distance(this.#next ?? first.sequence, first.sequence);
    if (missing > 0) {
      this.#sink.gap(missing);
      this.#next = first.sequence;
    }
    this.#release();
  }

  /** Delivers what no longer waits for anything. */
  #release(): void {
    for (
      let first = this.#held[0];
      first && distance(this.#next ?? 0, first.sequence) <= 0;
      first = this.#held[0]
    ) {
      this.#held.shift();
      this.#count(-first.payload.length);
      this.#deliver(first);
    }
  }

  /** Hands on what is new of a segment that begins at or before the next byte. */
  #deliver({ sequence, payload, length }: Held): void {
    const known = -distance(this.#next ?? sequence, sequence);
    if (known >= length) return;
    this.#next = (sequence + length) >>> 0;
    if (known < payload.length) this.#sink.feed(payload.subarray(known));
    const missing = length - Math.max(known, payload.length);
    if (missing > 0) this.#sink.gap(missing);
  }

  #count(bytes: number): void {
    this.#heldBytes += bytes;
    this.#together.bytes += bytes;
  }
}

/** How far `to` lies after `from`, modulo 2^32: negative when it lies before. */
function distance(from: number, to: number): number {
  return (to - from) | 0;
}
