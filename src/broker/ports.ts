import type { Publication } from '../wire/publication.ts';

/** Somebody the broker knows: who they are and what they may do. */
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
  deliver(delivery: Delivery): void;
}

export interface Subscription {
  cancel(): void;
}

/** What inlets and bridges may ask of the broker. */
export interface BrokerPort {
  /**
   * Routes one publication. Resolves when custody has passed: at once where nobody durable wants it, else when it is on disk.
   * Throws HSK-30xx when the topic is not allowed or malformed; rejects with HSK-22xx when the disk fails.
   */
  publish(publication: Publication, by: Principal): Promise<void>;
  /** Whether a reliable publish to `topic` would have to wait for room. */
  wouldWait(topic: string): boolean;
  /** Throws HSK-30xx when the filter is not allowed or malformed. */
  subscribe(
    filter: string,
    subscriber: Subscriber,
    by: Principal,
    options: { readonly reliable: boolean },
  ): Subscription;
  /** The newest publication seen on `topic` (bounded by the limit `lastValues`). Throws HSK-30xx when not allowed. */
  lastValue(topic: string, by: Principal): Publication | undefined;
  /** The principal whose token this is, or undefined. Constant-time in the token. */
  authenticate(token: Uint8Array): Principal | undefined;
}
