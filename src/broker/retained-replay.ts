import type { Spool } from '../spool/ports.ts';
import type { Publication } from '../wire/publication.ts';
import type { Delivery } from './ports.ts';
import type { Retained } from './retained.ts';

/** What a message takes in a queue beside its topic and content, about. */
const OVERHEAD_BYTES = 128;

/** The session, as far as the replay needs it. */
export interface ReplayedSession {
  readonly services: {
    readonly broker: { readonly retained: Pick<Retained, 'matching' | 'get'> };
    readonly spool: Pick<Spool, 'append'>;
  };
  /** The consumer that takes what is reliable to the client, where it has one. */
  readonly queue: string | undefined;
  /** Whether the client is still subscribed to `topic`. */
  covers(topic: string): boolean;
  /** Whether the session's queue takes so many bytes now. */
  hasRoom(bytes: number): boolean;
  /** Hands over one message. */
  hand(delivery: Delivery): void;
}

/**
 * Hands a session what is retained for its new subscriptions (clause 5.9.3): as much at once as its queue takes, the rest as that drains. Before any other message
 * of a topic comes the retained one.
 */
export class RetainedReplay {
  readonly #session: ReplayedSession;
  /** Not handed over yet, and whether the subscription is reliable. */
  readonly #waiting = new Map<string, boolean>();

  constructor(session: ReplayedSession) {
    this.#session = session;
  }

  get active(): boolean {
    return this.#waiting.size > 0;
  }

  /** For subscriptions that are new. Resolves when what goes by way of the client's queue is on disk; rejects with HSK-22xx. */
  begin(filters: readonly string[], reliable: boolean): Promise<void> {
    const { services, queue } = this.#session;
    const queued: { readonly consumer: string; readonly publication: Publication }[] = [];
    for (const publication of services.broker.retained.matching(filters)) {
      const { topic } = publication;
      if (queue !== undefined && reliable && publication.reliable)
        queued.push({ consumer: queue, publication });
      else this.#waiting.set(topic, reliable || this.#waiting.get(topic) === true);
    }
    this.pump();
    return queued.length > 0 ? services.spool.append(queued) : Promise.resolve();
  }

  /** To be called when the session's queue has drained. */
  pump(): void {
    for (const [topic, reliable] of this.#waiting) if (!this.#hand(topic, reliable, false)) return;
  }

  /** To be called before another message of `topic` is handed over. */
  before(topic: string): void {
    const reliable = this.#waiting.get(topic);
    if (reliable !== undefined) this.#hand(topic, reliable, true);
  }

  /** False when there is no room. @param now whether there is or not */
  #hand(topic: string, subscribedReliably: boolean, now: boolean): boolean {
    const session = this.#session;
    const publication = session.covers(topic) ? session.services.broker.retained.get(topic) : undefined;
    const reliable = subscribedReliably && publication?.reliable === true;
    if (reliable && !now && !session.hasRoom(OVERHEAD_BYTES + topic.length + publication.content.length))
      return false;
    this.#waiting.delete(topic);
    if (publication) session.hand({ publication, reliable });
    return true;
  }
}
