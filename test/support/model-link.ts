import type { Clock, Timer } from '../../src/base/clock.ts';
import { MessageType, ShortKind } from '../../src/wire/numbers.ts';
import type { Link, LinkCapabilities, LinkHandler } from '../../src/links/link.ts';

/** What a modelled medium does to frames. */
export interface Medium {
  readonly capabilities: LinkCapabilities;
  readonly latencyMs: number;
  /** Whether this frame is lost. */
  readonly loses?: (frame: Uint8Array) => boolean;
  /** How many of those that are under way this frame overtakes, at most. */
  readonly overtakes?: ((frame: Uint8Array) => number) | undefined;
  /** Whether this frame arrives twice. */
  readonly doubles?: ((frame: Uint8Array) => boolean) | undefined;
  /** Queue above which `send` answers false. */
  readonly highWaterBytes?: number | undefined;
}

interface Flying {
  readonly frame: Uint8Array;
  readonly at: number;
}

/** One end of a modelled connection: takes the time that its bit rate and latency say; keeps order and loses nothing, unless the medium says so. */
export class ModelLink implements Link {
  readonly name = 'model';
  readonly peer = 'model';
  readonly capabilities: LinkCapabilities;
  /** Bytes that were sent, with serial framing. */
  sentBytes = 0;
  sentFrames = 0;
  /** Most bytes that ever waited. */
  mostQueued = 0;
  readonly #clock: Clock;
  readonly #medium: Medium;
  readonly #flying: Flying[] = [];
  #other: ModelLink | undefined;
  #handler: LinkHandler | undefined;
  #timer: Timer | undefined;
  #freeAt = 0;
  #full = false;
  #paused = false;
  #closed = false;

  constructor(clock: Clock, medium: Medium) {
    this.#clock = clock;
    this.#medium = medium;
    this.capabilities = medium.capabilities;
  }

  /** Two ends that are joined. */
  static pair(clock: Clock, medium: Medium): [ModelLink, ModelLink] {
    const a = new ModelLink(clock, medium);
    const b = new ModelLink(clock, medium);
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  get queuedBytes(): number {
    const { bitRate } = this.capabilities;
    return bitRate === undefined ? 0 : (Math.max(0, this.#freeAt - this.#clock.now()) * bitRate) / 10_000;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
  }

  send(frame: Uint8Array): boolean {
    if (this.#closed) return true;
    if (frame.length > this.capabilities.mtu)
      throw new Error(`a frame of ${frame.length} bytes is over the MTU`);
    const { bitRate } = this.capabilities;
    const bytes = frame.length + 4;
    this.sentBytes += bytes;
    this.sentFrames += 1;
    const now = this.#clock.now();
    this.#freeAt = Math.max(now, this.#freeAt) + (bitRate === undefined ? 0 : (bytes * 10_000) / bitRate);
    this.mostQueued = Math.max(this.mostQueued, this.queuedBytes);
    const other = this.#other;
    if (other && !this.#medium.loses?.(frame)) {
      const at = this.#freeAt + this.#medium.latencyMs;
      other.#take({ frame: frame.slice(), at });
      if (this.#medium.doubles?.(frame)) other.#take({ frame: frame.slice(), at });
    }
    const { highWaterBytes } = this.#medium;
    if (highWaterBytes === undefined || this.queuedBytes <= highWaterBytes) return true;
    if (!this.#full) {
      this.#full = true;
      this.#clock.after(this.#freeAt - now, () => {
        this.#full = false;
        if (!this.#closed) this.#handler?.drained();
      });
    }
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#arm();
  }

  /** Both ends at once; what is under way is lost. */
  close(): void {
    for (const end of [this, this.#other]) {
      if (!end || end.#closed) continue;
      end.#closed = true;
      end.#timer?.cancel();
      end.#flying.length = 0;
      end.#handler?.closed();
    }
  }

  /** A frame is under way to this end. Only data overtakes, and only data is overtaken: who says RESUME or ACK in the long form counts on order (clause 6.5.6). */
  #take(coming: Flying): void {
    const flying = this.#flying;
    let place = flying.length;
    if (isData(coming.frame)) {
      for (let left = this.#medium.overtakes?.(coming.frame) ?? 0; left > 0; left -= 1) {
        const before = flying[place - 1];
        if (!before || !isData(before.frame)) break;
        place -= 1;
      }
    }
    flying.splice(place, 0, { ...coming, at: flying[place]?.at ?? coming.at });
    this.#arm();
  }

  #arm(): void {
    if (this.#timer || this.#paused || this.#closed) return;
    const [first] = this.#flying;
    if (!first) return;
    this.#timer = this.#clock.after(Math.max(0, first.at - this.#clock.now()), () => {
      this.#timer = undefined;
      const now = this.#clock.now();
      while (!this.#paused && !this.#closed) {
        const next = this.#flying[0];
        if (!next || next.at > now) break;
        this.#flying.shift();
        this.#handler?.frame(next.frame);
      }
      this.#arm();
    });
  }
}

/** Whether a frame is a PUBLISH, or an ACK in the short form. */
function isData(frame: Uint8Array): boolean {
  const [first = 0, type = 0] = frame;
  const kind = (first >> 4) & 7;
  return first < 0x80 ? type === MessageType.PUBLISH : kind <= ShortKind.ACK;
}
