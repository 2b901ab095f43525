import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { WorkerLink } from '../../../src/spool/worker-link.ts';

describe('the line to the thread of the spool', () => {
  test('rejects what is asked before the files are open', async () => {
    const link = new WorkerLink();
    await expect(link.ask('probe', null)).rejects.toMatchObject({ code: 'HSK-1001' });
    await link.stop();
  });

  test('rejects what was asked and what is asked once the thread has ended', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hashike-spool-'));
    const link = new WorkerLink();
    // The thread is ended in the very turn in which it was started: no answer can come before the end.
    const open = link.ask('open', {
      path: join(directory, 'spool.db'),
      newId: '0'.repeat(16),
      reserveBytes: 0,
    });
    const [pending] = await Promise.allSettled([open, link.stop()]);
    expect(pending).toMatchObject({ status: 'rejected', reason: { code: 'HSK-2208' } });
    await expect(link.ask('probe', null)).rejects.toMatchObject({ code: 'HSK-2208' });
    rmSync(directory, { recursive: true });
  });
});
