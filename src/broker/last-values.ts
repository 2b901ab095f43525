import type { Publication } from '../wire/publication.ts';

/** The newest publication of each topic, for as many topics as the limit says: those published to last. */
export class LastValues {
  readonly #limit: number;
  /** Oldest publication first. */
  readonly #values = new Map<string, Publication>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  set(publication: Publication): void {
    const { topic, content } = publication;
    this.#values.delete(topic);
    // The content is a view on all that was received with it, which would be kept alive too.
    this.#values.set(topic, { ...publication, content: content.slice() });
    if (this.#values.size <= this.#limit) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  /** @param wall milliseconds since the epoch: what expired by then is gone. */
  get(topic: string, wall: number): Publication | undefined {
    const value = this.#values.get(topic);
    return value && (value.expiresAt ?? Infinity) > wall ? value : undefined;
  }
}
