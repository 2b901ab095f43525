import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BestEffort, Outgoing } from '../session/ports.ts';
import { MessageType } from '../wire/numbers.ts';
import type { Publication } from '../wire/publication.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { Conflation } from './conflation.ts';
import type { Sent } from './durable-feed.ts';
import type { GuardedPipe } from './guarded-pipe.ts';
import type { Delivery } from './ports.ts';
import type { PresenceChange } from './presence.ts';
import { toPublish } from './publications.ts';
import { RetainedReplay } from './retained-replay.ts';
import type { SessionUdp } from './session-udp.ts';
import type { SessionServices } from './session-surroundings.ts';

export interface DeliveriesOptions {
  readonly pipe: GuardedPipe;
  readonly udp: SessionUdp;
  /** Name of the client's queue on disk, where it has one. */
  readonly queue: string | undefined;
  readonly services: SessionServices;
  readonly log: Log;
  /** Whether the client subscribes to a topic. */
  readonly wanted: (topic: string) => boolean;
  /** Whether the session is over: nothing is handed over any more. */
  readonly isOver: () => boolean;
  /** Whether the session is on a link where what waits may wait. */
  readonly mayWait: () => boolean;
  /** The client stayed over the bound of its queue (clause 5.5.4). */
  readonly slow: (error: HashikeError) => void;
}

/** What a session hands to its client (clause 5.5): reliable or not, live or retained, and what becomes of it when the client does not keep up. */
export class Deliveries {
  readonly replay: RetainedReplay;
  readonly #options: DeliveriesOptions;
  readonly #conflation: Conflation;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    const { services, queue, wanted } = options;
    const { broker, spool, clock, limits } = services;
    this.#conflation = new Conflation({
      maxBytes: limits.sendQueueBytes / 4,
      wall: () => clock.wall(),
      send: (publication) => this.#offer(publication),
      dropped: (reason) => this.#dropped(reason),
    });
    this.replay = new RetainedReplay({
      retained: broker.retained,
      spool,
      queue,
      wanted,
      hasRoom: (bytes) => this.#queuedBytes === 0 || this.#queuedBytes + bytes <= limits.sendQueueBytes / 2,
      deliver: (delivery) => this.#hand(delivery),
    });
  }

  /** Hands over what was published. */
  deliver(delivery: Delivery): void {
    if (this.replay.active) this.replay.before(delivery.publication.topic);
    this.#hand(delivery);
  }

  /** See `Subscriber.relay`. */
  relay(publish: PublishView, reliable: boolean, now: number): boolean {
    if (this.replay.active || this.#conflation.active) return false;
    const { pipe, udp } = this.#options;
    if (reliable) return pipe.raw.relayReliable(publish, now);
    return !udp.granted && pipe.raw.relayBestEffort(publish, now);
  }

  /** Hands over what waited on disk. @param seq its place there. */
  send(publication: Publication, seq: number | undefined): Sent {
    return this.#queue(toPublish(publication, this.#options.services.clock.wall()), seq);
  }

  /** Tells a watcher who came or left (clause 5.8). */
  announce({ topic, clientId, joined, reason }: PresenceChange): void {
    if (this.#options.isOver()) return;
    const message: Outgoing = joined
      ? { type: MessageType.PRESENCE_JOINED, topic, clientId }
      : { type: MessageType.PRESENCE_LEFT, topic, clientId, reason };
    if (this.#queue(message, undefined) === 'full') this.#slow();
  }

  /** The client has acknowledged something. */
  acknowledged(): void {
    this.replay.pump();
    this.drained();
  }

  /** The link has room. */
  drained(): void {
    if (this.#conflation.active) this.#conflation.flush();
  }

  /** The link is gone, and with it what was best effort. */
  detached(): void {
    this.#conflation.clear();
  }

  get #queuedBytes(): number {
    return this.#options.pipe.session.queuedBytes;
  }

  #hand({ publication, reliable }: Delivery): void {
    if (this.#options.isOver()) return;
    if (!reliable) this.#sendBestEffort(publication);
    else if (this.send(publication, undefined) === 'full') this.#slow();
  }

  #queue(message: Outgoing, seq: number | undefined): Sent {
    try {
      const messageId = this.#options.pipe.act((session, now) => session.sendReliable(message, now, seq));
      return messageId === undefined ? 'full' : 'sent';
    } catch (error) {
      this.#undeliverable(error);
      return 'undeliverable';
    }
  }

  /** On a wire a reading that waits would grow older than it says (clause 6.1.6): there it is dropped. */
  #sendBestEffort(publication: Publication): void {
    if (!this.#conflation.active && this.#offer(publication) !== 'full') return;
    if (this.#options.mayWait()) this.#conflation.put(publication);
    else this.#dropped('send-queue-full');
  }

  #offer(publication: Publication): BestEffort {
    const { pipe, services } = this.#options;
    try {
      const message = toPublish(publication, services.clock.wall());
      return pipe.act((session, now) => session.sendBestEffort(message, now));
    } catch (error) {
      this.#undeliverable(error);
      return 'dropped';
    }
  }

  /** It is longer than a message, or than what the link carries. */
  #undeliverable(error: unknown): void {
    if (!(error instanceof HashikeError)) throw error;
    this.#dropped('undeliverable');
    this.#options.log.warn({ err: error }, 'a message could not be delivered to a client');
  }

  #slow(): void {
    this.#options.slow(
      new HashikeError('HSK-3006', 'the send queue of a client is full (limits.sendQueueBytes)', {
        queuedBytes: this.#queuedBytes,
      }),
    );
  }

  #dropped(reason: string): void {
    this.#options.services.counters.drops('session', reason).add();
  }
}
