import type { Clock, Timer } from '../base/clock.ts';
import type { HashikeError } from '../base/errors.ts';
import { Fifo } from '../base/fifo.ts';
import type { Link, LinkHandler } from '../links/link.ts';
import { forEachFrame } from '../wire/long-form-delimiter.ts';
import type { PublishView } from '../wire/publish-view.ts';
import type { RateLimit } from './rate-limit.ts';

/** What is let through at once at least, so that a slow rate costs few timers. */
const LEAST_WAIT_MS = 10;

/**
 * A link whose messages come at the rate of a limit: what is over it stops the reading, and waits here as far as it was read already, which is no more than the operating system gives at
 * once. Nothing is dropped.
 */
export class ThrottledLink implements Link, LinkHandler {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #waiting = new Fifo<Uint8Array>();
  #limit: RateLimit | undefined;
  #handler: LinkHandler | undefined;
  #timer: Timer | undefined;
  /** By the owner. */
  #paused = false;

  constructor(link: Link, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  /** Holds to `limit` from now on. */
  limitBy(limit: RateLimit | undefined): void {
    this.#limit = limit;
  }

  get name(): string {
    return this.#link.name;
  }

  get peer(): string {
    return this.#link.peer;
  }

  get capabilities(): Link['capabilities'] {
    return this.#link.capabilities;
  }

  get remoteAddress(): string | undefined {
    return this.#link.remoteAddress;
  }

  get certificate(): string | undefined {
    return this.#link.certificate;
  }

  get queuedBytes(): number {
    return this.#link.queuedBytes;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    this.#link.start(this);
  }

  send(frame: Uint8Array): boolean {
    return this.#link.send(frame);
  }

  relay(publish: PublishView, timestamp: number): boolean {
    return this.#link.relay?.(publish, timestamp) ?? this.#link.send(publish.delivery(timestamp, undefined));
  }

  pause(): void {
    this.#paused = true;
    this.#link.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#serve();
  }

  close(): void {
    this.#stop();
    this.#link.close();
  }

  frame(bytes: Uint8Array): void {
    if (this.#waiting.length === 0 && !this.#limit) this.#handler?.frame(bytes);
    else {
      this.#waiting.push(bytes);
      this.#serve();
    }
  }

  run(bytes: Uint8Array, from: number, to: number): void {
    if (this.#waiting.length === 0 && !this.#limit && this.#handler?.run) this.#handler.run(bytes, from, to);
    else forEachFrame(bytes, from, to, (frame) => this.frame(frame.slice()));
  }

  drained(): void {
    this.#handler?.drained();
  }

  closed(cause?: HashikeError): void {
    // The peer counts on what it has sent; the limit is owed it.
    this.#limit?.take(this.#waiting.length);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) this.#handler?.frame(next);
    this.#stop();
    this.#handler?.closed(cause);
  }

  /** Lets through what may come, and reads on when nothing waits. */
  #serve(): void {
    while (!this.#paused && this.#waiting.length > 0 && (this.#limit?.available ?? 1) > 0) {
      this.#limit?.take(1);
      const next = this.#waiting.shift();
      if (next) this.#handler?.frame(next);
    }
    if (this.#paused) return;
    if (this.#waiting.length === 0) this.#link.resume();
    else {
      this.#link.pause();
      this.#wait(this.#limit?.waitMs ?? 0);
    }
  }

  #wait(ms: number): void {
    this.#timer ??= this.#clock.after(Math.max(LEAST_WAIT_MS, ms), () => {
      this.#timer = undefined;
      this.#serve();
    });
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
  }
}
