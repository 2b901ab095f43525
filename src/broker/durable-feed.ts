import { HashikeError } from '../base/errors.ts';
import type { SpoolConsumer } from '../spool/ports.ts';
import type { Publication } from '../wire/publication.ts';

/** Records that are read at once, and the most that wait in the session for an acknowledgement. */
export const FEED_WINDOW = 32;

/** What became of a publication: `full` means that the session has no room, or no connection, and that it stays in the queue. */
export type Sent = 'sent' | 'full' | 'undeliverable';

export interface DurableFeedOptions {
  readonly consumer: SpoolConsumer;
  readonly sessionId: Uint8Array;
  /** Where the session's numbering stood when it began. */
  readonly sent: number;
  /** Settled when the feed of the client's session before has deleted what was acknowledged there. */
  readonly before: Promise<void>;
  /** Queues one publication in the session, with `seq` as its tag. */
  send(publication: Publication, seq: number): Sent;
  failed(error: HashikeError): void;
}

/**
 * Feeds a session from its client's queue on disk, in order and a window at a time, and deletes what the client acknowledged. Every numbered message of such a
 * session comes from here, so a session restored after a crash gives the same numbers to the same publications.
 */
export class DurableFeed {
  readonly #options: DurableFeedOptions;
  readonly #stopListening: () => void;
  /** Queued in the session and not acknowledged, oldest first. */
  readonly #inFlight: number[] = [];
  /** Last record that was queued in the session. */
  #after = 0;
  #sent: number;
  #pumping = false;
  /** Something happened while the pump was at work: it goes round once more. */
  #again = false;
  #stopped = false;
  #deleting: Promise<void> = Promise.resolve();

  constructor(options: DurableFeedOptions) {
    this.#options = options;
    this.#sent = options.sent;
    this.#stopListening = options.consumer.onAppended(() => this.pump());
  }

  /** Last MESSAGE_ID that the client acknowledged. */
  get sent(): number {
    return this.#sent;
  }

  /** Resolves when everything acknowledged so far is deleted, or could not be. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#stopListening();
    return this.#deleting;
  }

  /** To be called when the session is attached or has room. */
  pump(): void {
    this.#again = true;
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    this.#run().catch((error: unknown) => this.#failed(error));
  }

  /** The client has everything up to `messageId`; `seq` is the newest record among that. */
  acknowledged(messageId: number, seq: number | undefined): void {
    this.#sent = messageId;
    if (seq === undefined) return;
    while ((this.#inFlight[0] ?? Infinity) <= seq) this.#inFlight.shift();
    const { consumer, sessionId } = this.#options;
    this.#deleting = consumer
      .acknowledge(seq, { sessionId, messageId })
      .catch((error: unknown) => this.#failed(error));
    this.pump();
  }

  async #run(): Promise<void> {
    try {
      await this.#options.before;
      while (this.#again && !this.#stopped) {
        this.#again = false;
        await this.#feed(FEED_WINDOW - this.#inFlight.length);
      }
    } finally {
      this.#pumping = false;
    }
  }

  async #feed(room: number): Promise<void> {
    if (room <= 0) return;
    for (const { seq, publication } of await this.#options.consumer.read(this.#after, room)) {
      if (this.#stopped) return;
      this.#inFlight.push(seq);
      const sent = this.#options.send(publication, seq);
      if (sent !== 'sent') this.#inFlight.pop();
      if (sent === 'full') return;
      this.#after = seq;
      this.#again = true;
      // With others before it, it goes with their acknowledgement.
      if (sent === 'undeliverable' && this.#inFlight.length === 0)
        await this.#options.consumer.acknowledge(seq);
    }
  }

  #failed(error: unknown): void {
    this.#options.failed(
      error instanceof HashikeError
        ? error
        : new HashikeError('HSK-1001', 'a queue could not be fed', {}, error),
    );
  }
}
