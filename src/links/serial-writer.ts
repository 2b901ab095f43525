import type { Clock, Timer } from '../base/clock.ts';

/** How much time of the line the operating system may hold; more would make its queue, and not ours, the place where frames wait. */
const AHEAD_MS = 20;

export interface SerialWriterOptions {
  readonly clock: Clock;
  /** Bits per second of the line, ten of which carry a byte. */
  readonly bitRate: number;
  /** Over this many waiting bytes `push` answers 'full', and `drained` is called once half of them are gone. */
  readonly highWaterBytes: number;
  /** Over this many waiting bytes nothing more is taken. */
  readonly maxBytes: number;
  /** Hands bytes to the operating system; calls `taken` when it has them. */
  write(bytes: Uint8Array, taken: () => void): void;
  drained(): void;
}

/**
 * A bounded queue in front of a line, which lets go of bytes no faster than the line carries them: kernels and USB adapters take some
 * kilobytes at once, seconds of a slow line, and then whoever measures the round trip measures their queue.
 */
export class SerialWriter {
  readonly #options: SerialWriterOptions;
  readonly #msPerByte: number;
  readonly #queue: Uint8Array[] = [];
  /** Bytes queued, or handed over and not yet taken. */
  #waiting = 0;
  #writing = false;
  #full = false;
  #stopped = false;
  /** When the line will have carried what was handed over. */
  #freeAt = 0;
  #timer: Timer | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: SerialWriterOptions) {
    this.#options = options;
    this.#msPerByte = 10_000 / options.bitRate;
  }

  /** Bytes not yet on the line, those that the operating system holds included by estimate. */
  get queuedBytes(): number {
    const held = Math.max(0, this.#freeAt - this.#options.clock.now()) / this.#msPerByte;
    return this.#waiting + Math.ceil(held);
  }

  /** Queues bytes that belong together. 'refused': over the bound, nothing was taken. */
  push(bytes: Uint8Array): 'taken' | 'full' | 'refused' {
    if (this.#stopped || this.#waiting + bytes.length > this.#options.maxBytes) return 'refused';
    this.#queue.push(bytes);
    this.#waiting += bytes.length;
    this.#pump();
    this.#full ||= this.#waiting > this.#options.highWaterBytes;
    return this.#full ? 'full' : 'taken';
  }

  /** Calls `action` once nothing waits. */
  whenEmpty(action: () => void): void {
    this.#whenEmpty = action;
    this.#pump();
  }

  /** Forgets what waits; nothing is written and nobody is called any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#queue.length = 0;
    this.#waiting = 0;
  }

  #pump(): void {
    if (this.#stopped || this.#writing || this.#timer) return;
    const [next] = this.#queue;
    if (!next) {
      this.#whenEmpty?.();
      return;
    }
    const early = this.#freeAt - AHEAD_MS - this.#options.clock.now();
    if (early > 0) {
      this.#timer = this.#options.clock.after(early, () => {
        this.#timer = undefined;
        this.#pump();
      });
      return;
    }
    this.#queue.shift();
    this.#writing = true;
    this.#options.write(next, () => this.#taken(next.length));
  }

  #taken(length: number): void {
    if (this.#stopped) return;
    this.#writing = false;
    this.#waiting -= length;
    this.#freeAt = Math.max(this.#freeAt, this.#options.clock.now()) + length * this.#msPerByte;
    this.#pump();
    if (this.#full && this.#waiting <= this.#options.highWaterBytes / 2) {
      this.#full = false;
      this.#options.drained();
    }
  }
}
