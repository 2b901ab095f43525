import type { SpoolConsumer } from '../spool/ports.ts';
import { FEED_WINDOW } from './durable-feed.ts';

/** Records that go at once, so that a queue at its bound does not cost a deletion for each message. */
const CHUNK = 32;

export interface QueueBoundOptions {
  readonly consumer: SpoolConsumer;
  readonly maxMessages: number;
  readonly dropped: (messages: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Keeps what waits on disk for one client within `maxMessages`, and within half of the quota, so that nobody who publishes to it has to wait until the client
 * comes. The oldest go, but for the first `FEED_WINDOW`: those may be on their way to the client, under numbers that a restored session gives again.
 */
export class QueueBound {
  readonly #options: QueueBoundOptions;
  #shortening = false;

  constructor(options: QueueBoundOptions) {
    this.#options = options;
  }

  /** From now on; a queue that is too long already is shortened. */
  keep(): void {
    this.#options.consumer.onAppended(() => this.#check());
    this.#check();
  }

  get #exceeded(): boolean {
    const { consumer, maxMessages } = this.#options;
    return consumer.depth.messages > maxMessages || consumer.depth.bytes > consumer.maxBytes / 2;
  }

  #check(): void {
    if (this.#shortening || !this.#exceeded) return;
    this.#shortening = true;
    this.#shorten()
      .catch(this.#options.failed)
      .finally(() => {
        this.#shortening = false;
      });
  }

  async #shorten(): Promise<void> {
    const { consumer, dropped } = this.#options;
    while (this.#exceeded) {
      const records = await consumer.read(0, FEED_WINDOW + CHUNK);
      // What is alone stays, however long it is; what has expired is gone by now.
      if (records.length < 2) return;
      const first = Math.min(FEED_WINDOW, records.length - 1);
      dropped(await consumer.discard(records.slice(first).map(({ seq }) => seq)));
    }
  }
}
