import type { Publication } from '../wire/publication.ts';

/** One publication to be kept for one consumer. */
export interface SpoolAppend {
  readonly consumer: string;
  readonly publication: Publication;
}

/** How far a session has come in receiving; committed together with what it received. */
export interface SessionMark {
  /** 8 bytes. */
  readonly sessionId: Uint8Array;
  /** Last MESSAGE_ID received in order and settled. As a mark it never takes back a higher one. */
  readonly received: number;
}

/** What is kept of a session on disk, so that it survives a crash of the gateway. */
export interface StoredSession extends SessionMark {
  readonly clientId: string;
  /** SHA-256 of the RESUME_KEY. */
  readonly keyHash: Uint8Array;
  /** Where a node's context is tied to a wire: the link's `place`. */
  readonly place?: string | undefined;
  /** Last MESSAGE_ID of ours that the client acknowledged. */
  readonly sent: number;
  /** Aliases and subscriptions as the session layer encodes them; empty for sessions that live in memory only. */
  readonly context: Uint8Array;
  /** Epoch ms when it was last written. */
  readonly updatedAt: number;
}

/** A publication as it lies on disk for one consumer. */
export interface StoredPublication {
  /** Grows by one per stored record over the life of the spool, never used twice. */
  readonly seq: number;
  readonly publication: Publication;
}

/** What lies on disk for one consumer, in order of arrival. */
export interface SpoolConsumer {
  readonly name: string;
  /** What waits, from counters kept in memory. */
  readonly depth: { readonly messages: number; readonly bytes: number };
  /** Bytes from which on reliable appends for it wait. */
  readonly maxBytes: number;
  /**
   * Up to `limit` records with a seq greater than `after`, in order, and no more than about 1 MiB at once. None means that there
   * are none; fewer than `limit` does not. Expired and undecodable records are skipped, deleted and counted.
   */
  read(after: number, limit: number): Promise<readonly StoredPublication[]>;
  /**
   * Deletes everything up to and including `seq`. Resolves once committed.
   * @param sent what the session that consumed it acknowledged last, committed in the same transaction.
   */
  acknowledge(
    seq: number,
    sent?: { readonly sessionId: Uint8Array; readonly messageId: number },
  ): Promise<void>;
  /** Deletes these records alone; those that are gone are no error. Resolves once committed with the number that was there. */
  discard(seqs: readonly number[]): Promise<number>;
  /** Calls `action` after each commit that added records for this consumer; returns a function that stops it. */
  onAppended(action: () => void): () => void;
}

/** What waits for one consumer. */
export interface SpoolDepth {
  readonly consumer: string;
  readonly messages: number;
  readonly bytes: number;
}

/** Custody: what was acknowledged is on disk. */
export interface Spool {
  /** 16 hex digits, made once for the life of the files: part of the identifier of what has no MESSAGE_ID. */
  readonly id: string;
  /**
   * Keeps `records` and `mark` in one transaction and resolves when it is on disk (fsynced). While a consumer is over its
   * quota, reliable records wait for room (so the promise waits) and best-effort ones are dropped and counted; a batch of
   * only best-effort records resolves once queued and may be committed up to a second later.
   * Rejects with HSK-22xx when the disk fails: then nothing was kept, and every append asked for before that was known rejects too,
   * so that nothing is kept after a message that was not. Appends with a mark of the same session never overtake each
   * other; the mark of a session that is not kept (any more) is ignored.
   */
  append(records: readonly SpoolAppend[], mark?: SessionMark): Promise<void>;
  /** Whether reliable appends for `consumer` would have to wait. */
  isFull(consumer: string): boolean;
  /** The queue of that consumer, made on first use. Consumers that were never asked for since the start keep their records. */
  consumer(name: string): SpoolConsumer;
  /** Every consumer that has records or was asked for, also those that nobody serves any more. */
  depths(): readonly SpoolDepth[];
  /** Writes a session anew (all fields). Resolves once committed. */
  saveSession(session: StoredSession): Promise<void>;
  /** Forgets a session. Resolves once committed. */
  forgetSession(sessionId: Uint8Array): Promise<void>;
  /** Every session kept. Called once at start; sessions older than the setting are gone by then. */
  loadSessions(): Promise<readonly StoredSession[]>;
  /**
   * Keeps `publication` as the retained one of `topic`, or deletes that. Resolves once committed, for a best-effort one up to a second later; rejects as
   * `append` does. The last call for a topic wins.
   */
  saveRetained(topic: string, publication: Publication | undefined): Promise<void>;
  /** Every retained publication. Called once at start; those that cannot be decoded are deleted, counted and left out. */
  loadRetained(): Promise<readonly Publication[]>;
  /** Proves that the disk answers: resolves after one round through the worker. */
  probe(): Promise<void>;
  /** Commits what is queued and closes the files. */
  close(): Promise<void>;
}
