import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { built, make } from '../../firmware-sim/node-c/make.ts';
import { BUILD_MS, LiveNode, welcome } from '../support/node-c.ts';
import { requires } from '../support/requires.ts';

/** The columns of its tables are as wide as they have to be: spaces say nothing. */
const page = readFileSync(new URL('../../docs/nodes.md', import.meta.url), 'utf8').replaceAll(/ +/gv, ' ');

/** All of them run at the same time. */
const FUZZ_SECONDS = 4;

const row = (bytes: number, what: string): string => `| ${bytes} | ${what}`;

/** Flash and initialised data, as avr-size counts them. */
function flashOf(name: string): number {
  const [, figures = ''] = execFileSync('avr-size', [built(name)], { encoding: 'utf8' }).split('\n');
  const [text = Number.NaN, data = Number.NaN] = figures.trim().split(/\s+/v).map(Number);
  return text + data;
}

requires(
  'gcc',
  'libc6-dev',
  'make',
  'flock',
  'pkg-config',
  'avr-gcc',
  'avr-libc',
  'libsimavr-dev',
  'libelf-dev',
)('the size of the node in C', () => {
  test(
    'is within its bars, and as docs/nodes.md says',
    () => {
      const line = make('size').trim();
      const match = /^flash=(\d+) ram=(\d+) stack=(\d+) cycles=(\d+)$/v.exec(line);
      if (!match) throw new Error(line);
      const [flash = 0, ram = 0, stack = 0, cycles = 0] = match.slice(1).map(Number);
      expect(flash).toBeLessThanOrEqual(4096);
      expect(ram + stack).toBeLessThanOrEqual(400);
      expect(cycles).toBeLessThanOrEqual(3000);
      expect(page).toContain(`\n ${line}\n`);
      make('build/thermometer.elf');
      expect(page).toContain(`sleep, watchdog and store | ${flashOf('thermometer.elf')} |`);
    },
    BUILD_MS,
  );
});

requires(
  'gcc',
  'libc6-dev',
  'make',
  'flock',
  'avr-gcc',
  'avr-libc',
  'arduino-core-avr',
)('the Arduino examples', () => {
  test(
    'compile with the core of the Uno, and are as large as docs/nodes.md says',
    () => {
      make('arduino');
      expect(page).toContain(`Thermometer, Relay | ${flashOf('Thermometer.elf')}, ${flashOf('Relay.elf')} |`);
      expect(page).toContain(`the flags of the Arduino IDE alone | ${flashOf('minimal-arduino.elf')} |`);
    },
    BUILD_MS,
  );
});

requires(
  'gcc',
  'libc6-dev',
  'make',
  'flock',
)('the bytes of the node in C on the line', () => {
  test(
    'are as docs/nodes.md says',
    async () => {
      make('build/probe');
      await using node = new LiveNode();
      await node.start();
      await node.in(welcome('0708', 60_000));
      expect(page).toContain(row((await node.take('0000002a07d0')).bytes, 'a reliable reading of 6 bytes'));
      await node.in('b001');
      expect(page).toContain(row((await node.in('920111')).bytes, 'its ACK'));
      await node.sleep();
      await node.at(1000);
      expect(page).toContain(row((await node.wake(true)).bytes, 'RESUME'));
      await node.in('e1070801');
      expect(page).toContain(row((await node.at(50_000)).bytes, 'PING'));
    },
    BUILD_MS,
  );
});

requires(
  'gcc',
  'libc6-dev',
  'make',
  'flock',
  'clang',
  'libclang-rt-14-dev',
  'avr-gcc',
  'avr-libc',
)('the sources of the node in C', () => {
  test(
    'are clean under every warning, with three compilers and in every size',
    () => {
      expect(make('strict')).toBe('');
    },
    BUILD_MS,
  );

  test(
    'withstand a fuzzer with sanitizers on each entry that takes bytes from outside',
    async () => {
      const fuzzers = ['line', 'frame', 'pieces', 'store'].map((entry) => `fuzz-${entry}`);
      make('-j2', ...fuzzers.map((fuzzer) => `build/${fuzzer}`));
      const args = [
        `-max_total_time=${FUZZ_SECONDS}`,
        '-max_len=1020',
        '-print_final_stats=1',
        `-artifact_prefix=${tmpdir()}/`,
      ];
      const runs = await Promise.all(
        fuzzers.map(async (fuzzer) => {
          const { stderr } = await promisify(execFile)(built(fuzzer), args);
          return Number(/stat::number_of_executed_units: (\d+)/v.exec(stderr)?.[1]);
        }),
      );
      for (const count of runs) expect(count).toBeGreaterThan(1000);
    },
    BUILD_MS,
  );
});
