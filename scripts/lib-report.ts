import { relative } from 'node:path';
import { repositoryRoot } from './lib-findings.ts';

/** What a run of tests came to; a check counts as one test. */
export interface Outcome {
  readonly passed: number;
  /** Full names. */
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

/** The part of vitest's JSON report that is read here. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/**
 * Reads one run of vitest. A file that fails as a whole counts as one failure, and so does a run that ends badly while every test in
 * its report passed (an unhandled rejection, a worker that died) or that has no report.
 */
export function outcomeOf(name: string, report: VitestReport | undefined, exitCode: number | null): Outcome {
  const passed: string[] = [];
  const failed: string[] = [];
  const skipped: string[] = [];
  for (const file of report?.testResults ?? []) {
    const path = relative(repositoryRoot, file.name);
    for (const test of file.assertionResults) {
      const list = test.status === 'passed' ? passed : test.status === 'failed' ? failed : skipped;
      list.push(`${path} > ${test.fullName}`);
    }
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) {
      failed.push(`${path} (the file as a whole): ${file.message.split('\n')[0]}`);
    }
  }
  if (exitCode !== 0 && failed.length === 0)
    failed.push(`${name} ended with exit code ${exitCode}, see above`);
  if (passed.length + failed.length + skipped.length === 0) failed.push(`${name} ran no test`);
  return { passed: passed.length, failed, skipped };
}

/** The outcome of several runs together. */
export function total(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
    failed: outcomes.flatMap(({ failed }) => failed),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
  };
}

/** Failures and skips by name, and the tally as the last line. */
export function summary({ passed, failed, skipped }: Outcome): string {
  return [
    ...failed.map((name) => `failed: ${name}`),
    ...skipped.map((name) => `skipped: ${name}`),
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ].join('\n');
}
