import { parseHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Counter, Counters } from '../base/counters.ts';
import { HashikeError } from '../base/errors.ts';
import type { SessionMark, Spool, SpoolAppend } from '../spool/ports.ts';
import { FilterTree } from '../topic/filter-tree.ts';
import { validateFilter, validateTopic } from '../topic/topic.ts';
import type { Publication } from '../wire/publication.ts';
import type { Access } from './access.ts';
import { LastValues } from './last-values.ts';
import type {
  BrokerPort,
  DurableOptions,
  DurableQueue,
  Principal,
  Subscriber,
  Subscription,
} from './ports.ts';

/** Topics whose routes are remembered; beyond it the memory starts anew. */
const MAX_CACHED_ROUTES = 10_000;

export interface BrokerOptions {
  readonly access: Access;
  readonly spool: Pick<Spool, 'append' | 'isFull'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: { readonly lastValues: number };
}

interface LiveRoute {
  readonly subscriber: Subscriber;
  readonly reliable: boolean;
}

type Route = LiveRoute | DurableOptions;

/** Who gets what is published to one topic. */
interface Match {
  readonly durable: readonly DurableOptions[];
  readonly live: readonly (LiveRoute & {
    /** Its own queue takes what is reliable. */
    readonly queued: boolean;
  })[];
}

/**
 * Routes publications: to subscribers at once, and to durable consumers through the spool. It keeps no connection and knows no
 * protocol.
 */
export class Broker implements BrokerPort {
  readonly #access: Access;
  readonly #spool: BrokerOptions['spool'];
  readonly #clock: Clock;
  readonly #routes = new FilterTree<Route>();
  #matches = new Map<string, Match>();
  /** Version of the routes that `#matches` was made from. */
  #matchesVersion = 0;
  readonly #lastValues: LastValues;
  readonly #published: Counter;
  readonly #delivered: Counter;
  readonly #kept: Counter;

  constructor(options: BrokerOptions) {
    this.#access = options.access;
    this.#spool = options.spool;
    this.#clock = options.clock;
    this.#lastValues = new LastValues(options.limits.lastValues);
    this.#published = options.counters.counter('published');
    this.#delivered = options.counters.counter('delivered');
    this.#kept = options.counters.counter('kept');
  }

  async publish(publication: Publication, by: Principal): Promise<void> {
    await this.publishAll([publication], by);
  }

  async publishAll(publications: readonly Publication[], by: Principal): Promise<void> {
    for (const { topic } of publications) this.#checkPublish(topic, by);
    const records: SpoolAppend[] = [];
    for (const publication of publications) {
      for (const { consumer, reliableOnly, except } of this.#match(publication.topic).durable) {
        const wanted = publication.reliable || reliableOnly !== true;
        if (wanted && except !== publication.origin.clientId) records.push({ consumer, publication });
      }
    }
    // The spool keeps the order of the calls, so it is asked before anybody else can publish in between.
    const stored = records.length > 0 ? this.#spool.append(records, markOf(publications)) : undefined;
    this.#published.add(publications.length);
    this.#kept.add(records.length);
    for (const publication of publications) {
      this.#lastValues.set(publication);
      this.#deliver(publication);
    }
    await stored;
  }

  wouldWait(topic: string): boolean {
    return this.#match(topic).durable.some(({ consumer }) => this.#spool.isFull(consumer));
  }

  /** Whether what is published to `topic` goes to disk. Throws HSK-1201. */
  isDurable(topic: string): boolean {
    return this.#match(topic).durable.length > 0;
  }

  subscribe(
    filter: string,
    subscriber: Subscriber,
    by: Principal,
    options: { readonly reliable: boolean },
  ): Subscription {
    this.checkSubscribe(filter, by);
    return this.subscribeUnchecked(filter, subscriber, options);
  }

  /** As `subscribe`, for filters that the configuration gives a client. */
  subscribeUnchecked(
    filter: string,
    subscriber: Subscriber,
    options: { readonly reliable: boolean },
  ): Subscription {
    const route: LiveRoute = { subscriber, reliable: options.reliable };
    this.#routes.add(filter, route);
    return { cancel: () => void this.#routes.remove(filter, route) };
  }

  /** Throws HSK-1202 when the filter is malformed and HSK-3001 when it is not allowed. */
  checkSubscribe(filter: string, by: Principal): void {
    validateFilter(filter);
    if (by.maySubscribe(filter)) return;
    throw new HashikeError('HSK-3001', `${by.clientId} may not subscribe to ${filter}`, {
      client: by.clientId,
      filter,
    });
  }

  addDurable(options: DurableOptions): DurableQueue {
    const filters = new Set<string>();
    return {
      add: (filter) => {
        validateFilter(filter);
        filters.add(filter);
        this.#routes.add(filter, options);
      },
      remove: (filter) => {
        filters.delete(filter);
        this.#routes.remove(filter, options);
      },
      cancel: () => {
        for (const filter of filters) this.#routes.remove(filter, options);
        filters.clear();
      },
    };
  }

  lastValue(topic: string, by: Principal): Publication | undefined {
    validateTopic(topic);
    if (!by.maySubscribe(topic)) {
      throw new HashikeError('HSK-3001', `${by.clientId} may not read ${topic}`, {
        client: by.clientId,
        topic,
      });
    }
    return this.#lastValues.get(topic, this.#clock.wall());
  }

  authenticate(token: Uint8Array): Principal | undefined {
    const holder = this.#access.holder(token);
    return holder && !holder.shared ? holder.principal(undefined) : undefined;
  }

  #checkPublish(topic: string, by: Principal): void {
    this.#match(topic);
    if (by.mayPublish(topic)) return;
    throw new HashikeError('HSK-3001', `${by.clientId} may not publish to ${topic}`, {
      client: by.clientId,
      topic,
    });
  }

  #deliver(publication: Publication): void {
    for (const { subscriber, reliable, queued } of this.#match(publication.topic).live) {
      if (queued && publication.reliable) continue;
      this.#delivered.add();
      subscriber.deliver({ publication, reliable: reliable && publication.reliable });
    }
  }

  /** Throws HSK-1201 when the topic is malformed. */
  #match(topic: string): Match {
    if (this.#matchesVersion !== this.#routes.version || this.#matches.size >= MAX_CACHED_ROUTES) {
      this.#matches = new Map();
      this.#matchesVersion = this.#routes.version;
    }
    let match = this.#matches.get(topic);
    if (match) return match;
    validateTopic(topic);
    match = makeMatch(this.#routes.match(topic));
    this.#matches.set(topic, match);
    return match;
  }
}

function makeMatch(routes: readonly Route[]): Match {
  const durable = routes.filter((route) => 'consumer' in route);
  const live = new Map<Subscriber, boolean>();
  for (const route of routes) {
    if (!('subscriber' in route)) continue;
    live.set(route.subscriber, route.reliable || live.get(route.subscriber) === true);
  }
  return {
    durable,
    live: [...live].map(([subscriber, reliable]) => ({
      subscriber,
      reliable,
      queued: durable.some(({ consumer }) => consumer === subscriber.queue),
    })),
  };
}

/** How far the publishing session has come: committed with what it published (clause 5.2.3). */
function markOf([first]: readonly Publication[]): SessionMark | undefined {
  const { sessionId, messageId } = first?.origin ?? {};
  if (sessionId === undefined || messageId === undefined) return undefined;
  const id = parseHex(sessionId);
  return id && { sessionId: id, received: messageId };
}
