import type {
  SessionMark,
  Spool,
  SpoolAppend,
  SpoolConsumer,
  SpoolDepth,
  StoredPublication,
  StoredSession,
} from '../../src/spool/ports.ts';
import type { Publication } from '../../src/wire/publication.ts';
import { hex } from '../../src/base/bytes.ts';

interface Step {
  readonly apply: () => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A spool without a disk: what is committed stays in the object, so that a gateway can be "restarted" on it. Steps are committed in order, at once or, while `held`,
 * when the test says so.
 */
export class MemorySpool implements Spool {
  readonly id = '0123456789abcdef';
  held = false;
  /** Set to have the disk fail. */
  failure: Error | undefined;
  readonly full = new Set<string>();
  readonly sessions = new Map<string, StoredSession>();
  readonly retained = new Map<string, Publication>();
  #records: (StoredPublication & { readonly consumer: string })[] = [];
  #seq = 0;
  #waiting: Step[] = [];
  readonly #listeners = new Map<string, Set<() => void>>();

  /** What lies there for `consumer`. */
  kept(consumer: string): readonly StoredPublication[] {
    return this.#records.filter((record) => record.consumer === consumer);
  }

  /** Steps that wait to be committed. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Commits what waits. */
  commit(): void {
    this.take()();
  }

  /** Takes what waits as one group; the result writes it. */
  take(): () => void {
    const group = this.#waiting.splice(0);
    return () => {
      for (const { apply, resolve, reject } of group) {
        if (this.failure) reject(this.failure);
        else {
          apply();
          resolve();
        }
      }
    };
  }

  /** The process dies: what was not committed is lost, and nobody listens any more. */
  crash(): void {
    this.#waiting = [];
    this.#listeners.clear();
  }

  append(records: readonly SpoolAppend[], mark?: SessionMark): Promise<void> {
    return this.#step(() => {
      for (const { consumer, publication } of records) {
        this.#seq += 1;
        this.#records.push({ consumer, seq: this.#seq, publication });
      }
      const session = mark && this.sessions.get(hex(mark.sessionId));
      if (session) {
        const received = Math.max(session.received, mark.received);
        this.sessions.set(hex(session.sessionId), { ...session, received });
      }
      for (const { consumer } of records)
        for (const listener of this.#listeners.get(consumer) ?? []) listener();
    });
  }

  isFull(consumer: string): boolean {
    return this.full.has(consumer);
  }

  consumer(name: string): SpoolConsumer {
    const kept = (): readonly StoredPublication[] => this.kept(name);
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    return {
      name,
      get depth() {
        return { messages: kept().length, bytes: kept().length * 100 };
      },
      read: async (after, limit) => {
        await Promise.resolve();
        return kept()
          .filter(({ seq }) => seq > after)
          .slice(0, limit);
      },
      acknowledge: (upTo, sent) =>
        this.#step(() => {
          this.#records = this.#records.filter(({ consumer, seq }) => consumer !== name || seq > upTo);
          const session = sent && this.sessions.get(hex(sent.sessionId));
          if (session) this.sessions.set(hex(session.sessionId), { ...session, sent: sent.messageId });
        }),
      maxBytes: Number.POSITIVE_INFINITY,
      discard: (seqs) => {
        const gone = (record: StoredPublication & { readonly consumer: string }): boolean =>
          record.consumer === name && seqs.includes(record.seq);
        const removed = this.#records.filter(gone).length;
        return this.#step(() => {
          this.#records = this.#records.filter((record) => !gone(record));
        }).then(() => removed);
      },
      onAppended: (action) => {
        listeners.add(action);
        return () => listeners.delete(action);
      },
    };
  }

  depths(): readonly SpoolDepth[] {
    return [];
  }

  saveSession(session: StoredSession): Promise<void> {
    return this.#step(() => this.sessions.set(hex(session.sessionId), session));
  }

  forgetSession(sessionId: Uint8Array): Promise<void> {
    return this.#step(() => this.sessions.delete(hex(sessionId)));
  }

  loadSessions(): Promise<readonly StoredSession[]> {
    return Promise.resolve([...this.sessions.values()]);
  }

  saveRetained(topic: string, publication: Publication | undefined): Promise<void> {
    return this.#step(() => {
      if (publication) this.retained.set(topic, publication);
      else this.retained.delete(topic);
    });
  }

  loadRetained(): Promise<readonly Publication[]> {
    return Promise.resolve([...this.retained.values()]);
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #step(apply: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ apply, resolve, reject });
      if (!this.held) queueMicrotask(() => this.held || this.commit());
    });
  }
}
