import type { Publication } from '../wire/publication.ts';

/** A publication that may yet have to be made of what was received. */
export interface Value {
  readonly publication: Publication;
}

/** The newest publication of each topic, for as many topics as the limit says: those published to last. */
export class LastValues {
  readonly #limit: number;
  /** Oldest publication first. */
  readonly #values = new Map<string, Value>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The value of a topic that is published to now, to be renewed. */
  renew(topic: string): Value | undefined {
    const value = this.#values.get(topic);
    if (!value) return undefined;
    this.#values.delete(topic);
    this.#values.set(topic, value);
    return value;
  }

  /** @param value must not keep alive more than its own bytes */
  set(topic: string, value: Value): void {
    this.#values.delete(topic);
    this.#values.set(topic, value);
    if (this.#values.size <= this.#limit) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  /** @param wall milliseconds since the epoch: what expired by then is gone. */
  get(topic: string, wall: number): Publication | undefined {
    const publication = this.#values.get(topic)?.publication;
    return publication && (publication.expiresAt ?? Infinity) > wall ? publication : undefined;
  }
}
