import type { SpoolConsumer } from '../spool/ports.ts';
import type { Origin, Publication } from '../wire/publication.ts';
import type { PublishView } from '../wire/publish-view.ts';

/** Somebody the broker knows: who they are and what they may do. The answers are remembered: who may do something else is somebody else. */
export interface Principal {
  readonly clientId: string;
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
}

/** How a publication is handed to one subscriber. */
export interface Delivery {
  readonly publication: Publication;
  /** Both the publish and the subscription are reliable. */
  readonly reliable: boolean;
}

/** Takes deliveries. Must not throw and must bound what it keeps. */
export interface Subscriber {
  readonly clientId: string;
  /** The durable consumer that takes reliable publications in its place, where it has one: a message arrives once (clause 5.5.2). */
  readonly queue?: string | undefined;
  deliver(delivery: Delivery): void;
  /** The same as the bytes in which it was received, which are there for the time of the call. False, or absent: it is for `deliver`. @param now of the monotonic clock */
  relay?(publish: PublishView, reliable: boolean, now: number): boolean;
}

export interface Subscription {
  cancel(): void;
}

/** A consumer whose publications wait for it on disk. */
export interface DurableOptions {
  /** Its name in the spool. */
  readonly consumer: string;
  /** CLIENT_ID whose publications it does not get: a bridge's own, so that nothing goes back where it came from. */
  readonly except?: string | undefined;
  /** It is the queue of a client: it takes reliable publications only, and RETAIN stands on those alone that are of old. */
  readonly reliableOnly?: boolean | undefined;
  /** It is an upstream: a publisher that asked with CONFIRM waits until it says `taken`. What lies there for it. */
  readonly confirms?: Pick<SpoolConsumer, 'depth'> | undefined;
}

/** The filters of a durable consumer. Records that are on disk already stay when a filter is removed. */
export interface DurableQueue {
  /** Throws HSK-1202 when the filter is malformed. */
  add(filter: string): void;
  remove(filter: string): void;
  /** Removes every filter. */
  cancel(): void;
}

/**
 * What waits on disk for one client (clause 5.3.3), for an inlet that takes it to the client. A session of the client comes first: while there is one the queue is
 * not free, and nothing is to be read from it.
 */
export interface ClientQueueFeed {
  /** In the spool; what a `Subscriber` that is served from it says as its `queue`. */
  readonly name: string;
  readonly consumer: Pick<SpoolConsumer, 'read' | 'discard'>;
  readonly free: boolean;
  /** Whether what is published reliably to `topic` always goes here, by the client's configuration. */
  covers(topic: string): boolean;
  /** Calls `action` when records were added and when it becomes free. */
  onNews(action: () => void): void;
}

/** What inlets and bridges may ask of the broker. */
export interface BrokerPort {
  /**
   * Routes one publication. Resolves when custody has passed: at once where nobody durable wants it, else when it is on disk.
   * Rejects with HSK-3001 when the topic is not allowed, with HSK-1201 when it is malformed, with HSK-22xx when the disk fails.
   */
  publish(publication: Publication, by: Principal): Promise<void>;
  /** The same for publications that share one MESSAGE_ID: all of them are kept, or none. */
  publishAll(publications: readonly Publication[], by: Principal): Promise<void>;
  /** Whether a reliable publish to `topic` would have to wait for room. Throws HSK-1201. */
  wouldWait(topic: string): boolean;
  /** Throws HSK-3001 when the filter is not allowed, HSK-1202 when it is malformed. */
  subscribe(
    filter: string,
    subscriber: Subscriber,
    by: Principal,
    options: { readonly reliable: boolean },
  ): Subscription;
  /** Makes what filters added to it match wait on disk for `options.consumer`. */
  addDurable(options: DurableOptions): DurableQueue;
  /** `consumer`, an upstream, is done with a record: to be said of each, in their order. */
  taken(origin: Origin, consumer: string): void;
  /** The newest publication seen on `topic` (bounded by the limit `lastValues`). Throws HSK-3001 or HSK-1201. */
  lastValue(topic: string, by: Principal): Publication | undefined;
  /** The principal whose token this is, or undefined, as for a token that has expired or that several clients share. Constant-time in the token. */
  authenticate(token: Uint8Array): Principal | undefined;
}
