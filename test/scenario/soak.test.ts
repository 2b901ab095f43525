import { expect, test } from 'vitest';
import { soak } from './soak.ts';

const SEED = 20_261;
/** The heap of a process that is some seconds old still grows with its garbage; see soak.full.test.ts. */
const MOST_GROWTH_MB = 24;

test(`a thousand clients that are cut again and again lose nothing, and the gateway keeps nothing of it (seed ${SEED})`, async () => {
  const outcome = await soak({
    seed: SEED,
    clients: 1000,
    warmUpMs: 2500,
    soakMs: 5000,
    intervalMs: 1000,
    cutEveryMs: 100,
  });
  console.log(`soak, seed ${SEED}: ${JSON.stringify(outcome)}`);
  expect(outcome.wrong).toEqual([]);
  expect(outcome.published).toBeGreaterThan(1000);
  expect(outcome.cuts).toBeGreaterThan(5);
  expect(outcome.residentMb.end - outcome.residentMb.warm).toBeLessThan(MOST_GROWTH_MB);
});
