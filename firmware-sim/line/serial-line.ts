import type { Clock, Timer } from '../clock.ts';
import type { Random } from '../random.ts';
import type { BytePort } from './byte-port.ts';

/** What goes wrong on the line, each with its probability; 0 by default. */
export interface LineFaults {
  /** For each byte: one of its bits turns over. */
  readonly flip?: number;
  /** For each byte: it is lost. */
  readonly drop?: number;
  /** For each frame (a run of bytes up to a zero): one of its bytes is damaged, in a way that leaves the frame's end in place. */
  readonly corrupt?: number;
}

export interface LineOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Bits a second; a byte takes ten of them (8N1). */
  readonly baud: number;
  readonly faults?: LineFaults;
}

/** What happened to the bytes of one direction. */
export interface LineCounts {
  bytes: number;
  frames: number;
  flipped: number;
  dropped: number;
  corrupted: number;
  /** Bytes that found the line cut. */
  cut: number;
}

/** Timers finer than this cost more than they show. */
const GRAIN_MS = 1;
/** As much as a driver keeps for a port; beyond it the writer has to wait. */
const HOLD_BYTES = 4096;

/** One direction: bytes leave one after the other at the pace of the line. */
class Lane {
  readonly counts: LineCounts = { bytes: 0, frames: 0, flipped: 0, dropped: 0, corrupted: 0, cut: 0 };
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #byteMs: number;
  readonly #deliver: (bytes: Uint8Array) => void;
  readonly #hold: (held: boolean) => void;
  #faults: LineFaults = {};
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** When the first byte of the queue began to leave. */
  #since = 0;
  #timer: Timer | undefined;
  #held = false;
  /** Bytes until the damage of this frame; negative: none. */
  #damageIn = -1;
  #frameBegins = true;

  constructor(
    { clock, random, baud }: LineOptions,
    deliver: (bytes: Uint8Array) => void,
    hold: (held: boolean) => void,
  ) {
    this.#clock = clock;
    this.#random = random.fork();
    this.#byteMs = 10_000 / baud;
    this.#deliver = deliver;
    this.#hold = hold;
  }

  set faults(faults: LineFaults) {
    this.#faults = faults;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#queued === 0) this.#since = this.#clock.now();
    this.#queue.push(bytes.slice());
    this.#queued += bytes.length;
    this.#setHeld(this.#queued > HOLD_BYTES);
    this.#arm();
  }

  /** What was on its way is lost. */
  clear(): void {
    this.counts.cut += this.#queued;
    this.#queue = [];
    this.#queued = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#setHeld(false);
  }

  #arm(): void {
    if (this.#timer || this.#queued === 0) return;
    const bytes = Math.min(this.#queued, Math.max(1, Math.ceil(GRAIN_MS / this.#byteMs)));
    const due = this.#since + bytes * this.#byteMs;
    this.#timer = this.#clock.after(due - this.#clock.now(), () => this.#leave());
  }

  /** Delivers the bytes that have left by now. */
  #leave(): void {
    this.#timer = undefined;
    // A timer may fire a rounding error before the moment that it was set for.
    const left = Math.floor((this.#clock.now() - this.#since) / this.#byteMs + 1e-6);
    const bytes = this.#takeFromQueue(Math.min(left, this.#queued));
    this.#since += bytes.length * this.#byteMs;
    this.#arm();
    this.#setHeld(this.#held && this.#queued > HOLD_BYTES / 2);
    const arrived = bytes.flatMap((byte) => this.#pass(byte));
    if (arrived.length > 0) this.#deliver(Uint8Array.from(arrived));
  }

  #takeFromQueue(count: number): number[] {
    const bytes: number[] = [];
    while (bytes.length < count) {
      const first = this.#queue[0];
      if (!first) break;
      const part = first.subarray(0, count - bytes.length);
      bytes.push(...part);
      if (part.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(part.length);
    }
    this.#queued -= bytes.length;
    return bytes;
  }

  /** What becomes of one byte. */
  #pass(byte: number): number[] {
    const { flip = 0, drop = 0, corrupt = 0 } = this.#faults;
    this.counts.bytes++;
    if (this.#frameBegins && byte !== 0) {
      this.counts.frames++;
      // The shortest frame has four bytes before its zero, so that the damage always falls within the frame.
      this.#damageIn = this.#random.chance(corrupt) ? this.#random.below(4) : -1;
    }
    this.#frameBegins = byte === 0;
    let passed = byte;
    if (this.#damageIn-- === 0 && byte !== 0) {
      this.counts.corrupted++;
      passed = 1 + ((byte + this.#random.below(254)) % 255);
    }
    if (this.#random.chance(flip)) {
      this.counts.flipped++;
      passed ^= 1 << this.#random.below(8);
    }
    if (this.#random.chance(drop)) {
      this.counts.dropped++;
      return [];
    }
    return [passed];
  }

  #setHeld(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#hold(held);
  }
}

/** One end of a line. */
export class LineEnd implements BytePort {
  #write: (bytes: Uint8Array) => void = () => undefined;
  #data: (bytes: Uint8Array) => void = () => undefined;
  #held: (held: boolean) => void = () => undefined;

  write(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#data = listener;
  }

  /** Says when more than a driver's buffer waits for the line, and when it is half empty again. */
  onHold(listener: (held: boolean) => void): void {
    this.#held = listener;
  }

  /** For the line itself. */
  attach(write: (bytes: Uint8Array) => void): {
    deliver: (bytes: Uint8Array) => void;
    hold: (held: boolean) => void;
  } {
    this.#write = write;
    return { deliver: (bytes) => this.#data(bytes), hold: (held) => this.#held(held) };
  }
}

/** A serial line: two ends, bytes paced by the baud rate, and faults. Everything that goes wrong is drawn from its seed. */
export class SerialLine {
  readonly node = new LineEnd();
  readonly gateway = new LineEnd();
  readonly #toGateway: Lane;
  readonly #toNode: Lane;
  #cut = false;

  constructor(options: LineOptions) {
    const node = this.node.attach((bytes) => this.#send(this.#toGateway, bytes));
    const gateway = this.gateway.attach((bytes) => this.#send(this.#toNode, bytes));
    this.#toGateway = new Lane(options, gateway.deliver, node.hold);
    this.#toNode = new Lane(options, node.deliver, gateway.hold);
    this.faults = options.faults ?? {};
  }

  /** Holds for both directions from now on. */
  set faults(faults: LineFaults) {
    this.#toGateway.faults = faults;
    this.#toNode.faults = faults;
  }

  get counts(): { readonly toGateway: Readonly<LineCounts>; readonly toNode: Readonly<LineCounts> } {
    return { toGateway: this.#toGateway.counts, toNode: this.#toNode.counts };
  }

  /** Nothing arrives any more, in either direction, and what was on its way is lost. */
  cut(): void {
    this.#cut = true;
    this.#toGateway.clear();
    this.#toNode.clear();
  }

  restore(): void {
    this.#cut = false;
  }

  #send(lane: Lane, bytes: Uint8Array): void {
    if (this.#cut) lane.counts.cut += bytes.length;
    else lane.write(bytes);
  }
}

/** Connects the gateway's end of a line to another port, such as a pseudo-terminal. */
export function join(end: LineEnd, port: BytePort): void {
  end.onData((bytes) => port.write(bytes));
  port.onData((bytes) => end.write(bytes));
  end.onHold((held) => port.hold?.(held));
}
