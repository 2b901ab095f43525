import type { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';

/** UDP_PROBE without answer after which a path counts as broken (clause 8.4.1). */
const PATIENCE_PROBES = 3;

export interface PathProberOptions {
  readonly clock: Clock;
  /** Between attempts to open the path. */
  readonly backoff: Backoff;
  /** Between probes of a path that works, ms. */
  readonly probeMs: number;
  /** To the next probe when one has not been answered, ms. */
  readonly retryMs: number;
  /** Sends UDP_OPEN; the answer is told by `ticketed`. */
  readonly open: () => void;
  /** Sends UDP_PROBE, whose answer is told by `confirmed`; or starts anew. */
  readonly probe: () => void;
}

/** Keeps a UDP path open from the client's side and knows whether it works (clause 8.4): asks for a ticket, probes, gives up and begins again with back-off. */
export class PathProber {
  readonly #options: PathProberOptions;
  #up = false;
  #unanswered = 0;
  #timer: Timer | undefined;

  constructor(options: PathProberOptions) {
    this.#options = options;
  }

  /** Whether best-effort messages may take the path. */
  get up(): boolean {
    return this.#up;
  }

  /** Asks for a ticket, a new one where there is one: until it works everything goes by TCP. */
  start(): void {
    this.#up = false;
    this.#unanswered = 0;
    this.#again(this.#options.retryMs * PATIENCE_PROBES, () => this.#fail());
    this.#options.open();
  }

  /** UDP_TICKET came. */
  ticketed(): void {
    this.#probe();
  }

  /** UDP_CONFIRM came over UDP. */
  confirmed(): void {
    this.#up = true;
    this.#unanswered = 0;
    this.#options.backoff.reset();
    this.#again(this.#options.probeMs, () => this.#probe());
  }

  /** The attempt failed, or the path broke: at once for a path that worked, else after the back-off. */
  #fail(): void {
    if (this.#up) this.start();
    else this.#again(this.#options.backoff.next(), () => this.start());
  }

  stop(): void {
    this.#up = false;
    this.#timer?.cancel();
  }

  #probe(): void {
    if (this.#unanswered === PATIENCE_PROBES) {
      this.#fail();
      return;
    }
    this.#unanswered += 1;
    this.#again(this.#options.retryMs, () => this.#probe());
    this.#options.probe();
  }

  #again(ms: number, action: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, action);
  }
}
