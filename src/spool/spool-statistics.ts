import { statSync } from 'node:fs';

import type { Counters } from '../base/counters.ts';
import type { Step } from './requests.ts';

/** Why records, or sessions, were dropped. */
export type DropReason =
  | 'expired'
  | 'undecodable'
  /** Best effort, and its consumer holds half of its quota. */
  | 'over-quota'
  /** Best effort, and too much waits in memory. */
  | 'memory-full'
  /** Best effort, and its group could not be written. */
  | 'disk-failed'
  | 'session-too-old';

const groupSizes = [
  { atMost: 1, label: '1' },
  { atMost: 9, label: '2-9' },
  { atMost: 99, label: '10-99' },
  { atMost: Infinity, label: '100+' },
] as const;

/** What `hashike status` says of the spool: commits, records, sizes of the groups that shared an fsync, time. */
export class SpoolStatistics {
  readonly #counters: Counters;
  readonly #removals: (() => void)[] = [];
  #lastMs = 0;
  #longestMs = 0;

  /** @param path of the database file, whose size is told. */
  constructor(counters: Counters, path: string, bytesWaiting: () => number) {
    this.#counters = counters;
    this.#gauge('spool_commit_last_ms', () => this.#lastMs);
    this.#gauge('spool_commit_longest_ms', () => this.#longestMs);
    this.#gauge('spool_waiting_bytes', bytesWaiting);
    this.#gauge('spool_file_bytes', () => sizeOf(path) + sizeOf(`${path}-wal`));
  }

  /** Counts one group, written or failed. */
  settled(group: { readonly steps: readonly Step[]; readonly ms: number; readonly error: unknown }): void {
    if (group.error !== undefined) {
      this.#counters.counter('spool_failed_commits').add();
      return;
    }
    let records = 0;
    for (const step of group.steps) if (step.kind === 'append') records += step.records.length;
    const size = groupSizes.find(({ atMost }) => group.steps.length <= atMost);
    this.#counters.counter('spool_commits').add();
    this.#counters.counter('spool_records').add(records);
    this.#counters.counter('spool_groups', { steps: size?.label ?? '' }).add();
    this.#counters.counter('spool_commit_ms').add(group.ms);
    this.#lastMs = group.ms;
    this.#longestMs = Math.max(this.#longestMs, group.ms);
  }

  dropped(reason: DropReason, count: number): void {
    this.#counters.drops('spool', reason).add(count);
  }

  /** Removes the gauges. */
  remove(): void {
    for (const removal of this.#removals.splice(0)) removal();
  }

  #gauge(name: string, read: () => number): void {
    this.#removals.push(this.#counters.gauge(name, {}, read));
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
