import { hex } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import type { Publication } from '../wire/publication.ts';
import type { GroupCommit } from './group-commit.ts';
import type { SessionMark, SpoolAppend } from './ports.ts';
import type { Queue } from './queue.ts';
import { encodeRecord } from './record-codec.ts';
import type { RecordToStore } from './requests.ts';
import type { DropReason } from './spool-statistics.ts';
import { WaitingLine, type Waiter } from './waiting-line.ts';

export interface AppenderOptions {
  /** Bytes in memory from which on appends are refused; from half of it on every consumer counts as full. */
  readonly maxBytesWaiting: number;
  readonly queue: (consumer: string) => Queue;
  readonly commits: Pick<GroupCommit, 'add'>;
  readonly drop: (reason: DropReason, records: number) => void;
}

/** What an append costs in memory beside its records. */
const OVERHEAD_BYTES = 256;

interface Append extends Waiter {
  readonly records: readonly EncodedRecord[];
  readonly mark: SessionMark | undefined;
  readonly bytes: number;
  resolve(): void;
  reject(error: HashikeError): void;
}

interface EncodedRecord extends RecordToStore {
  readonly reliable: boolean;
}

/** Lets appends through to the disk as the quotas allow: reliable ones wait for room, best-effort ones are dropped and counted. */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #line: WaitingLine<Append>;
  /** Queues that were added to and whose listeners do not know yet. */
  readonly #grown = new Set<Queue>();
  #bytesWaiting = 0;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#line = new WaitingLine((consumer) => !options.queue(consumer).full);
  }

  /** Bytes that wait in memory, for room or for the disk. */
  get bytesWaiting(): number {
    return this.#bytesWaiting;
  }

  isFull(consumer: string): boolean {
    return this.#bytesWaiting >= this.#options.maxBytesWaiting / 2 || this.#options.queue(consumer).full;
  }

  /** See `Spool.append`. Throws HSK-2207 when too much waits, HSK-1105 when a publication cannot be encoded. */
  async append(records: readonly SpoolAppend[], mark: SessionMark | undefined): Promise<void> {
    if (records.length === 0 && mark === undefined) return;
    const encoded = encodeAll(records);
    const bytes = encoded.reduce((sum, { body }) => sum + body.length, OVERHEAD_BYTES);
    // Whatever its size: a small one must not pass where the large one before it, of the same session, was refused.
    const crowded = this.#bytesWaiting >= this.#options.maxBytesWaiting;
    if (mark === undefined && encoded.every(({ reliable }) => !reliable)) {
      if (crowded) this.#options.drop('memory-full', encoded.length);
      else this.#appendBestEffort(encoded, bytes);
      return;
    }
    if (crowded) {
      throw new HashikeError('HSK-2207', 'too much waits for the spool', { waiting: this.#bytesWaiting });
    }
    await this.#appendReliable(encoded, mark, bytes);
  }

  /** See `Spool.saveRetained`. Throws as `append` does. */
  async retain(topic: string, publication: Publication | undefined): Promise<void> {
    const body = publication && encodeRecord(publication);
    const bytes = OVERHEAD_BYTES + (body?.length ?? 0);
    if (this.#bytesWaiting >= this.#options.maxBytesWaiting) {
      throw new HashikeError('HSK-2207', 'too much waits for the spool', { waiting: this.#bytesWaiting });
    }
    this.#bytesWaiting += bytes;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#options.commits.add({
          step: { kind: 'retain', topic, body },
          urgent: publication?.reliable ?? true,
          committed: () => resolve(),
          failed: reject,
        });
      });
    } finally {
      this.#bytesWaiting -= bytes;
    }
  }

  /**
   * To be called after each group: lets those pass for whom there is room now, and tells consumers what is new. When the group failed,
   * those in the line fail too: see `GroupCommit`.
   */
  afterGroup(error: HashikeError | undefined): void {
    if (error) this.abandon(error);
    else this.#line.release((append) => this.#store(append));
    const grown = [...this.#grown];
    this.#grown.clear();
    for (const queue of grown) queue.notify();
  }

  /** Rejects those who wait for room. */
  abandon(error: HashikeError): void {
    for (const append of this.#line.clear()) {
      this.#bytesWaiting -= append.bytes;
      append.reject(error);
    }
  }

  #appendBestEffort(records: readonly EncodedRecord[], bytes: number): void {
    this.#bytesWaiting += bytes;
    this.#store({
      records,
      mark: undefined,
      bytes,
      needs: new Set(),
      order: undefined,
      resolve: () => undefined,
      reject: () => undefined,
    });
  }

  #appendReliable(
    records: readonly EncodedRecord[],
    mark: SessionMark | undefined,
    bytes: number,
  ): Promise<void> {
    const needs = new Set(records.filter(({ reliable }) => reliable).map(({ consumer }) => consumer));
    return new Promise((resolve, reject) => {
      const copy = mark && { sessionId: new Uint8Array(mark.sessionId), received: mark.received };
      const order = mark && hex(mark.sessionId);
      const append: Append = { records, mark: copy, bytes, needs, order, resolve, reject };
      this.#bytesWaiting += bytes;
      if (this.#line.enter(append)) this.#store(append);
    });
  }

  /** Hands one append to the next group. */
  #store(append: Append): void {
    const records = append.records.filter(
      ({ reliable, consumer }) => reliable || this.#options.queue(consumer).takesBestEffort,
    );
    const unwanted = append.records.length - records.length;
    if (unwanted > 0) this.#options.drop('over-quota', unwanted);
    for (const { consumer, body } of records) this.#options.queue(consumer).expect(body.length);
    this.#options.commits.add({
      step: {
        kind: 'append',
        records: records.map(({ consumer, body }) => ({ consumer, body })),
        mark: append.mark,
      },
      urgent: append.mark !== undefined || append.needs.size > 0,
      committed: () => {
        this.#bytesWaiting -= append.bytes;
        for (const { consumer, body } of records) {
          const queue = this.#options.queue(consumer);
          queue.arrived(body.length);
          this.#grown.add(queue);
        }
        append.resolve();
      },
      failed: (error) => {
        this.#bytesWaiting -= append.bytes;
        for (const { consumer, body } of records) this.#options.queue(consumer).lost(body.length);
        const lost = records.filter(({ reliable }) => !reliable).length;
        if (lost > 0) this.#options.drop('disk-failed', lost);
        append.reject(error);
      },
    });
  }
}

/** The same publication goes to several consumers: it is encoded once. */
function encodeAll(records: readonly SpoolAppend[]): readonly EncodedRecord[] {
  const bodies = new Map<Publication, Uint8Array>();
  return records.map(({ consumer, publication }) => {
    const body = bodies.get(publication) ?? encodeRecord(publication);
    bodies.set(publication, body);
    return { consumer, body, reliable: publication.reliable };
  });
}
