import { parseHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Counter, Counters } from '../base/counters.ts';
import { HashikeError } from '../base/errors.ts';
import type { SessionMark, Spool, SpoolAppend } from '../spool/ports.ts';
import { FilterTree } from '../topic/filter-tree.ts';
import { validateFilter, validateTopic } from '../topic/topic.ts';
import type { Origin, Publication } from '../wire/publication.ts';
import { PublishView } from '../wire/publish-view.ts';
import type { Access } from './access.ts';
import type { LiveRoute, Route } from './audiences.ts';
import { Confirmations } from './confirmations.ts';
import { LastValues, type Value } from './last-values.ts';
import { Matches, type Match } from './matches.ts';
import { asLive, Retained } from './retained.ts';
import type {
  BrokerPort,
  DurableOptions,
  DurableQueue,
  Principal,
  Subscriber,
  Subscription,
} from './ports.ts';

export interface BrokerOptions {
  readonly access: Access;
  readonly spool: Pick<Spool, 'append' | 'isFull' | 'saveRetained' | 'loadRetained'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: {
    /** 0: nobody asks for them. */
    readonly lastValues: number;
    readonly retainedMessages: number;
    readonly retainedBytes: number;
  };
}

/**
 * Routes publications: to subscribers at once, and to durable consumers through the spool. It keeps no connection and knows no
 * protocol.
 */
export class Broker implements BrokerPort {
  /** What was published with RETAIN. To be loaded before anything is published. */
  readonly retained: Retained;
  readonly confirmations = new Confirmations();
  readonly #access: Access;
  readonly #spool: BrokerOptions['spool'];
  readonly #clock: Clock;
  readonly #routes = new FilterTree<Route>();
  readonly #matches = new Matches(this.#routes);
  /** On the message that is being relayed. */
  readonly view = new PublishView();
  /** The newest of each topic, in which what is relayed has to be kept too; undefined where nobody asks for them. */
  readonly lastValues: LastValues | undefined;
  readonly #published: Counter;
  readonly #delivered: Counter;
  readonly #kept: Counter;

  constructor(options: BrokerOptions) {
    this.retained = new Retained(options);
    this.#access = options.access;
    this.#spool = options.spool;
    this.#clock = options.clock;
    const { lastValues } = options.limits;
    if (lastValues > 0) this.lastValues = new LastValues(lastValues);
    this.#published = options.counters.counter('published');
    this.#delivered = options.counters.counter('delivered');
    this.#kept = options.counters.counter('kept');
  }

  async publish(publication: Publication, by: Principal): Promise<void> {
    await this.publishAll([publication], by);
  }

  async publishAll(publications: readonly Publication[], by: Principal): Promise<void> {
    for (const publication of publications) {
      this.#checkPublish(publication.topic, by);
      if (publication.responseTopic !== undefined) validateTopic(publication.responseTopic);
      if (publication.retain) this.retained.check(publication);
    }
    const records: SpoolAppend[] = [];
    for (const publication of publications) {
      for (const { consumer, reliableOnly, except } of this.#matches.of(publication.topic).audience.durable) {
        const wanted = publication.reliable || reliableOnly !== true;
        if (!wanted || except === publication.origin.clientId) continue;
        records.push({ consumer, publication: reliableOnly ? asLive(publication) : publication });
        this.confirmations.given(publication.origin, consumer);
      }
    }
    // The spool keeps the order of the calls, so it is asked before anybody else can publish in between.
    const stored: Promise<void>[] = [];
    if (records.length > 0) stored.push(this.#spool.append(records, markOf(publications)));
    this.#published.add(publications.length);
    this.#kept.add(records.length);
    for (const publication of publications) {
      this.lastValues?.set(publication.topic, { publication: ownCopy(publication) });
      this.#deliver(asLive(publication));
      if (publication.retain) stored.push(this.retained.keep(publication));
    }
    await Promise.all(stored);
  }

  /** Where `relay` may take `publish`; undefined when it is for `publish`: malformed, not allowed, or for the disk. */
  routeOf(publish: PublishView, by: Principal): Match | undefined {
    const match = this.#matches.find(publish);
    if (!match || match.audience.durable.length > 0) return undefined;
    if (match.publisher !== by) {
      if (!by.mayPublish(match.topic)) return undefined;
      match.publisher = by;
    }
    return match;
  }

  /** Delivers a publish as the bytes it came in. @param typed the same as an object, for subscribers that want it so */
  relay(publish: PublishView, match: Match, now: number, typed: Value): void {
    this.#published.add();
    const published = publish.messageId !== undefined;
    for (const { subscriber, reliable } of match.audience.live) {
      this.#delivered.add();
      const both = reliable && published;
      if (!subscriber.relay?.(publish, both, now)) {
        subscriber.deliver({ publication: typed.publication, reliable: both });
      }
    }
  }

  wouldWait(topic: string): boolean {
    return this.#matches.of(topic).audience.durable.some(({ consumer }) => this.#spool.isFull(consumer));
  }

  /** Whether what is published to `topic` goes to disk. Throws HSK-1201. */
  isDurable(topic: string): boolean {
    return this.#matches.of(topic).audience.durable.length > 0;
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
    const { consumer, confirms } = options;
    if (confirms) this.confirmations.addUpstream(consumer, confirms);
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

  taken(origin: Origin, consumer: string): void {
    this.confirmations.taken(origin, consumer);
  }

  lastValue(topic: string, by: Principal): Publication | undefined {
    validateTopic(topic);
    if (!by.maySubscribe(topic)) {
      throw new HashikeError('HSK-3001', `${by.clientId} may not read ${topic}`, {
        client: by.clientId,
        topic,
      });
    }
    return this.lastValues?.get(topic, this.#clock.wall());
  }

  authenticate(token: Uint8Array): Principal | undefined {
    const holder = this.#access.holder(token);
    if (!holder || holder.shared || this.#access.isExpired(holder, this.#clock.wall())) return undefined;
    return holder.principal(undefined);
  }

  #checkPublish(topic: string, by: Principal): void {
    this.#matches.of(topic);
    if (by.mayPublish(topic)) return;
    throw new HashikeError('HSK-3001', `${by.clientId} may not publish to ${topic}`, {
      client: by.clientId,
      topic,
    });
  }

  #deliver(publication: Publication): void {
    for (const { subscriber, reliable, queued } of this.#matches.of(publication.topic).audience.live) {
      if (queued && publication.reliable) continue;
      this.#delivered.add();
      subscriber.deliver({ publication, reliable: reliable && publication.reliable });
    }
  }
}

/** How far the publishing session has come: committed with what it published (clause 5.2.3). */
function markOf([first]: readonly Publication[]): SessionMark | undefined {
  const { sessionId, messageId } = first?.origin ?? {};
  if (sessionId === undefined || messageId === undefined) return undefined;
  const id = parseHex(sessionId);
  return id && { sessionId: id, received: messageId };
}

/** Content is a view on all that was received with it, which would be kept alive too. */
function ownCopy(publication: Publication): Publication {
  return { ...publication, content: publication.content.slice() };
}
