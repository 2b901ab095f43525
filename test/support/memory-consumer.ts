import type { SpoolConsumer, StoredPublication } from '../../src/spool/ports.ts';
import type { Publication } from '../../src/wire/publication.ts';

/** A consumer of the spool without a disk, for tests that own the clock. */
export class MemoryConsumer implements SpoolConsumer {
  readonly name = 'memory';
  /** Set to have the disk fail. */
  failure: Error | undefined;
  /** Replaced to have reading take time. */
  beforeRead = (): Promise<void> => Promise.resolve();
  beforeDiscard = (): Promise<void> => Promise.resolve();
  maxBytes = Number.POSITIVE_INFINITY;
  #records: StoredPublication[] = [];
  #seq = 0;
  readonly #listeners = new Set<() => void>();

  get depth(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#records.length, bytes: this.#records.length * 100 };
  }

  get seqs(): readonly number[] {
    return this.#records.map(({ seq }) => seq);
  }

  append(...publications: readonly Publication[]): void {
    for (const publication of publications) {
      this.#seq += 1;
      this.#records.push({ seq: this.#seq, publication });
    }
    for (const listener of this.#listeners) listener();
  }

  async read(after: number, limit: number): Promise<readonly StoredPublication[]> {
    await this.beforeRead();
    if (this.failure) throw this.failure;
    return this.#records.filter(({ seq }) => seq > after).slice(0, limit);
  }

  async acknowledge(upTo: number): Promise<void> {
    await Promise.resolve();
    if (this.failure) throw this.failure;
    this.#records = this.#records.filter(({ seq }) => seq > upTo);
  }

  async discard(seqs: readonly number[]): Promise<number> {
    await this.beforeDiscard();
    if (this.failure) throw this.failure;
    const before = this.#records.length;
    this.#records = this.#records.filter(({ seq }) => !seqs.includes(seq));
    return before - this.#records.length;
  }

  onAppended(action: () => void): () => void {
    this.#listeners.add(action);
    return () => this.#listeners.delete(action);
  }
}
