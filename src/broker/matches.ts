import { HashikeError } from '../base/errors.ts';
import { textOf, utf8 } from '../base/bytes.ts';
import type { FilterTree } from '../topic/filter-tree.ts';
import { validateTopic } from '../topic/topic.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { type Audience, Audiences, type Route } from './audiences.ts';
import type { Principal } from './ports.ts';

/** Topics whose matches are remembered, and their bytes in all; beyond either the memory starts anew. */
const MAX_REMEMBERED = 131_072;
const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024;
const FIRST_BYTES = 4096;

/** What is known of a topic as long as no subscription changes: who gets what is published to it. */
export interface Match {
  readonly topic: string;
  readonly audience: Audience;
  /** Where the topic begins in the bytes of all topics, and how long it is there. */
  readonly at: number;
  readonly length: number;
  /** Of those who may publish to it the last one who did. */
  publisher: Principal | undefined;
  /** Within one run of a relay: where the newest message of the topic begins; else -1. */
  newestAt: number;
}

/**
 * The matches of the topics that were published to of late, by text and by the bytes in which they come. Where messages go to a hundred thousand topics in turn, looking one up costs what the
 * processor has to fetch from memory for it: therefore topics with the same subscribers share an audience, and the bytes of all are in one place.
 */
export class Matches {
  readonly #routes: FilterTree<Route>;
  /** Version of the routes that these were made from. */
  #version = 0;
  readonly #byTopic = new Map<string, Match>();
  /** The newest of those that share a hash. */
  readonly #byHash = new Map<number, Match>();
  readonly #audiences = new Audiences();
  /** The topics in UTF-8, one after the other: the first `#topicBytes` bytes. */
  #topics = new Uint8Array(FIRST_BYTES);
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
    const bytes = utf8(topic);
    const { length } = bytes;
    if (this.#byTopic.size >= MAX_REMEMBERED || this.#topicBytes + length > MAX_REMEMBERED_BYTES)
      this.#forget();
    const audience = this.#audiences.of(this.#routes.match(topic));
    const at = this.#keep(bytes);
    match = { topic, audience, at, length, publisher: undefined, newestAt: -1 };
    this.#byTopic.set(topic, match);
    return match;
  }

  /** The match of the topic of `publish`; undefined when that is malformed. */
  find(publish: PublishView): Match | undefined {
    this.#refresh();
    if (this.#last && this.#fits(this.#last, publish)) return this.#last;
    const hash = publish.topicHash;
    let match = this.#byHash.get(hash);
    if (!match || !this.#fits(match, publish)) {
      match = this.#read(publish.topic);
      if (!match) return undefined;
      this.#byHash.set(hash, match);
    }
    this.#last = match;
    return match;
  }

  #fits({ at, length }: Match, publish: PublishView): boolean {
    return publish.hasTopic(this.#topics, at, length);
  }

  #read(topic: Uint8Array): Match | undefined {
    try {
      return this.of(textOf(topic));
    } catch (error) {
      if (error instanceof HashikeError) return undefined;
      throw error;
    }
  }

  /** Adds the bytes of a topic, and returns where they begin. */
  #keep(topic: Uint8Array): number {
    const at = this.#topicBytes;
    this.#topicBytes += topic.length;
    if (this.#topicBytes > this.#topics.length) {
      const larger = new Uint8Array(2 * this.#topicBytes);
      larger.set(this.#topics);
      this.#topics = larger;
    }
    this.#topics.set(topic, at);
    return at;
  }

  #refresh(): void {
    if (this.#version === this.#routes.version) return;
    this.#version = this.#routes.version;
    this.#forget();
  }

  #forget(): void {
    this.#topicBytes = 0;
    this.#audiences.clear();
    this.#byTopic.clear();
    this.#byHash.clear();
    this.#last = undefined;
  }
}
