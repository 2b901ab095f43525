import { describe, expect, test } from 'vitest';

import { HashikeError } from '../../../src/base/errors.ts';
import { GroupCommit, type QueuedStep } from '../../../src/spool/group-commit.ts';
import type { GroupResult, Step } from '../../../src/spool/requests.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

class Disk {
  readonly clock = new VirtualClock();
  readonly groups: { readonly size: number; settle(result: GroupResult | Error): void }[] = [];
  readonly settled: (string | undefined)[] = [];
  readonly commits = new GroupCommit({
    clock: this.clock,
    delayMs: 500,
    commit: (steps) =>
      new Promise((resolve, reject) => {
        this.groups.push({
          size: steps.length,
          settle: (result) => (result instanceof Error ? reject(result) : resolve(result)),
        });
      }),
    settled: ({ error }) => this.settled.push(error?.code),
  });

  add(log: string[], name: string, options: Partial<QueuedStep> = {}): void {
    this.commits.add({
      step: forget,
      urgent: true,
      committed: ({ messages }) => log.push(`${name} ${messages}`),
      failed: ({ code }) => log.push(`${name} ${code}`),
      ...options,
    });
  }
}

const forget: Step = { kind: 'forget-session', sessionId: new Uint8Array(8) };
const append: Step = { kind: 'append', records: [] };

/** Lets everything run that waits for promises only. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function removed(...messages: readonly number[]): GroupResult {
  return { removed: messages.map((each) => ({ messages: each, bytes: 0 })) };
}

describe('group commit', () => {
  test('writes what comes in one turn as one group, and what comes meanwhile as the next', async () => {
    const disk = new Disk();
    const log: string[] = [];
    for (const name of ['a', 'b']) disk.add(log, name);
    await turn();
    for (const name of ['c', 'd', 'e']) disk.add(log, name);
    await turn();
    expect(disk.groups.map(({ size }) => size)).toEqual([2]);
    expect(log).toEqual([]);
    disk.groups[0]?.settle(removed(1, 2));
    await turn();
    expect(log).toEqual(['a 1', 'b 2']);
    expect(disk.groups.map(({ size }) => size)).toEqual([2, 3]);
  });

  test('fails every step of a group that failed, and writes the next', async () => {
    const disk = new Disk();
    const log: string[] = [];
    disk.add(log, 'a');
    disk.add(log, 'b');
    await turn();
    disk.add(log, 'c');
    disk.groups[0]?.settle(new HashikeError('HSK-2206', 'no disk'));
    await turn();
    disk.groups[1]?.settle(removed(0));
    await turn();
    expect(log).toEqual(['a HSK-2206', 'b HSK-2206', 'c 0']);
    expect(disk.settled).toEqual(['HSK-2206', undefined]);
  });

  test('fails the appends of a group and no other step when there is room for those only', async () => {
    const disk = new Disk();
    const log: string[] = [];
    disk.add(log, 'append', { step: append });
    disk.add(log, 'forget');
    await turn();
    disk.groups[0]?.settle({
      ...removed(0, 4),
      refused: { code: 'HSK-2205', detail: 'full', context: {} },
    });
    await turn();
    expect(log).toEqual(['append HSK-2205', 'forget 4']);
  });

  test('fails the appends queued behind a group that failed, and writes the other steps', async () => {
    const disk = new Disk();
    const log: string[] = [];
    disk.add(log, 'a', { step: append });
    await turn();
    disk.add(log, 'b', { step: append });
    disk.add(log, 'c');
    disk.groups[0]?.settle(new HashikeError('HSK-2205', 'full'));
    await turn();
    expect(log).toEqual(['a HSK-2205', 'b HSK-2205']);
    expect(disk.groups.map(({ size }) => size)).toEqual([1, 1]);
  });

  test('lets steps without hurry wait for their delay, or for one that is urgent', async () => {
    const disk = new Disk();
    const log: string[] = [];
    disk.add(log, 'a', { urgent: false });
    disk.clock.advance(499);
    await turn();
    expect(disk.groups).toHaveLength(0);
    disk.clock.advance(1);
    await turn();
    expect(disk.groups.map(({ size }) => size)).toEqual([1]);
    disk.groups[0]?.settle(removed(0));
    await turn();
    disk.add(log, 'b', { urgent: false });
    disk.add(log, 'c');
    await turn();
    expect(disk.groups.map(({ size }) => size)).toEqual([1, 2]);
    expect(disk.clock.nextIn).toBeUndefined();
  });

  test('does not forget a step whose delay ends while another group is being written', async () => {
    const disk = new Disk();
    const log: string[] = [];
    disk.add(log, 'a');
    await turn();
    disk.add(log, 'b', { urgent: false });
    disk.clock.advance(500);
    disk.groups[0]?.settle(removed(0));
    await turn();
    expect(disk.groups.map(({ size }) => size)).toEqual([1, 1]);
  });

  test('flushes everything, also what was in no hurry', async () => {
    const disk = new Disk();
    const log: string[] = [];
    disk.add(log, 'a');
    await turn();
    disk.add(log, 'b', { urgent: false });
    const flushed = disk.commits.flush().then(() => log.push('flushed'));
    disk.groups[0]?.settle(removed(0));
    await turn();
    disk.groups[1]?.settle(removed(0));
    await flushed;
    expect(log).toEqual(['a 0', 'b 0', 'flushed']);
  });
});
