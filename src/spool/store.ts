import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

import { HashikeError } from '../base/errors.ts';
import { toFailure } from '../base/failure.ts';
import { spoolError } from './failure.ts';
import type { SessionMark, StoredSession } from './ports.ts';
import { takesRoom, type Amount, type GroupResult, type RecordToStore } from './requests.ts';
import type { Requests, Row, Step } from './requests.ts';
import { openDatabase } from './schema.ts';

type DepthRow = Amount & { readonly consumer: string; readonly number: number; readonly last: number };

/** As SQLite has it: no value is null. */
type StoredSessionRow = Omit<StoredSession, 'place'> & { readonly place: string | null };

const NOTHING: Amount = { messages: 0, bytes: 0 };

/**
 * The files of the spool, used by the worker thread only: every call blocks until the disk has answered.
 * All methods throw HSK-22xx; after a throw of `commit` nothing of its group is kept.
 */
export class Store {
  readonly id: string;
  /** What lay there for each consumer when the store was opened. */
  readonly depths: Requests['open']['answer']['depths'];
  readonly #database: DatabaseSync;
  readonly #directory: string;
  readonly #reserveBytes: number;
  readonly #consumers = new Map<string, number>();
  readonly #statements: Statements;
  #nextSeq: number;

  /** @param options what the request `open` says. */
  constructor(options: Requests['open']['ask']) {
    this.#database = openDatabase(options.path, options.newId);
    this.#directory = dirname(options.path);
    this.#reserveBytes = options.reserveBytes;
    this.#statements = prepare(this.#database);
    const meta = this.#statements.meta.get() as unknown as { id: string; next_seq: number };
    const found = this.#statements.depths.all() as unknown as DepthRow[];
    this.id = meta.id;
    // `next_seq` is written when records are deleted; those appended since are still there.
    this.#nextSeq = Math.max(meta.next_seq, ...found.map(({ last }) => last + 1));
    this.depths = found.map(({ consumer, messages, bytes }) => ({ consumer, messages, bytes }));
    for (const { consumer, number } of found) this.#consumers.set(consumer, number);
  }

  /** Applies `steps` in one transaction that is on disk when this returns. */
  commit({ steps, at }: Requests['commit']['ask']): GroupResult {
    const nextSeq = this.#nextSeq;
    const consumers = this.#consumers.size;
    try {
      const refusal = this.#refusal(steps);
      const kept = refusal ? steps.map((step) => (takesRoom(step) ? undefined : step)) : steps;
      this.#database.exec('BEGIN IMMEDIATE');
      const removed = kept.map((step) => (step ? this.#apply(step, at) : NOTHING));
      if (removed.some(({ messages }) => messages > 0)) this.#statements.saveNextSeq.run(this.#nextSeq);
      this.#database.exec('COMMIT');
      return { removed, refused: refusal && toFailure(refusal) };
    } catch (error) {
      this.#nextSeq = nextSeq;
      for (const name of [...this.#consumers.keys()].slice(consumers)) this.#consumers.delete(name);
      // Some failures of COMMIT have rolled back by themselves.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw spoolError(error, 'write');
    }
  }

  /** Up to `limit` records after `after`, in order. */
  read({ consumer, after, limit, maxBytes }: Requests['read']['ask']): Requests['read']['answer'] {
    const number = this.#consumers.get(consumer);
    if (number === undefined) return { rows: [], more: false };
    try {
      const found: Row[] = [];
      let bytes = 0;
      for (const each of this.#statements.read.iterate(number, after, limit)) {
        const { seq, body } = each as unknown as Row;
        found.push({ seq, body });
        bytes += body.length;
        if (bytes >= maxBytes) break;
      }
      return { rows: found, more: bytes >= maxBytes || found.length === limit };
    } catch (error) {
      throw spoolError(error, 'read');
    }
  }

  /** Deletes the sessions written before `since` and gives the others. */
  sessions({ since }: Requests['sessions']['ask']): Requests['sessions']['answer'] {
    try {
      const purged = Number(this.#statements.purgeSessions.run(since).changes);
      const kept = this.#statements.sessions.all() as unknown as StoredSessionRow[];
      return { purged, sessions: kept.map((each) => ({ ...each, place: each.place ?? undefined })) };
    } catch (error) {
      throw spoolError(error, 'read the sessions');
    }
  }

  /** Every retained record. */
  retained(): Requests['retained']['answer'] {
    try {
      return this.#statements.retained.all() as unknown as Requests['retained']['answer'];
    } catch (error) {
      throw spoolError(error, 'read what is retained');
    }
  }

  /** Proves that the file can be read. */
  probe(): void {
    try {
      this.#statements.meta.get();
    } catch (error) {
      throw spoolError(error, 'read');
    }
  }

  /** Checkpoints and closes the files. */
  close(): void {
    try {
      this.#database.close();
    } catch (error) {
      throw spoolError(error, 'close');
    }
  }

  /**
   * Why what takes room may not be written now. Room is held back for acknowledgements: where the spool itself had filled the disk,
   * nothing could be deleted any more, and it would stay full for ever.
   */
  #refusal(steps: readonly Step[]): HashikeError | undefined {
    if (!steps.some(takesRoom)) return undefined;
    const { bavail, bsize } = statfsSync(this.#directory);
    const free = bavail * bsize;
    if (free >= this.#reserveBytes) return undefined;
    return new HashikeError('HSK-2205', 'the disk of the spool is full but for the reserve', {
      free,
      reserve: this.#reserveBytes,
    });
  }

  #apply(step: Step, at: number): Amount {
    switch (step.kind) {
      case 'append':
        for (const record of step.records) this.#insert(record);
        if (step.mark) this.#mark(step.mark, at);
        return NOTHING;
      case 'acknowledge':
        if (step.sent) this.#statements.markSent.run(step.sent.messageId, at, step.sent.sessionId);
        return this.#removeThrough(step.consumer, step.seq);
      case 'discard':
        return this.#remove(step.consumer, step.seqs);
      case 'retain':
        if (step.body) this.#statements.retain.run(step.topic, step.body);
        else this.#statements.clearRetained.run(step.topic);
        return NOTHING;
      case 'save-session':
        this.#save(step.session);
        return NOTHING;
      case 'forget-session':
        this.#statements.forgetSession.run(step.sessionId);
        return NOTHING;
    }
  }

  #insert({ consumer, body }: RecordToStore): void {
    let number = this.#consumers.get(consumer);
    if (number === undefined) {
      number = (this.#statements.addConsumer.get(consumer) as { number: number }).number;
      this.#consumers.set(consumer, number);
    }
    this.#statements.insert.run(number, this.#nextSeq, body);
    this.#nextSeq += 1;
  }

  /** A session that was forgotten while its last records were on their way has no mark left to set. */
  #mark(mark: SessionMark, at: number): void {
    this.#statements.markReceived.run(mark.received, at, mark.sessionId);
  }

  #removeThrough(consumer: string, seq: number): Amount {
    const number = this.#consumers.get(consumer);
    if (number === undefined) return NOTHING;
    const { messages, bytes } = this.#statements.measureThrough.get(number, seq) as unknown as Amount;
    if (messages > 0) this.#statements.removeThrough.run(number, seq);
    return { messages, bytes };
  }

  #remove(consumer: string, seqs: readonly number[]): Amount {
    const number = this.#consumers.get(consumer);
    if (number === undefined) return NOTHING;
    let messages = 0;
    let bytes = 0;
    for (const seq of seqs) {
      const removed = this.#statements.remove.get(number, seq) as { bytes: number } | undefined;
      if (removed === undefined) continue;
      messages += 1;
      bytes += removed.bytes;
    }
    return { messages, bytes };
  }

  #save(session: StoredSession): void {
    this.#statements.saveSession.run(
      session.sessionId,
      session.clientId,
      session.keyHash,
      session.place ?? null,
      session.received,
      session.sent,
      session.context,
      session.updatedAt,
    );
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: DatabaseSync) {
  const sql = (text: string): StatementSync => database.prepare(text);
  return {
    meta: sql('SELECT id, next_seq FROM meta'),
    saveNextSeq: sql('UPDATE meta SET next_seq = ?'),
    addConsumer: sql('INSERT INTO consumer (name) VALUES (?) RETURNING number'),
    depths: sql(
      `SELECT number, name AS consumer, count(*) AS messages, sum(length(body)) AS bytes, max(seq) AS last
       FROM record JOIN consumer ON number = consumer GROUP BY number`,
    ),
    insert: sql('INSERT INTO record (consumer, seq, body) VALUES (?, ?, ?)'),
    read: sql('SELECT seq, body FROM record WHERE consumer = ? AND seq > ? ORDER BY seq LIMIT ?'),
    measureThrough: sql(
      'SELECT count(*) AS messages, coalesce(sum(length(body)), 0) AS bytes FROM record WHERE consumer = ? AND seq <= ?',
    ),
    removeThrough: sql('DELETE FROM record WHERE consumer = ? AND seq <= ?'),
    remove: sql('DELETE FROM record WHERE consumer = ? AND seq = ? RETURNING length(body) AS bytes'),
    markReceived: sql('UPDATE session SET received = max(received, ?), updated_at = ? WHERE id = ?'),
    markSent: sql('UPDATE session SET sent = ?, updated_at = ? WHERE id = ?'),
    saveSession: sql(
      'INSERT OR REPLACE INTO session (id, client_id, key_hash, place, received, sent, context, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    retain: sql('INSERT OR REPLACE INTO retained (topic, body) VALUES (?, ?)'),
    clearRetained: sql('DELETE FROM retained WHERE topic = ?'),
    retained: sql('SELECT topic, body FROM retained'),
    forgetSession: sql('DELETE FROM session WHERE id = ?'),
    purgeSessions: sql('DELETE FROM session WHERE updated_at < ?'),
    sessions: sql(
      `SELECT id AS sessionId, client_id AS clientId, key_hash AS keyHash, place, received, sent, context,
       updated_at AS updatedAt FROM session ORDER BY updated_at, id`,
    ),
  };
}
