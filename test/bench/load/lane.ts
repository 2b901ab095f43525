import type { Connection } from './connection.ts';
import type { Publisher } from './publisher.ts';

export interface LaneOptions {
  readonly publishers: readonly Publisher[];
  readonly subscribers: readonly Connection[];
  /** To how many of the subscribers each message goes; default: all. */
  readonly deliveriesPerMessage?: number;
  /** Messages of a chunk. */
  readonly perChunk: number;
  /** Messages that each subscriber may be behind. */
  readonly window: number;
}

/**
 * Publishers and the subscribers that all of their messages go to. It never lets a subscriber fall so far behind that a broker would have to drop something: the next chunk goes out when
 * the deliveries of earlier ones have come.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #fanOut: number;
  #published = 0;
  #target = 0;
  #delivered = 0;
  #turn = 0;
  #done: () => void = () => undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#fanOut = options.deliveriesPerMessage ?? options.subscribers.length;
    for (const subscriber of options.subscribers) {
      subscriber.onDeliveries({ delivered: (count) => this.#take(count) });
    }
  }

  /** Sends `messages` more, rounded up to whole chunks, and resolves to the deliveries that came of them. */
  async run(messages: number): Promise<number> {
    const { perChunk } = this.#options;
    const chunks = Math.ceil(messages / perChunk);
    this.#target += chunks * perChunk;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#done = resolve;
    this.#pump();
    await promise;
    return chunks * perChunk * this.#fanOut;
  }

  #take(count: number): void {
    this.#delivered += count;
    this.#pump();
  }

  #pump(): void {
    const { publishers, perChunk, window } = this.#options;
    const arrived = this.#delivered / this.#fanOut;
    while (this.#published < this.#target && this.#published + perChunk - arrived <= window) {
      publishers[this.#turn]?.send();
      this.#turn = (this.#turn + 1) % publishers.length;
      this.#published += perChunk;
    }
    if (this.#delivered >= this.#target * this.#fanOut) this.#done();
  }
}
