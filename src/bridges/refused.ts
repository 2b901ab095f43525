import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import { errorTable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Spool, SpoolConsumer, StoredPublication } from '../spool/ports.ts';

/** What is kept of refused messages at most; they are there to be looked at, not to fill the disk. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

export interface RefusedMessage {
  readonly topic: string;
  readonly reason: string;
  /** Epoch ms. */
  readonly at: number;
}

/** Messages that an upstream will never take: kept on disk under a consumer of their own, counted and logged with the reason. */
export class Refused {
  readonly #spool: Pick<Spool, 'append'>;
  readonly #consumer: SpoolConsumer;
  readonly #clock: Clock;
  readonly #report: DropReport;
  readonly #counters: Counters;
  readonly #bridge: string;
  #last: RefusedMessage | undefined;

  /** @param options.bridge name of the bridge, such as `upstream/mqtt`. */
  constructor(options: {
    readonly bridge: string;
    readonly spool: Pick<Spool, 'append' | 'consumer'>;
    readonly clock: Clock;
    readonly counters: Counters;
    readonly log: Log;
  }) {
    const { bridge, spool, clock, counters, log } = options;
    this.#bridge = bridge;
    this.#spool = spool;
    this.#consumer = spool.consumer(`${bridge}/refused`);
    this.#clock = clock;
    this.#counters = counters;
    this.#report = new DropReport({
      place: `${bridge} refused`,
      text: 'the upstream will never take a message',
      clock,
      counters,
      log,
    });
  }

  get status(): {
    readonly messages: number;
    readonly bytes: number;
    readonly last: RefusedMessage | undefined;
  } {
    return { ...this.#consumer.depth, last: this.#last };
  }

  /** Resolves once it is on disk. Rejects with HSK-22xx when the disk fails. */
  async keep({ publication }: StoredPublication, reason: string): Promise<void> {
    this.#last = { topic: publication.topic, reason, at: this.#clock.wall() };
    const example = { code: 'HSK-4109', cure: errorTable['HSK-4109'].cure, topic: publication.topic };
    this.#report.add(reason, example);
    if (this.#consumer.depth.bytes > MAX_KEPT_BYTES) {
      this.#counters.drops(this.#bridge, 'refused-and-not-kept').add();
      return;
    }
    await this.#spool.append([{ consumer: this.#consumer.name, publication }]);
  }
}
