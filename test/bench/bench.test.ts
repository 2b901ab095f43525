import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { requires } from '../support/requires.ts';
import { works } from './works/all.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
const bench = (...args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> =>
  promisify(execFile)(process.execPath, [program, ...args], { timeout: 120_000 });

const figures = z.record(z.string(), z.number());
const rows = z.array(
  z.strictObject({
    work: z.string(),
    figure: z.string(),
    unit: z.string(),
    ours: z.number(),
    peers: figures,
    bar: z.number(),
    met: z.boolean(),
    rule: z.string(),
    spread: z.record(z.string(), z.tuple([z.number(), z.number()])),
  }),
);

/** It shows that each work can be measured; how fast is no matter of a suite. */
requires('nats-server', 'mosquitto')('the benchmark', () => {
  test('measures every work beside its peers', { timeout: 120_000 }, async () => {
    const { stdout } = await bench('--quick', '--json');
    const measured = rows.parse(JSON.parse(stdout));
    expect(measured.length).toBeGreaterThanOrEqual(works.length);
    for (const { ours, bar, met } of measured) expect(met).toBe(ours <= bar);
  });

  test('says what works there are when asked for another', async () => {
    await expect(bench('--work', 'nothing')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('1-100') as string,
    });
  });
});
