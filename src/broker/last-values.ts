import type { Publication } from '../wire/publication.ts';

/** A publication that may yet have to be made of what was received. */
export interface Value {
  readonly publication: Publication;
}

/** One topic in the order in which they were published to. */
interface Entry {
  readonly topic: string;
  value: Value;
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** The newest publication of each topic, for as many topics as the limit says: those published to last. */
export class LastValues {
  readonly #limit: number;
  readonly #entries = new Map<string, Entry>();
  // The order is kept beside the map: its own is slow to find the oldest in once many were deleted.
  #oldest: Entry | undefined;
  #newest: Entry | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The value of a topic that is published to now, to be renewed. */
  renew(topic: string): Value | undefined {
    const entry = this.#entries.get(topic);
    if (!entry) return undefined;
    this.#unlink(entry);
    this.#append(entry);
    return entry.value;
  }

  /** @param value must not keep alive more than its own bytes */
  set(topic: string, value: Value): void {
    const entry = this.#entries.get(topic);
    if (entry) {
      entry.value = value;
      this.renew(topic);
      return;
    }
    const added: Entry = { topic, value, older: undefined, newer: undefined };
    this.#entries.set(topic, added);
    this.#append(added);
    const oldest = this.#oldest;
    if (this.#entries.size <= this.#limit || !oldest) return;
    this.#entries.delete(oldest.topic);
    this.#unlink(oldest);
  }

  /** @param wall milliseconds since the epoch: what expired by then is gone. */
  get(topic: string, wall: number): Publication | undefined {
    const publication = this.#entries.get(topic)?.value.publication;
    return publication && (publication.expiresAt ?? Infinity) > wall ? publication : undefined;
  }

  #append(entry: Entry): void {
    entry.older = this.#newest;
    entry.newer = undefined;
    if (this.#newest) this.#newest.newer = entry;
    else this.#oldest = entry;
    this.#newest = entry;
  }

  #unlink({ older, newer }: Entry): void {
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
  }
}
