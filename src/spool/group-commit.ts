import type { Clock, Timer } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import { fromFailure } from '../base/failure.ts';
import { spoolError } from './failure.ts';
import { takesRoom, type Amount, type GroupResult, type Step } from './requests.ts';

/** A step on its way to the disk. */
export interface QueuedStep {
  readonly step: Step;
  /** False: it may wait up to `delayMs` for company. */
  readonly urgent: boolean;
  /** It is on disk; `removed` is what it deleted. */
  committed(removed: Amount): void;
  /** Nothing of it was kept. */
  failed(error: HashikeError): void;
}

export interface GroupCommitOptions {
  readonly clock: Clock;
  /** How long steps that are not urgent may wait. */
  readonly delayMs: number;
  /** Writes one group in one transaction. */
  readonly commit: (steps: readonly Step[]) => Promise<GroupResult>;
  /** After the steps of a group were told how it went; `error` is what kept it, or its appends, from the disk. */
  readonly settled: (group: {
    readonly steps: readonly Step[];
    readonly ms: number;
    readonly error: HashikeError | undefined;
  }) => void;
}

/**
 * Gathers steps into groups, one transaction each: what arrives within one turn of the event loop, and whatever arrives while a
 * group is being written. So a lone step is not delayed, and under load one fsync serves many.
 *
 * When a group fails, what takes room and is queued behind it fails with it: whoever asked for it did not know yet, and if it were kept, a
 * session's mark would stand after a message that was lost.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #queue: QueuedStep[] = [];
  #running: Promise<void> | undefined;
  #delay: Timer | undefined;
  /** Something in the queue must not wait any longer. */
  #due = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Queues one step. */
  add(step: QueuedStep): void {
    this.#queue.push(step);
    if (step.urgent) this.#start();
    else this.#delay ??= this.#options.clock.after(this.#options.delayMs, () => this.#start());
  }

  /** Resolves when everything queued so far has been written or has failed. */
  async flush(): Promise<void> {
    while (this.#running !== undefined || this.#queue.length > 0) {
      this.#start();
      await this.#running;
    }
  }

  #start(): void {
    this.#due = true;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // The rest of this turn may bring more.
    await Promise.resolve();
    while (this.#due && this.#queue.length > 0) await this.#writeGroup();
    this.#running = undefined;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#queue;
    this.#queue = [];
    this.#due = false;
    this.#delay?.cancel();
    this.#delay = undefined;
    const steps = group.map(({ step }) => step);
    const start = this.#options.clock.now();
    const { removed, error } = await this.#commit(steps);
    for (const [index, each] of group.entries()) {
      const amount = removed?.[index];
      if (amount && !(error && takesRoom(each.step))) each.committed(amount);
      else each.failed(error ?? new HashikeError('HSK-1001', 'a step of the spool has no result'));
    }
    if (error) this.#failQueued(error);
    this.#options.settled({ steps, ms: this.#options.clock.now() - start, error });
  }

  #failQueued(error: HashikeError): void {
    const queue = this.#queue;
    this.#queue = queue.filter(({ step }) => !takesRoom(step));
    for (const each of queue) if (takesRoom(each.step)) each.failed(error);
  }

  async #commit(
    steps: readonly Step[],
  ): Promise<{ readonly removed?: readonly Amount[]; readonly error?: HashikeError | undefined }> {
    try {
      const { removed, refused } = await this.#options.commit(steps);
      return { removed, error: refused && fromFailure(refused) };
    } catch (error) {
      return { error: spoolError(error, 'write') };
    }
  }
}
