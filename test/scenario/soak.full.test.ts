import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { soak } from './soak.ts';

/** HASHIKE_SOAK_SEED repeats a run. */
const seed = Number(process.env['HASHIKE_SOAK_SEED'] ?? randomInt(2 ** 31));
/** What a garbage collector may leave lying more at one time than at another. In three minutes 100,000 connections resume and 1,800 clients come and go: if a session of each of these stayed, it would be more. */
const MOST_GROWTH_MB = 12;

test(`minutes of a thousand clients that are cut again and again: no loss, no growth of memory (seed ${seed})`, async () => {
  const outcome = await soak({
    seed,
    clients: 1000,
    warmUpMs: 60_000,
    soakMs: 180_000,
    intervalMs: 1000,
    cutEveryMs: 100,
  });
  console.log(`soak, seed ${seed}: ${JSON.stringify(outcome)}`);
  expect(outcome.wrong).toEqual([]);
  expect(outcome.published).toBeGreaterThan(100_000);
  expect(outcome.residentMb.end - outcome.residentMb.warm).toBeLessThan(MOST_GROWTH_MB);
}, 400_000);
