import { hex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Publication } from '../wire/publication.ts';
import { Appender } from './appender.ts';
import { prepareDirectory } from './directory.ts';
import { GroupCommit } from './group-commit.ts';
import type { SessionMark, Spool, SpoolAppend, SpoolConsumer, SpoolDepth, StoredSession } from './ports.ts';
import { Queue } from './queue.ts';
import { decodeRecord } from './record-codec.ts';
import type { Requests, Step } from './requests.ts';
import { SpoolStatistics } from './spool-statistics.ts';
import { WorkerLink } from './worker-link.ts';

export interface SpoolLimits {
  /** Bytes of encoded records per consumer from which on reliable appends wait; best-effort ones are dropped from half of it on. */
  readonly maxBytesPerConsumer: number;
  /** Bytes that wait in memory from which on appends are refused; from half of it on every consumer says that it is full. */
  readonly maxBytesWaiting: number;
  /**
   * Free bytes of the disk below which nothing is appended, so that acknowledgements can still be written and make room. They need
   * up to 8 MiB (log and checkpoint), and as much as `maxBytesWaiting` where groups are that large.
   */
  readonly reserveBytes: number;
}

/** Limits that suit a small gateway. */
export const defaultSpoolLimits: SpoolLimits = {
  maxBytesPerConsumer: 256 * 1024 * 1024,
  maxBytesWaiting: 16 * 1024 * 1024,
  reserveBytes: 32 * 1024 * 1024,
};

export interface SpoolOptions {
  /** The spool's own directory; made (0700) where it is missing. */
  readonly directory: string;
  readonly limits: SpoolLimits;
  /** Sessions that were not written for longer are forgotten at `loadSessions`. */
  readonly sessionKeepMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

/** How long best-effort records may wait for a commit that is made for others. */
const BEST_EFFORT_DELAY_MS = 500;

/**
 * Opens the spool in `options.directory` and locks it against every other gateway until `close` or the end of the process.
 * Throws HSK-2201 (cannot be opened), HSK-2202 (in use), HSK-2203 (newer), HSK-2204 (damaged), HSK-2205 (disk full) or
 * HSK-2206 (disk failed); what was there is then left as it is.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const path = prepareDirectory(options.directory, options.log);
  const link = new WorkerLink();
  try {
    const { reserveBytes } = options.limits;
    const newId = hex(options.random.bytes(8));
    return new DiskSpool(options, path, link, await link.ask('open', { path, newId, reserveBytes }));
  } catch (error) {
    await link.stop();
    throw error;
  }
}

class DiskSpool implements Spool {
  readonly id: string;
  readonly #options: SpoolOptions;
  readonly #link: WorkerLink;
  readonly #statistics: SpoolStatistics;
  readonly #commits: GroupCommit;
  readonly #appender: Appender;
  readonly #queues = new Map<string, Queue>();
  #failing = false;
  #closing: Promise<void> | undefined;

  constructor(options: SpoolOptions, path: string, link: WorkerLink, opened: Requests['open']['answer']) {
    this.id = opened.id;
    this.#options = options;
    this.#link = link;
    this.#commits = new GroupCommit({
      clock: options.clock,
      delayMs: BEST_EFFORT_DELAY_MS,
      commit: (steps) => link.ask('commit', { steps, at: options.clock.wall() }),
      settled: (group) => {
        this.#statistics.settled(group);
        this.#report(group.error);
        this.#appender.afterGroup(group.error);
      },
    });
    this.#appender = new Appender({
      maxBytesWaiting: options.limits.maxBytesWaiting,
      queue: (name) => this.#queue(name),
      commits: this.#commits,
      drop: (reason, count) => this.#statistics.dropped(reason, count),
    });
    this.#statistics = new SpoolStatistics(options.counters, path, () => this.#appender.bytesWaiting);
    for (const { consumer, messages, bytes } of opened.depths) this.#queue(consumer).add({ messages, bytes });
  }

  async append(records: readonly SpoolAppend[], mark?: SessionMark): Promise<void> {
    this.#ensureOpen();
    await this.#appender.append(records, mark);
  }

  isFull(consumer: string): boolean {
    return this.#appender.isFull(consumer);
  }

  consumer(name: string): SpoolConsumer {
    return this.#queue(name);
  }

  depths(): readonly SpoolDepth[] {
    return [...this.#queues.values()].map(({ name, depth }) => ({ consumer: name, ...depth }));
  }

  async saveSession(session: StoredSession): Promise<void> {
    // Field by field: only what is kept crosses to the worker, and no view drags the whole of its buffer along.
    const { clientId, place, received, sent, updatedAt } = session;
    await this.#write({
      kind: 'save-session',
      session: {
        sessionId: new Uint8Array(session.sessionId),
        clientId,
        keyHash: new Uint8Array(session.keyHash),
        place,
        received,
        sent,
        context: new Uint8Array(session.context),
        updatedAt,
      },
    });
  }

  async forgetSession(sessionId: Uint8Array): Promise<void> {
    await this.#write({ kind: 'forget-session', sessionId: new Uint8Array(sessionId) });
  }

  async loadSessions(): Promise<readonly StoredSession[]> {
    this.#ensureOpen();
    const since = this.#options.clock.wall() - this.#options.sessionKeepMs;
    const { sessions, purged } = await this.#link.ask('sessions', { since });
    this.#statistics.dropped('session-too-old', purged);
    return sessions;
  }

  async saveRetained(topic: string, publication: Publication | undefined): Promise<void> {
    this.#ensureOpen();
    await this.#appender.retain(topic, publication);
  }

  async loadRetained(): Promise<readonly Publication[]> {
    this.#ensureOpen();
    const publications: Publication[] = [];
    for (const { topic, body } of await this.#link.ask('retained', null)) {
      try {
        publications.push(decodeRecord(body));
      } catch (error) {
        const fields = { topic, error: describeError(error) };
        this.#options.log.error(fields, 'a retained record is lost: it cannot be decoded');
        this.#statistics.dropped('undecodable', 1);
        await this.saveRetained(topic, undefined);
      }
    }
    return publications;
  }

  async probe(): Promise<void> {
    this.#ensureOpen();
    await this.#link.ask('probe', null);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#appender.abandon(
      new HashikeError('HSK-2208', 'the spool was closed while an append waited for room'),
    );
    try {
      await this.#commits.flush();
      await this.#link.ask('close', null);
    } finally {
      this.#statistics.remove();
      await this.#link.stop();
    }
  }

  #ensureOpen(): void {
    if (this.#closing) throw new HashikeError('HSK-2208', 'the spool is closed');
  }

  async #write(step: Step): Promise<void> {
    this.#ensureOpen();
    await new Promise<void>((resolve, reject) => {
      this.#commits.add({ step, urgent: true, committed: () => resolve(), failed: reject });
    });
  }

  #queue(name: string): Queue {
    const found = this.#queues.get(name);
    if (found) return found;
    const queue = new Queue({
      name,
      maxBytes: this.#options.limits.maxBytesPerConsumer,
      commits: this.#commits,
      fetch: (ask) => this.#link.ask('read', ask),
      ensureOpen: () => this.#ensureOpen(),
      clock: this.#options.clock,
      drop: (reason, count) => this.#statistics.dropped(reason, count),
      log: this.#options.log,
    });
    this.#queues.set(name, queue);
    return queue;
  }

  /** Says once that the disk fails, and once that it works again: a full disk would fill the log too. */
  #report(error: HashikeError | undefined): void {
    const { log } = this.#options;
    if (error && !this.#failing) {
      log.error({ code: error.code, ...error.context, cure: error.cure }, error.message);
    } else if (!error && this.#failing) {
      log.info({}, 'the spool can be written again');
    }
    this.#failing = error !== undefined;
  }
}
