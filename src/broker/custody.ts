import type { Spool, StoredSession } from '../spool/ports.ts';

/** The session, as far as its custody needs it. */
export interface KeptSession {
  readonly services: { readonly spool: Pick<Spool, 'append' | 'saveSession'> };
  /** SESSION_ID. */
  readonly sessionId: Uint8Array;
  /** The whole session is kept from its beginning, not only the mark of a session that published. */
  readonly durable: boolean;
  /** Its record as it is now; `received` is what is settled without a gap. */
  record(): StoredSession;
  /** Something could not be written. */
  storeFailed(error: unknown): void;
  /** One of those that were on their way is done. */
  custodyPassed(): void;
  /** Nothing is on its way any more. */
  custodyDecided(): void;
}

/**
 * What of one session is on its way to the disk, and the session's own record there. The record is written only while nothing else is on its way: it
 * says what is settled, and must neither take back a mark that was committed with a message nor run ahead of one that waits.
 */
export class Custody {
  readonly #session: KeptSession;
  #open = 0;
  #saved: boolean;
  #wanted = false;
  #doubtful = false;
  #forgotten = false;

  constructor(session: KeptSession) {
    this.#session = session;
    this.#saved = session.durable;
  }

  /** Whether something is on its way. */
  get busy(): boolean {
    return this.#open > 0;
  }

  /** Whether there is a record on disk. */
  get saved(): boolean {
    return this.#saved;
  }

  /** Counts `work` as on its way until it is done. Never rejects: `work` sees to its errors. */
  async track(work: () => Promise<void>): Promise<void> {
    this.#open += 1;
    try {
      await work();
    } catch (error) {
      this.#session.storeFailed(error);
    } finally {
      this.#open -= 1;
      this.#session.custodyPassed();
      if (!this.busy && this.#wanted) void this.track(() => this.save());
      if (!this.busy) this.#session.custodyDecided();
    }
  }

  /** Writes the record as it is now. Rejects with HSK-22xx. */
  async save(): Promise<void> {
    this.#wanted = false;
    this.#saved = true;
    if (!this.#forgotten) await this.#session.services.spool.saveSession(this.#session.record());
  }

  /**
   * Commits alone how far the session has come, where nothing that it published commits it. What is kept on disk of a durable session must not lag behind its ACKs: after a crash it
   * would claim less than it had acknowledged (clause 6.5.6). Rejects with HSK-22xx.
   */
  async mark(received: number): Promise<void> {
    const { services, sessionId } = this.#session;
    await services.spool.append([], { sessionId, received });
  }

  /** Sees to it that there is a record before the first mark is committed (clause 5.2.3). The spool keeps the order. */
  saveOnce(): void {
    if (!this.#saved) this.save().catch((error: unknown) => this.#session.storeFailed(error));
  }

  /** Writes the record as soon as nothing is on its way. */
  saveSoon(): void {
    if (this.busy) this.#wanted = true;
    else void this.track(() => this.save());
  }

  /** Something was not kept, while what came after it may be: the mark on disk must go back to before it. */
  doubt(): void {
    if (this.#doubtful) return;
    this.#doubtful = true;
    if (this.#saved) this.saveSoon();
  }

  /** The record is gone for good. */
  forget(): void {
    this.#forgotten = true;
  }
}
