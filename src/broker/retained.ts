import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { HashikeError } from '../base/errors.ts';
import type { Spool } from '../spool/ports.ts';
import { hasWildcard, matches } from '../topic/topic.ts';
import type { Publication } from '../wire/publication.ts';

export interface RetainedOptions {
  readonly spool: Pick<Spool, 'saveRetained' | 'loadRetained'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: { readonly retainedMessages: number; readonly retainedBytes: number };
}

/** The newest message published with RETAIN to each topic (clause 5.9), in memory and on disk. */
export class Retained {
  readonly #options: RetainedOptions;
  readonly #values = new Map<string, Publication>();
  #bytes = 0;
  /** Topics whose best-effort value is on its way to the disk; `true` when there is a newer one by now. */
  readonly #saving = new Map<string, boolean>();

  constructor(options: RetainedOptions) {
    this.#options = options;
  }

  /** Takes up what the disk has. Rejects with HSK-22xx. */
  async load(): Promise<void> {
    for (const publication of await this.#options.spool.loadRetained()) this.#set(publication);
  }

  /** Throws HSK-3003 when there is no room for `publication`. */
  check(publication: Publication): void {
    if (publication.content.length === 0 || this.#hasRoom(publication)) return;
    for (const topic of this.#values.keys()) this.get(topic);
    if (this.#hasRoom(publication)) return;
    const { retainedMessages, retainedBytes } = this.#options.limits;
    const text = `more than ${retainedMessages} retained messages or ${retainedBytes} bytes of them (limits.retainedMessages, limits.retainedBytes)`;
    throw new HashikeError('HSK-3003', text, { topic: publication.topic });
  }

  /** Keeps `publication`, which was checked; one without content clears its topic. Where it is reliable, resolves when that is on disk; rejects with HSK-22xx. */
  async keep(publication: Publication): Promise<void> {
    const { topic, content, reliable } = publication;
    if (content.length === 0) this.#delete(topic);
    // The content is a view on all that was received with it, which would be kept alive too.
    else this.#set({ ...publication, content: content.slice() });
    if (reliable) await this.#options.spool.saveRetained(topic, this.#values.get(topic));
    else this.#saveSoon(topic);
  }

  /** What is retained for `topic` and has not expired. */
  get(topic: string): Publication | undefined {
    const value = this.#values.get(topic);
    if (!value || (value.expiresAt ?? Infinity) > this.#options.clock.wall()) return value;
    this.#options.counters.drops('retained', 'expired').add();
    this.#delete(topic);
    this.#saveSoon(topic);
    return undefined;
  }

  /** What is retained for the topics that one of `filters` takes, each once. */
  matching(filters: readonly string[]): readonly Publication[] {
    const topics = filters.some(hasWildcard)
      ? [...this.#values.keys()].filter((topic) => filters.some((filter) => matches(filter, topic)))
      : new Set(filters);
    return [...topics].flatMap((topic) => this.get(topic) ?? []);
  }

  #hasRoom(publication: Publication): boolean {
    const { retainedMessages, retainedBytes } = this.#options.limits;
    const before = this.#values.get(publication.topic);
    const messages = this.#values.size + (before ? 0 : 1);
    const bytes = this.#bytes + sizeOf(publication) - (before ? sizeOf(before) : 0);
    return messages <= retainedMessages && bytes <= retainedBytes;
  }

  #set(publication: Publication): void {
    this.#delete(publication.topic);
    this.#values.set(publication.topic, publication);
    this.#bytes += sizeOf(publication);
  }

  #delete(topic: string): void {
    const before = this.#values.get(topic);
    if (!before) return;
    this.#values.delete(topic);
    this.#bytes -= sizeOf(before);
  }

  /** One write of a topic at a time, which takes the newest value: a fast publisher can't fill the memory. */
  #saveSoon(topic: string): void {
    const saving = this.#saving.has(topic);
    this.#saving.set(topic, saving);
    if (!saving) void this.#save(topic);
  }

  async #save(topic: string): Promise<void> {
    const { spool, counters } = this.#options;
    do {
      this.#saving.set(topic, false);
      try {
        await spool.saveRetained(topic, this.#values.get(topic));
      } catch {
        // The spool has said why in the log; in memory it stays.
        counters.drops('retained', 'not-stored').add();
      }
    } while (this.#saving.get(topic) === true);
    this.#saving.delete(topic);
  }
}

/** Bytes that count for the limit. */
function sizeOf({ topic, content, responseTopic = '', correlation }: Publication): number {
  return topic.length + content.length + responseTopic.length + (correlation?.length ?? 0);
}

/** `publication` as those get it who had subscribed before: RETAIN marks messages of old (clause 5.9.3). */
export function asLive(publication: Publication): Publication {
  return publication.retain ? { ...publication, retain: false } : publication;
}
