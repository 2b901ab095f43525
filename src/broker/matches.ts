import { HashikeError } from '../base/errors.ts';
import { textOf, utf8 } from '../base/bytes.ts';
import type { FilterTree } from '../topic/filter-tree.ts';
import { validateTopic } from '../topic/topic.ts';
import type { PublishView } from '../wire/publish-view.ts';
import type { DurableOptions, Principal, Subscriber } from './ports.ts';

/** Topics whose matches are remembered, and their bytes in all; beyond either the memory starts anew. */
const MAX_REMEMBERED = 131_072;
const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024;

export interface LiveRoute {
  readonly subscriber: Subscriber;
  readonly reliable: boolean;
}

export type Route = LiveRoute | DurableOptions;

/** What is known of a topic as long as no subscription changes: who gets what is published to it. */
export interface Match {
  readonly topic: string;
  /** The topic in UTF-8. */
  readonly bytes: Uint8Array;
  readonly durable: readonly DurableOptions[];
  readonly live: readonly (LiveRoute & {
    /** Its own queue takes what is reliable. */
    readonly queued: boolean;
  })[];
  /** Who published last, and whether they may. */
  publisher: Principal | undefined;
  allowed: boolean;
  /** Within one run of a relay: where the newest message of the topic begins; else -1. */
  newestAt: number;
}

/** The matches of the topics that were published to of late, by text and by the bytes in which they come. */
export class Matches {
  readonly #routes: FilterTree<Route>;
  /** Version of the routes that these were made from. */
  #version = 0;
  readonly #byTopic = new Map<string, Match>();
  /** The newest of those that share a hash. */
  readonly #byHash = new Map<number, Match>();
  #topicBytes = 0;
  #last: Match | undefined;

  constructor(routes: FilterTree<Route>) {
    this.#routes = routes;
  }

  /** Throws HSK-1201 when the topic is malformed. */
  of(topic: string): Match {
    this.#refresh();
    let match = this.#byTopic.get(topic);
    if (match) return match;
    validateTopic(topic);
    match = makeMatch(topic, this.#routes.match(topic));
    this.#topicBytes += match.bytes.length;
    if (this.#byTopic.size >= MAX_REMEMBERED || this.#topicBytes > MAX_REMEMBERED_BYTES) this.#forget();
    this.#byTopic.set(topic, match);
    return match;
  }

  /** The match of the topic of `publish`; undefined when that is malformed. */
  find(publish: PublishView): Match | undefined {
    this.#refresh();
    if (this.#last && publish.hasTopic(this.#last.bytes)) return this.#last;
    const hash = publish.topicHash;
    let match = this.#byHash.get(hash);
    if (!match || !publish.hasTopic(match.bytes)) {
      match = this.#read(publish.topic);
      if (!match) return undefined;
      this.#byHash.set(hash, match);
    }
    this.#last = match;
    return match;
  }

  #read(topic: Uint8Array): Match | undefined {
    try {
      return this.of(textOf(topic));
    } catch (error) {
      if (error instanceof HashikeError) return undefined;
      throw error;
    }
  }

  #refresh(): void {
    if (this.#version === this.#routes.version) return;
    this.#version = this.#routes.version;
    this.#forget();
  }

  #forget(): void {
    this.#topicBytes = 0;
    this.#byTopic.clear();
    this.#byHash.clear();
    this.#last = undefined;
  }
}

function makeMatch(topic: string, routes: readonly Route[]): Match {
  const durable = routes.filter((route) => 'consumer' in route);
  const live = new Map<Subscriber, boolean>();
  for (const route of routes) {
    if (!('subscriber' in route)) continue;
    live.set(route.subscriber, route.reliable || live.get(route.subscriber) === true);
  }
  return {
    topic,
    bytes: utf8(topic),
    durable,
    live: [...live].map(([subscriber, reliable]) => ({
      subscriber,
      reliable,
      queued: durable.some(({ consumer }) => consumer === subscriber.queue),
    })),
    publisher: undefined,
    allowed: false,
    newestAt: -1,
  };
}
