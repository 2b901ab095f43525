import type { Clock, Timer } from '../base/clock.ts';
import type { SpoolConsumer } from '../spool/ports.ts';
import type { Origin } from '../wire/publication.ts';

/** What settles or is taken within this time is told by one CONFIRMED. */
const GATHER_MS = 20;

/** How far one upstream has come with what one session published. */
interface Progress {
  /** Last MESSAGE_ID that it was given. */
  wanted: number;
  /** Records of that which it has not taken. */
  left: number;
  /** Up to here it has taken everything that it was given. */
  taken: number;
}

export interface ConfirmingOptions {
  readonly clock: Clock;
  /** Hex of the SESSION_ID. */
  readonly sessionId: string;
  /** Last MESSAGE_ID of which custody has passed: at first what an earlier process had. */
  readonly settled: () => number;
  /** Sends CONFIRMED; false when that was not possible. */
  readonly tell: (messageId: number) => boolean;
}

/**
 * What the sessions whose clients asked with CONFIRM have published, and how much of it the upstreams have taken (clause 5.10). An upstream takes what it was given in order, so a few
 * numbers a session say it all, however long it is away.
 */
export class Confirmations {
  /** What waits for each upstream. */
  readonly #upstreams = new Map<string, Pick<SpoolConsumer, 'depth'>>();
  readonly #sessions = new Map<string, Confirming>();

  /** Publishers wait for this consumer. */
  addUpstream(consumer: string, queue: Pick<SpoolConsumer, 'depth'>): void {
    this.#upstreams.set(consumer, queue);
  }

  /** Follows what a session publishes, until it is closed. */
  open(options: ConfirmingOptions): Confirming {
    const confirming = new Confirming(options, this.#upstreams, () => {
      if (this.#sessions.get(options.sessionId) === confirming) this.#sessions.delete(options.sessionId);
    });
    this.#sessions.set(options.sessionId, confirming);
    return confirming;
  }

  /** `consumer` is given a record of a message. */
  given(origin: Origin, consumer: string): void {
    if (this.#upstreams.has(consumer)) this.#of(origin)?.given(origin, consumer);
  }

  /** `consumer` is done with it: to be called in the order in which it was given. */
  taken(origin: Origin, consumer: string): void {
    this.#of(origin)?.taken(origin, consumer);
  }

  #of({ sessionId }: Origin): Confirming | undefined {
    return sessionId === undefined ? undefined : this.#sessions.get(sessionId);
  }
}

/** The part of one session. */
export class Confirming {
  readonly #options: ConfirmingOptions;
  readonly #upstreams: ReadonlyMap<string, Pick<SpoolConsumer, 'depth'>>;
  readonly #closed: () => void;
  readonly #progress = new Map<string, Progress>();
  /** What an earlier process had settled; nobody knows any more which of it was taken. */
  readonly #before: number;
  #told = 0;
  #timer: Timer | undefined;

  constructor(
    options: ConfirmingOptions,
    upstreams: ReadonlyMap<string, Pick<SpoolConsumer, 'depth'>>,
    closed: () => void,
  ) {
    this.#options = options;
    this.#upstreams = upstreams;
    this.#closed = closed;
    this.#before = options.settled();
  }

  given({ messageId }: Origin, consumer: string): void {
    if (messageId === undefined) return;
    const progress = this.#of(consumer);
    progress.left = messageId === progress.wanted ? progress.left + 1 : 1;
    progress.wanted = messageId;
  }

  taken({ messageId, part }: Origin, consumer: string): void {
    if (messageId === undefined) return;
    const progress = this.#of(consumer);
    const newest = messageId === progress.wanted;
    if (newest) progress.left -= 1;
    // Of a batch there may be more to come, which only the newest one's count can tell.
    const whole = part === undefined || (newest && progress.left <= 0);
    progress.taken = Math.max(progress.taken, whole ? messageId : messageId - 1);
    this.changed();
  }

  /** More is settled or taken, or can be told. */
  changed(): void {
    this.#timer ??= this.#options.clock.after(GATHER_MS, () => {
      this.#timer = undefined;
      this.#tell();
    });
  }

  /** The client is back, and may have missed the last one: it is told again. */
  again(): void {
    this.#told = 0;
    this.changed();
  }

  close(): void {
    this.#timer?.cancel();
    this.#closed();
  }

  #tell(): void {
    const confirmed = this.#confirmed;
    if (confirmed > this.#told && this.#options.tell(confirmed)) this.#told = confirmed;
  }

  /** Up to here everything is settled, and taken by whoever wanted it. */
  get #confirmed(): number {
    let confirmed = this.#options.settled();
    for (const [consumer, { depth }] of this.#upstreams) {
      // What is settled and is for it lies there, until it was taken.
      if (depth.messages === 0) continue;
      const progress = this.#progress.get(consumer);
      if (!progress) confirmed = this.#before > 0 ? 0 : confirmed;
      else if (progress.taken < progress.wanted) confirmed = Math.min(confirmed, progress.taken);
    }
    return confirmed;
  }

  #of(consumer: string): Progress {
    let progress = this.#progress.get(consumer);
    if (!progress) {
      progress = { wanted: this.#before, left: this.#before > 0 ? Infinity : 0, taken: 0 };
      this.#progress.set(consumer, progress);
    }
    return progress;
  }
}
