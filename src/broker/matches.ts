import { HashikeError } from '../base/errors.ts';
import { textOf, utf8 } from '../base/bytes.ts';
import type { FilterTree } from '../topic/filter-tree.ts';
import { validateTopic } from '../topic/topic.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { type Audience, Audiences, type Route } from './audiences.ts';
import type { Principal } from './ports.ts';
import { TopicTable } from './topic-table.ts';

/** Topics whose matches are remembered, and their bytes in all; beyond either the memory starts anew. */
const MAX_REMEMBERED = 131_072;
const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024;

/** What is known of a topic as long as no subscription changes: who gets what is published to it. */
export interface Match {
  readonly topic: string;
  readonly audience: Audience;
  /** Of those who may publish to it the last one who did. */
  publisher: Principal | undefined;
  /** Within one run of a relay: where the newest message of the topic begins; else -1. */
  newestAt: number;
}

/** The matches of the topics that were published to of late, by text and by the bytes in which they come. */
export class Matches {
  readonly #routes: FilterTree<Route>;
  /** Version of the routes that these were made from. */
  #version = 0;
  readonly #byTopic = new Map<string, Match>();
  readonly #byBytes = new TopicTable<Match>();
  readonly #audiences = new Audiences();
  #topicBytes = 0;

  constructor(routes: FilterTree<Route>) {
    this.#routes = routes;
  }

  /** Throws HSK-1201 when the topic is malformed. */
  of(topic: string): Match {
    this.#refresh();
    let match = this.#byTopic.get(topic);
    if (match) return match;
    validateTopic(topic);
    const bytes = utf8(topic).length;
    if (this.#byTopic.size >= MAX_REMEMBERED || this.#topicBytes + bytes > MAX_REMEMBERED_BYTES)
      this.#forget();
    this.#topicBytes += bytes;
    const audience = this.#audiences.of(this.#routes.match(topic));
    match = { topic, audience, publisher: undefined, newestAt: -1 };
    this.#byTopic.set(topic, match);
    return match;
  }

  /** The match of the topic of `publish`; undefined when that is malformed. */
  find(publish: PublishView): Match | undefined {
    this.#refresh();
    const known = this.#byBytes.find(publish);
    if (known) return known;
    const match = this.#read(publish.topic);
    if (match) this.#byBytes.add(publish, match);
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
    this.#audiences.clear();
    this.#byTopic.clear();
    this.#byBytes.clear();
  }
}
