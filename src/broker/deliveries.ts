import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BestEffort, Outgoing } from '../session/ports.ts';
import { MessageType } from '../wire/numbers.ts';
import type { Publication } from '../wire/publication.ts';
import type { PublishView } from '../wire/publish-view.ts';
import type { ClientPipe } from './client-pipe.ts';
import { Conflation } from './conflation.ts';
import type { Sent } from './durable-feed.ts';
import type { Delivery } from './ports.ts';
import type { PresenceChange, Watcher } from './presence.ts';
import { toPublish } from './publications.ts';
import { type ReplayedSession, RetainedReplay } from './retained-replay.ts';
import type { SessionServices } from './session-surroundings.ts';
import type { Subscriptions } from './subscriptions.ts';

/** The session, as far as its deliveries need it. */
export interface DeliveringSession {
  readonly services: SessionServices;
  readonly pipe: ClientPipe;
  /** Name of the client's queue on disk, where it has one. */
  readonly queue: string | undefined;
  readonly log: Log;
  /** Nothing is handed over any more. */
  readonly over: boolean;
  readonly subscriptions: Subscriptions;
  /** The client stayed over the bound of its queue (clause 5.5.4). */
  slow(error: HashikeError): void;
}

/** What a session hands to its client (clause 5.5): reliable or not, live or retained, and what becomes of it when the client does not keep up. */
export class Deliveries implements ReplayedSession, Watcher {
  readonly #session: DeliveringSession;
  /** While something retained waits. */
  #replay: RetainedReplay | undefined;
  /** While something best-effort waits. */
  #conflation: Conflation | undefined;

  constructor(session: DeliveringSession) {
    this.#session = session;
  }

  get services(): SessionServices {
    return this.#session.services;
  }

  get queue(): string | undefined {
    return this.#session.queue;
  }

  covers(topic: string): boolean {
    return this.#session.subscriptions.covers(topic);
  }

  /** Whether something retained may follow: half of the queue is for what is live. */
  hasRoom(bytes: number): boolean {
    const queued = this.#queuedBytes;
    return queued === 0 || queued + bytes <= this.services.limits.sendQueueBytes / 2;
  }

  /** Bytes that the send queue still takes. */
  get room(): number {
    return this.services.limits.sendQueueBytes - this.#queuedBytes;
  }

  /** Hands over what is retained for subscriptions that are new. Resolves when what goes by way of the client's queue is on disk; rejects with HSK-22xx. */
  replay(filters: readonly string[], reliable: boolean): Promise<void> {
    this.#replay ??= new RetainedReplay(this);
    const begun = this.#replay.begin(filters, reliable);
    this.#tidy();
    return begun;
  }

  /** Hands over what was published. */
  deliver(delivery: Delivery): void {
    if (this.#replay) {
      this.#replay.before(delivery.publication.topic);
      this.#tidy();
    }
    this.hand(delivery);
  }

  /** See `Subscriber.relay`. */
  relay(publish: PublishView, reliable: boolean, now: number): boolean {
    if (this.#replay || this.#conflation) return false;
    const { pipe } = this.#session;
    if (reliable) return pipe.raw.relayReliable(publish, now);
    return !pipe.hasPath && pipe.raw.relayBestEffort(publish, now);
  }

  /** Hands over what waited on disk. @param seq its place there. */
  send(publication: Publication, seq: number | undefined): Sent {
    return this.#queue(toPublish(publication, this.services.clock.wall()), seq);
  }

  /** Tells a watcher who came or left (clause 5.8). */
  presence({ topic, clientId, joined, reason }: PresenceChange): void {
    if (this.#session.over) return;
    const message: Outgoing = joined
      ? { type: MessageType.PRESENCE_JOINED, topic, clientId }
      : { type: MessageType.PRESENCE_LEFT, topic, clientId, reason };
    if (this.#queue(message, undefined) === 'full') this.#slow();
  }

  /** The client has acknowledged something. */
  acknowledged(): void {
    this.#replay?.pump();
    this.drained();
  }

  /** The link has room. */
  drained(): void {
    this.#conflation?.flush();
    this.#tidy();
  }

  /** The link is gone, and with it what was best effort. */
  detached(): void {
    this.#conflation?.clear();
    this.#tidy();
  }

  get #queuedBytes(): number {
    return this.#session.pipe.session.queuedBytes;
  }

  /** Hands over one message, live or retained. */
  hand({ publication, reliable }: Delivery): void {
    if (this.#session.over) return;
    if (!reliable) this.#sendBestEffort(publication);
    else if (this.send(publication, undefined) === 'full') this.#slow();
  }

  #queue(message: Outgoing, seq: number | undefined): Sent {
    try {
      const messageId = this.#session.pipe.act((session, now) => session.sendReliable(message, now, seq));
      return messageId === undefined ? 'full' : 'sent';
    } catch (error) {
      this.#undeliverable(error);
      return 'undeliverable';
    }
  }

  /** On a wire a reading that waits would grow older than it says (clause 6.1.6): there it is dropped. */
  #sendBestEffort(publication: Publication): void {
    if (!this.#conflation && this.#offer(publication) !== 'full') return;
    if (!this.#session.pipe.isReliable) {
      this.#dropped('send-queue-full');
      return;
    }
    this.#conflation ??= this.#conflate();
    this.#conflation.put(publication);
  }

  #offer(publication: Publication): BestEffort {
    try {
      const message = toPublish(publication, this.services.clock.wall());
      return this.#session.pipe.act((session, now) => session.sendBestEffort(message, now));
    } catch (error) {
      this.#undeliverable(error);
      return 'dropped';
    }
  }

  /** It is longer than a message, or than what the link carries. */
  #undeliverable(error: unknown): void {
    if (!(error instanceof HashikeError)) throw error;
    this.#dropped('undeliverable');
    this.#session.log.warn({ err: error }, 'a message could not be delivered to a client');
  }

  #slow(): void {
    this.#session.slow(
      new HashikeError('HSK-3006', 'the send queue of a client is full (limits.sendQueueBytes)', {
        queuedBytes: this.#queuedBytes,
      }),
    );
  }

  #dropped(reason: string): void {
    this.services.counters.drops('session', reason).add();
  }

  #conflate(): Conflation {
    const { clock, limits } = this.services;
    return new Conflation({
      maxBytes: limits.sendQueueBytes / 4,
      wall: () => clock.wall(),
      send: (publication) => this.#offer(publication),
      dropped: (reason) => this.#dropped(reason),
    });
  }

  /** Most clients keep up most of the time: what is empty goes. */
  #tidy(): void {
    if (!this.#replay?.active) this.#replay = undefined;
    if (!this.#conflation?.active) this.#conflation = undefined;
  }
}
