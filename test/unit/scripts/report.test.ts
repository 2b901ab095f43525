import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../../scripts/lib-findings.ts';
import { outcomeOf, summary, total } from '../../../scripts/lib-report.ts';

const passing = { status: 'passed', fullName: 'a passes' };
const failing = { status: 'failed', fullName: 'b fails' };
const skipped = { status: 'skipped', fullName: 'c is left out' };

function report(status: string, ...assertionResults: readonly (typeof passing)[]) {
  const name = join(repositoryRoot, 'test/unit/x.test.ts');
  return { testResults: [{ name, status, message: 'no such module\n  at …', assertionResults }] };
}

describe('a run of the tests is told truthfully', () => {
  test('each test counts, failures and skips by name', () => {
    expect(outcomeOf('suites', report('failed', passing, passing, failing, skipped), 1)).toEqual({
      passed: 2,
      failed: ['test/unit/x.test.ts > b fails'],
      skipped: ['test/unit/x.test.ts > c is left out'],
    });
  });

  test('a file that does not load is a failure', () => {
    expect(outcomeOf('suites', report('failed'), 1).failed).toEqual([
      'test/unit/x.test.ts (the file as a whole): no such module',
    ]);
  });

  test('a run that ends badly is a failure though each test passed', () => {
    expect(outcomeOf('suites', report('passed', passing), 1).failed).toEqual([
      'suites ended with exit code 1, see above',
    ]);
  });

  test('a run without a report, or without tests, is a failure', () => {
    expect(outcomeOf('suites', undefined, null).failed).toEqual([
      'suites ended with exit code null, see above',
    ]);
    expect(outcomeOf('suites', { testResults: [] }, 0).failed).toEqual(['suites ran no test']);
  });

  test('the tally of all runs is the last line', () => {
    const outcome = total([
      { passed: 1, failed: [], skipped: [] },
      { passed: 2, failed: ['b fails'], skipped: ['c is left out'] },
    ]);
    expect(summary(outcome)).toBe('failed: b fails\nskipped: c is left out\n3 passed, 1 failed, 1 skipped');
  });
});
