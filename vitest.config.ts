import { defineConfig } from 'vitest/config';

// Set by scripts/test --full.
const full = process.env['HASHIKE_TEST_FULL'] === 'true';
const quick = ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts', 'test/contract/**/*.test.ts'];

/**
 * `quick` owns no clock and no machine: its files share the cores, and a process and its modules with others, which takes a third of the time.
 * `system` measures time and starts processes: one file at a time, each in a process of its own.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'quick',
          include: quick,
          isolate: false,
          maxWorkers: '100%',
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: full ? quick : [...quick, 'test/**/*.full.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
