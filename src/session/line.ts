/** What serial framing adds to a short frame (clause 7.1). */
const FRAMING_BYTES = 4;
/** So much may wait in front of the line that it never runs dry between two ticks; an ACK overtakes all but this. */
const LEAD_MS = 20;

/** Keeps account of when what was put on a medium of a known bit rate will have left; without a bit rate that is at once. */
export class Line {
  /** Nothing ever waits there, so that there is nothing to keep account of. */
  static readonly #unlimited = new Line(undefined);

  readonly #bytesPerMs: number;
  #freeAt = 0;

  /** @param bitRate bits per second, start and stop bits included: ten a byte. */
  constructor(bitRate: number | undefined) {
    this.#bytesPerMs = bitRate === undefined ? Number.POSITIVE_INFINITY : bitRate / 10_000;
  }

  /** A line with nothing on it; those without a bit rate are one and the same. */
  static of(bitRate: number | undefined): Line {
    return bitRate === undefined ? Line.#unlimited : new Line(bitRate);
  }

  /** Bytes that a frame takes on the line. */
  static bytes(frameLength: number): number {
    return frameLength + FRAMING_BYTES;
  }

  /** Milliseconds that `bytes` take on the line. */
  duration(bytes: number): number {
    return bytes / this.#bytesPerMs;
  }

  /** Bytes that leave in `ms` milliseconds. */
  drains(ms: number): number {
    return ms * this.#bytesPerMs;
  }

  /** Notes `bytes` that were put on it. */
  put(bytes: number, now: number): void {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return;
    this.#freeAt = this.freeAt(now) + this.duration(bytes);
  }

  /** When everything put on it will have left. */
  freeAt(now: number): number {
    return Math.max(now, this.#freeAt);
  }

  /** When the next frame may be put on it. */
  get readyAt(): number {
    return this.#freeAt - LEAD_MS;
  }
}
