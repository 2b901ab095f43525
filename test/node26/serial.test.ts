import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { PtyLine } from '../support/pty-line.ts';
import { requires } from '../support/requires.ts';
import { node26Path } from '../support/tools.ts';

const describe = requires('node26');

const EXCHANGES = 200;
const MEDIAN_LIMIT_MS = 5;

describe('a serial port in a process where nothing else happens', () => {
  const line = new PtyLine();
  let echo: ChildProcess | undefined;

  beforeEach(() => line.plug());
  afterEach(() => {
    echo?.kill();
    line.unplug();
  });
  afterAll(() => line.remove());

  // From 26.4 on, Node stalls the driver in such a process: see src/links/serial-poller.ts.
  test.each([
    ['Node 24', process.execPath],
    ['Node 26', node26Path],
  ])('answers at once on %s', { timeout: 20_000 }, async (_, node) => {
    const program = join(import.meta.dirname, 'serial-echo.ts');
    const child = spawn(node, [program, line.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    echo = child;
    await once(child.stdout, 'data');
    const times: number[] = [];
    for (let index = 0; index < EXCHANGES; index += 1) times.push(await exchange(line));
    expect(times.toSorted((a, b) => a - b)[EXCHANGES / 2]).toBeLessThan(MEDIAN_LIMIT_MS);
  });
});

/** Milliseconds from sending 20 bytes to having all of them back. */
async function exchange(line: PtyLine): Promise<number> {
  const start = performance.now();
  const back = new Promise<void>((resolve) => {
    let left = 20;
    line.onBytes = (bytes) => {
      left -= bytes.length;
      if (left === 0) resolve();
    };
  });
  await line.send(new Uint8Array(20));
  await back;
  return performance.now() - start;
}
