import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../src/base/clock.ts';
import { Counters } from '../../src/base/counters.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Spool, SpoolConsumer, StoredPublication } from '../../src/spool/ports.ts';
import { defaultSpoolLimits, openSpool, type SpoolLimits, type SpoolOptions } from '../../src/spool/spool.ts';

/** What a test may want to have otherwise. */
export type TempSpoolOptions = Partial<Omit<SpoolOptions, 'limits'>> & {
  readonly limits?: Partial<SpoolLimits>;
};

/** Options of a spool in `directory`, with the defaults of a small gateway. */
export function spoolOptions(directory: string, options: TempSpoolOptions = {}): SpoolOptions {
  return {
    sessionKeepMs: 7 * 86_400_000,
    clock: systemClock,
    random: systemRandom,
    counters: new Counters(),
    log: silentLog,
    directory,
    ...options,
    limits: { ...defaultSpoolLimits, ...options.limits },
  };
}

/**
 * The real spool in a temporary directory, which goes when the scope is left:
 *
 *     await using temp = await openTempSpool();
 *     await temp.spool.append(…);
 *     await temp.reopen();
 */
export class TempSpool implements AsyncDisposable {
  readonly options: SpoolOptions;
  spool: Spool;

  constructor(options: SpoolOptions, spool: Spool) {
    this.options = options;
    this.spool = spool;
  }

  /** Closes the spool and opens it again, as a restart does. */
  async reopen(): Promise<void> {
    await this.spool.close();
    this.spool = await openSpool(this.options);
  }

  /** The value of a counter, 0 where nothing was counted. */
  counted(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.options.counters.counter(name, labels).value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.spool.close();
    } finally {
      rmSync(this.options.directory, { recursive: true, force: true });
    }
  }
}

export async function openTempSpool(options: TempSpoolOptions = {}): Promise<TempSpool> {
  const complete = spoolOptions(mkdtempSync(join(tmpdir(), 'hashike-spool-')), options);
  return new TempSpool(complete, await openSpool(complete));
}

/** Everything that lies there for `consumer`. */
export async function readAll(consumer: SpoolConsumer): Promise<readonly StoredPublication[]> {
  const all: StoredPublication[] = [];
  for (;;) {
    const records = await consumer.read(all.at(-1)?.seq ?? 0, 1000);
    if (records.length === 0) return all;
    all.push(...records);
  }
}
