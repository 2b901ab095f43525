import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SpoolConsumer } from '../spool/ports.ts';
import type { Publication } from '../wire/publication.ts';
import type { ClientQueue } from './client-queues.ts';

/** Records that are read at once, and the most that wait in the session for an acknowledgement. */
export const FEED_WINDOW = 32;

/** What became of a publication: `full` means that the session has no room, or no connection, and that it stays in the queue. */
export type Sent = 'sent' | 'full' | 'undeliverable';

/** The session, as far as its feed needs it. */
export interface FedSession {
  readonly sessionId: Uint8Array;
  /** Where its numbering stood when it began. */
  readonly identity: { readonly sent: number };
  readonly attached: boolean;
  /** Queues one publication in the session, with `seq` as its tag. */
  readonly deliveries: { send(publication: Publication, seq: number): Sent };
  readonly log: Log;
}

/**
 * Feeds a session from its client's queue on disk, in order and a window at a time, and deletes what the client acknowledged. Every numbered message of such a
 * session comes from here, so a session restored after a crash gives the same numbers to the same publications.
 */
export class DurableFeed {
  readonly #session: FedSession;
  readonly #consumer: SpoolConsumer;
  /** Settled when the feed of the client's session before has deleted what was acknowledged there. */
  readonly #before: Promise<void>;
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

  constructor(session: FedSession, { consumer, released }: Pick<ClientQueue, 'consumer' | 'released'>) {
    this.#session = session;
    this.#consumer = consumer;
    this.#before = released;
    this.#sent = session.identity.sent;
    this.#stopListening = consumer.onAppended(() => this.pump());
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
    const { sessionId } = this.#session;
    this.#deleting = this.#consumer
      .acknowledge(seq, { sessionId, messageId })
      .catch((error: unknown) => this.#failed(error));
    this.pump();
  }

  async #run(): Promise<void> {
    try {
      await this.#before;
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
    for (const { seq, publication } of await this.#consumer.read(this.#after, room)) {
      if (this.#stopped) return;
      this.#inFlight.push(seq);
      const sent = this.#send(publication, seq);
      if (sent !== 'sent') this.#inFlight.pop();
      if (sent === 'full') return;
      this.#after = seq;
      this.#again = true;
      // With others before it, it goes with their acknowledgement.
      if (sent === 'undeliverable' && this.#inFlight.length === 0) await this.#consumer.acknowledge(seq);
    }
  }

  #send(publication: Publication, seq: number): Sent {
    const { attached, deliveries } = this.#session;
    return attached ? deliveries.send(publication, seq) : 'full';
  }

  #failed(error: unknown): void {
    const coded =
      error instanceof HashikeError
        ? error
        : new HashikeError('HSK-1001', 'a queue could not be fed', {}, error);
    this.#session.log.error({ err: coded }, 'could not read or shorten the queue of a client');
  }
}
