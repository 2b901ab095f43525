import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { GroupCommit } from './group-commit.ts';
import type { SpoolConsumer, StoredPublication } from './ports.ts';
import { decodeRecord } from './record-codec.ts';
import type { Amount, Requests, Row } from './requests.ts';
import type { DropReason } from './spool-statistics.ts';

/** What one round of reading brings at most, beyond its first record. */
const READ_BYTES = 1024 * 1024;

export interface QueueOptions {
  readonly name: string;
  /** Bytes from which on it is full. */
  readonly maxBytes: number;
  readonly commits: Pick<GroupCommit, 'add'>;
  readonly fetch: (ask: Requests['read']['ask']) => Promise<Requests['read']['answer']>;
  readonly ensureOpen: () => void;
  readonly clock: Clock;
  readonly drop: (reason: DropReason, records: number) => void;
  readonly log: Log;
}

/** The records of one consumer, and the count of them that is kept in memory. */
export class Queue implements SpoolConsumer {
  readonly name: string;
  readonly #options: QueueOptions;
  readonly #listeners = new Set<() => void>();
  #messages = 0;
  #bytes = 0;
  /** Bytes on their way to the disk. */
  #coming = 0;

  constructor(options: QueueOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  get depth(): Amount {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** Whether reliable records must wait. One append may go over the quota, so that one that is larger than it passes too. */
  get full(): boolean {
    return this.#bytes + this.#coming >= this.#options.maxBytes;
  }

  /** Best-effort records fill half of the quota at most: the other half is always there for reliable ones. */
  get takesBestEffort(): boolean {
    return this.#bytes + this.#coming < this.#options.maxBytes / 2;
  }

  /** A record of so many bytes is on its way to the disk; `arrived` or `lost` follows. */
  expect(bytes: number): void {
    this.#coming += bytes;
  }

  arrived(bytes: number): void {
    this.#coming -= bytes;
    this.add({ messages: 1, bytes });
  }

  lost(bytes: number): void {
    this.#coming -= bytes;
  }

  /** Counts what lies on disk. */
  add(amount: Amount): void {
    this.#messages += amount.messages;
    this.#bytes += amount.bytes;
  }

  async read(after: number, limit: number): Promise<readonly StoredPublication[]> {
    let from = after;
    for (;;) {
      this.#options.ensureOpen();
      const ask = { consumer: this.name, after: from, limit, maxBytes: READ_BYTES };
      const { rows, more } = await this.#options.fetch(ask);
      const records = this.#wanted(rows);
      const last = rows.at(-1);
      if (records.length > 0 || !more || !last) return records;
      from = last.seq;
    }
  }

  async acknowledge(
    seq: number,
    sent?: { readonly sessionId: Uint8Array; readonly messageId: number },
  ): Promise<void> {
    this.#options.ensureOpen();
    const mark = sent && { sessionId: new Uint8Array(sent.sessionId), messageId: sent.messageId };
    await new Promise<void>((resolve, reject) => {
      this.#options.commits.add({
        step: { kind: 'acknowledge', consumer: this.name, seq, sent: mark },
        urgent: true,
        committed: (removed) => {
          this.#remove(removed);
          resolve();
        },
        failed: reject,
      });
    });
  }

  async discard(seqs: readonly number[]): Promise<number> {
    this.#options.ensureOpen();
    return new Promise<number>((resolve, reject) => {
      this.#options.commits.add({
        step: { kind: 'discard', consumer: this.name, seqs },
        urgent: true,
        committed: (removed) => {
          this.#remove(removed);
          resolve(removed.messages);
        },
        failed: reject,
      });
    });
  }

  onAppended(action: () => void): () => void {
    // Wrapped, so that the same function given twice is called twice and each is removed alone.
    const listener = (): void => action();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells everybody who asked that records were added. */
  notify(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        const fields = { consumer: this.name, error: describeError(error) };
        this.#options.log.error(fields, 'a listener of the spool threw');
      }
    }
  }

  /** The publications of `rows` that somebody still wants. The others are deleted, and counted once that is on disk. */
  #wanted(rows: readonly Row[]): readonly StoredPublication[] {
    const now = this.#options.clock.wall();
    const wanted: StoredPublication[] = [];
    const expired: number[] = [];
    const undecodable: number[] = [];
    for (const { seq, body } of rows) {
      try {
        const publication = decodeRecord(body);
        if (publication.expiresAt !== undefined && publication.expiresAt <= now) expired.push(seq);
        else wanted.push({ seq, publication });
      } catch (error) {
        const fields = { consumer: this.name, seq, error: describeError(error) };
        this.#options.log.error(fields, 'a stored record is lost: it cannot be decoded');
        undecodable.push(seq);
      }
    }
    this.#drop(expired, 'expired');
    this.#drop(undecodable, 'undecodable');
    return wanted;
  }

  #drop(seqs: readonly number[], reason: DropReason): void {
    if (seqs.length === 0) return;
    this.#options.commits.add({
      step: { kind: 'discard', consumer: this.name, seqs },
      urgent: false,
      committed: (removed) => {
        this.#remove(removed);
        this.#options.drop(reason, removed.messages);
      },
      // They are still there, and the next round of reading comes across them again.
      failed: () => undefined,
    });
  }

  #remove(removed: Amount): void {
    this.#messages -= removed.messages;
    this.#bytes -= removed.bytes;
  }
}
