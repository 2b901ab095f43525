/** Runs every check, then every suite, and ends with the tally. Started by scripts/test, which installs npm's dependencies first. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingTools, node26Path } from '../test/support/tools.ts';
import { repositoryRoot } from './lib-findings.ts';
import { type Outcome, outcomeOf, summary, total, type VitestReport } from './lib-report.ts';
import { installTools } from './lib-tools.ts';

const usage = `Usage: scripts/test [--full]

Installs what is missing (npm packages; Debian packages as root or with sudo), then runs every check and suite.
The last line is the tally; a check counts as a test. Exits 0 only if nothing failed.

  --full   also runs what takes minutes: the installation in a booted system (systemd-nspawn), and a soak

With CI=true in the environment a suite that must be skipped is a failure.
One suite alone: npm test -- test/unit/wire     One check alone: npm run lint | typecheck | layers | unused | build`;

const checks: readonly (readonly [name: string, ...command: string[]])[] = [
  ['format', 'oxfmt', '--check'],
  ['lint', 'npm', 'run', '--silent', 'lint'],
  ['types', 'npm', 'run', '--silent', 'typecheck'],
  ['layers', 'npm', 'run', '--silent', 'layers'],
  ['generated documentation', 'npm', 'run', '--silent', 'docs', '--', '--check'],
  ['conformance', 'node', 'scripts/check-conformance.ts'],
  ['unused code and dependencies', 'npm', 'run', '--silent', 'unused'],
  ['build', 'npm', 'run', '--silent', 'build'],
  ['package', 'node', 'scripts/check-package.ts'],
];

// Colours would only litter a log; vitest and the linter take CI=true for a reason to use them.
if (!process.stdout.isTTY) process.env['NO_COLOR'] = '1';

const { values: options } = parseArgs({ options: { full: { type: 'boolean' }, help: { type: 'boolean' } } });

function check([name, program = '', ...args]: readonly string[]): Outcome {
  const start = performance.now();
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: repositoryRoot,
    encoding: 'utf8',
  });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${seconds(start)}  ${name}`);
  if (status === 0) return { passed: 1, failed: [], skipped: [] };
  console.log(`${error?.message ?? ''}${stdout}${stderr}`.trimEnd().replaceAll(/^/gm, '       | '));
  return { passed: 0, failed: [`the check ${name}`], skipped: [] };
}

function suites(name: string, node: string, ...args: readonly string[]): Outcome {
  const start = performance.now();
  const reportPath = join(repositoryRoot, '.cache/test', `${name.replaceAll(' ', '-')}.json`);
  rmSync(reportPath, { force: true });
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=json',
    `--outputFile.json=${reportPath}`,
  ];
  const { status } = spawnSync(node, [...vitest, ...args], { cwd: repositoryRoot, stdio: 'inherit' });
  const outcome = outcomeOf(name, readReport(reportPath), status);
  console.log(`${outcome.failed.length === 0 ? 'ok    ' : 'FAILED'} ${seconds(start)}  ${name}`);
  return outcome;
}

function readReport(path: string): VitestReport | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as VitestReport) : undefined;
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s`;
}

function main(): void {
  const start = performance.now();
  mkdirSync(join(repositoryRoot, '.cache/test'), { recursive: true });
  if (options.full) process.env['HASHIKE_TEST_FULL'] = 'true';
  installTools(options.full === true);
  const outcomes = checks.map(check);
  outcomes.push(suites('suites', process.execPath, '--reporter=default'));
  if (missingTools(['node26']).length === 0) {
    outcomes.push(suites('quick suites on Node 26', node26Path, '--project=quick', '--reporter=dot'));
  }
  const outcome = total(outcomes);
  const strict = process.env['CI'] === 'true' && outcome.skipped.length > 0;
  if (strict) console.log('with CI=true a skipped suite is a failure');
  process.exitCode = strict || outcome.failed.length > 0 ? 1 : 0;
  console.log(`\n${seconds(start).trim()} in all, Node ${process.version}\n${summary(outcome)}`);
}

if (options.help) console.log(usage);
else main();
