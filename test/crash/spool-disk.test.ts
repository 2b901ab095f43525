import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { HashikeError } from '../../src/base/errors.ts';
import type { Spool } from '../../src/spool/ports.ts';
import { openSpool, type SpoolLimits } from '../../src/spool/spool.ts';
import { publicationOf } from '../support/publications.ts';
import { readAll, spoolOptions } from '../support/temp-spool.ts';

const DISK_BYTES = 24 * 1024 * 1024;
/** Twice the log of SQLite, as the limit asks for. */
const RESERVE_BYTES = 8 * 1024 * 1024;
const sessionId = new Uint8Array(8).fill(1);
let disk = '';

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'hashike-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'hashike-test', disk], {
    encoding: 'utf8',
  });
  if (mounted.status !== 0) {
    throw new Error(
      `these tests fill a small disk and must be allowed to mount a tmpfs (run as root): ${mounted.stderr}`,
    );
  }
});
afterEach(() => {
  execFileSync('umount', ['--lazy', disk]);
  rmSync(disk, { recursive: true });
});

async function open(limits: Partial<SpoolLimits>): Promise<Spool> {
  const spool = await openSpool(spoolOptions(join(disk, 'spool'), { limits }));
  await spool.saveSession({
    sessionId,
    clientId: 'node-1',
    keyHash: new Uint8Array(32),
    received: 0,
    sent: 0,
    context: new Uint8Array(),
    updatedAt: Date.now(),
  });
  return spool;
}

/**
 * Appends two records of 4 kB under each number from `from` on, ten numbers at a time, until the disk is full; returns the first
 * number that was refused, and why. None after it may have been kept.
 */
async function fill(
  spool: Spool,
  from = 1,
): Promise<{ readonly refused: number; readonly reasons: readonly unknown[] }> {
  for (let first = from; ; first += 10) {
    const appends = await Promise.allSettled(
      Array.from({ length: 10 }, async (_, index) => {
        // One after the other, so that some are queued while the first is being written.
        for (let turns = 0; turns < index; turns += 1) await Promise.resolve();
        const publication = publicationOf(first + index, { content: new Uint8Array(4000) });
        const records = ['cloud', 'archive'].map((consumer) => ({ consumer, publication }));
        await spool.append(records, { sessionId, received: first + index });
      }),
    );
    const refused = appends.findIndex(({ status }) => status === 'rejected');
    if (refused < 0) continue;
    const reasons = appends
      .slice(refused)
      .map((each) => (each.status === 'rejected' ? (each.reason as unknown) : 'kept'));
    return { refused: first + refused, reasons };
  }
}

async function numbersOf(spool: Spool, consumer: string): Promise<readonly (number | undefined)[]> {
  return (await readAll(spool.consumer(consumer))).map(({ publication }) => publication.origin.messageId);
}

/** The numbers below `end`. */
function below(end: number): readonly number[] {
  return Array.from({ length: end - 1 }, (_, index) => index + 1);
}

async function expectExactly(spool: Spool, end: number): Promise<void> {
  for (const consumer of ['cloud', 'archive']) {
    expect(await numbersOf(spool, consumer)).toEqual(below(end));
    expect(spool.consumer(consumer).depth.messages).toBe(end - 1);
  }
  expect(await spool.loadSessions()).toMatchObject([{ received: end - 1 }]);
}

describe('a full disk', () => {
  test('refuses appends with HSK-2205 and keeps nothing of them, and appends go on once there is room', async () => {
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, new Uint8Array(DISK_BYTES - 4 * 1024 * 1024));
    const spool = await open({ reserveBytes: 0 });
    const { refused, reasons } = await fill(spool);
    for (const reason of reasons) {
      expect(reason).toBeInstanceOf(HashikeError);
      expect(reason).toMatchObject({ code: 'HSK-2205', fault: 'environment' });
    }
    expect(refused).toBeGreaterThan(50);
    await expectExactly(spool, refused);
    await spool.probe();

    truncateSync(ballast, DISK_BYTES - 8 * 1024 * 1024);
    const again = await fill(spool, refused);
    expect(again.refused).toBeGreaterThan(refused + 50);
    await expectExactly(spool, again.refused);
    await spool.close();

    const reopened = await openSpool(spoolOptions(join(disk, 'spool')));
    await expectExactly(reopened, again.refused);
    await reopened.close();
  });

  test('that the spool filled itself is drained without help: a reserve lets acknowledgements through', async () => {
    const spool = await open({ reserveBytes: RESERVE_BYTES });
    const { refused, reasons } = await fill(spool);
    expect(reasons[0]).toMatchObject({ code: 'HSK-2205' });
    for (const consumer of ['cloud', 'archive']) {
      for (const { seq } of await readAll(spool.consumer(consumer))) {
        await spool.consumer(consumer).acknowledge(seq, { sessionId, messageId: seq });
      }
      expect(spool.consumer(consumer).depth).toEqual({ messages: 0, bytes: 0 });
    }
    await spool.close();
    const reopened = await open({ reserveBytes: RESERVE_BYTES });
    const again = await fill(reopened, refused);
    expect(again.refused).toBeGreaterThan(refused);
    await reopened.close();
  });
});

describe('a disk that fails to write', () => {
  test('fails appends with HSK-2206, keeps nothing of them, and appends go on once it works again', () => {
    const program = new URL('spool-write-error-child.ts', import.meta.url).pathname;
    const { stdout, stderr } = spawnSync(
      'prlimit',
      ['--fsize=1000000:unlimited', process.execPath, program, join(disk, 'spool')],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ codes: ['HSK-2206', 'HSK-2206'], complete: true, again: 'kept' });
  });
});
