import type { Clock, Timer } from '../../src/base/clock.ts';
import type { Link, LinkCapabilities, LinkHandler } from '../../src/links/link.ts';

/** What a modelled medium does to frames. */
export interface Medium {
  readonly capabilities: LinkCapabilities;
  readonly latencyMs: number;
  /** Whether this frame is lost. */
  readonly loses?: (frame: Uint8Array) => boolean;
  /** Queue above which `send` answers false. */
  readonly highWaterBytes?: number | undefined;
}

interface Flying {
  readonly frame: Uint8Array;
  readonly at: number;
}

/** One end of a modelled connection: takes the time that its bit rate and latency say, keeps order, loses what the medium says. */
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
      other.#flying.push({ frame: frame.slice(), at: this.#freeAt + this.#medium.latencyMs });
      other.#arm();
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
