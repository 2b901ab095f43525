import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const target = mkdtempSync(join(tmpdir(), 'hashike-root-'));
const home = join(target, 'opt/hashike');
const configuration = join(target, 'etc/hashike/hashike.yaml');

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function script(name: 'install' | 'uninstall', ...options: readonly string[]): Result {
  return spawnSync(join(repository, 'scripts', name), ['--root', target, ...options], { encoding: 'utf8' });
}

function hashike(...options: readonly string[]): Result {
  return spawnSync(join(home, 'bin/hashike'), options, { encoding: 'utf8' });
}

// The tests tell the life of one installation, in this order.
describe('an installation below a directory', { timeout: 120_000 }, () => {
  let first: Result;
  beforeAll(() => {
    first = script('install');
  }, 120_000);
  afterAll(() => rmSync(target, { recursive: true }));

  test('is whole and private: program, its own Node, unit, and a configuration that checks', () => {
    expect(first).toMatchObject({ status: 0 });
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      readonly version: string;
    };
    expect(hashike('--version').stdout).toContain(version);
    expect(spawnSync(join(home, 'bin/node'), ['--version'], { encoding: 'utf8' }).stdout).toMatch(/^v24\./);
    expect(existsSync(join(target, 'etc/systemd/system/hashike.service'))).toBe(true);
    expect(statSync(configuration).mode & 0o777).toBe(0o640);
    expect(hashike('check', '--config', configuration)).toMatchObject({ status: 0 });
    expect(existsSync(join(home, 'node_modules/vitest'))).toBe(false);
    // The unit names the README, and errors name pages.
    expect(existsSync(join(home, 'docs/configuration.md'))).toBe(true);
  });

  test('runs from there, reports its status, and ends when it is told to', async () => {
    const runtime = mkdtempSync(join(tmpdir(), 'hashike-run-'));
    const path = join(runtime, 'hashike.yaml');
    writeFileSync(
      path,
      `gateway:\n  name: staged\n  stateDirectory: ${runtime}\n  runtimeDirectory: ${runtime}\nlisten:\n  tcp:\n    port: 0\n`,
    );
    const gateway = spawn(join(home, 'bin/hashike'), ['run', '--config', path], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    try {
      await until(gateway, () => hashike('status', '--config', path).status === 0);
      gateway.kill('SIGTERM');
      expect(await once(gateway, 'exit')).toEqual([0, null]);
    } finally {
      gateway.kill('SIGKILL');
      rmSync(runtime, { recursive: true });
    }
  });

  test('is upgraded as a whole, with configuration and state kept', () => {
    const state = join(target, 'var/lib/hashike/spool.db');
    mkdirSync(join(target, 'var/lib/hashike'), { recursive: true });
    writeFileSync(state, 'readings');
    writeFileSync(join(home, 'dist/left-over.js'), '');
    appendFileSync(configuration, '\n# mine\n');
    expect(script('install')).toMatchObject({ status: 0 });
    expect(readFileSync(configuration, 'utf8')).toMatch(/# mine\n$/);
    expect(readFileSync(state, 'utf8')).toBe('readings');
    expect(existsSync(join(home, 'dist/left-over.js'))).toBe(false);
    expect(existsSync(`${home}.old`) || existsSync(`${home}.new`)).toBe(false);
  });

  test('is left as it is by a version that refuses the configuration', () => {
    const mark = join(home, 'dist/still-here.js');
    writeFileSync(mark, '');
    appendFileSync(configuration, '\nlistne: {}\n');
    const { status, stderr } = script('install');
    expect(status).toBe(1);
    expect(stderr).toMatch(/listne/);
    expect(stderr).toMatch(/the installed version was left/);
    expect(existsSync(mark)).toBe(true);
  });

  test('is removed, with configuration and state only when that is asked for', () => {
    expect(script('uninstall')).toMatchObject({ status: 0 });
    expect([home, join(target, 'etc/systemd/system/hashike.service')].some(existsSync)).toBe(false);
    expect([configuration, join(target, 'var/lib/hashike')].every(existsSync)).toBe(true);
    expect(script('uninstall', '--purge')).toMatchObject({ status: 0 });
    expect([join(target, 'etc/hashike'), join(target, 'var/lib/hashike')].some(existsSync)).toBe(false);
  });
});

/** Waits for `condition`, as long as the process lives. */
async function until(child: ChildProcess, condition: () => boolean): Promise<void> {
  while (!condition()) {
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    await pause(100);
  }
}
