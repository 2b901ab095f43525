import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a program comes from, and what a person does where `scripts/test` can't install it. */
interface Origin {
  /** The Debian package, where one helps. */
  readonly apt?: string;
  readonly cure: string;
  /** What it brings, where that is no program of its name. */
  readonly file?: string;
}

/**
 * Everything outside node_modules that a suite may need. Test files name them with `requires(…)`; `scripts/test` installs them
 * and finds the suites that a missing one skips by those calls, so this is the only list.
 */
export const toolTable = {
  mosquitto: debian('mosquitto'),
  'nats-server': debian('nats-server'),
  'coap-client-notls': debian('libcoap3-bin'),
  socat: debian('socat'),
  tshark: debian('tshark'),
  chromium: debian('chromium'),
  gcc: debian('gcc'),
  'libc6-dev': library('libc6-dev', '/usr/include/stdio.h'),
  make: debian('make'),
  flock: debian('util-linux'),
  clang: debian('clang'),
  // Its sanitizers and libFuzzer.
  'libclang-rt-14-dev': library('libclang-rt-14-dev', '/usr/lib/llvm-14/lib/clang/14.0.6/include/fuzzer'),
  'avr-gcc': debian('gcc-avr'),
  'avr-libc': library('avr-libc', '/usr/lib/avr/include/avr/io.h'),
  'arduino-core-avr': library(
    'arduino-core-avr',
    '/usr/share/arduino/hardware/arduino/avr/cores/arduino/Arduino.h',
  ),
  'libsimavr-dev': library('libsimavr-dev', '/usr/include/simavr/sim_avr.h'),
  'libelf-dev': library('libelf-dev', '/usr/include/libelf.h'),
  'pkg-config': debian('pkgconf'),
  'systemd-analyze': debian('systemd'),
  'systemd-nspawn': debian('systemd-container'),
  mmdebstrap: debian('mmdebstrap'),
  'systemd-notify': debian('systemd'),
  // The right to mount and to make containers.
  root: { cure: 'run it as root' },
  // Its binary needs libatomic.so.1, which a slim Debian lacks; the binary itself comes from npm, by test/node26/package-lock.json.
  node26: {
    apt: 'libatomic1',
    cure: 'scripts/test fetches it through npm, and apt-get install libatomic1 lets it start',
  },
} as const satisfies Readonly<Record<string, Origin>>;

export type Tool = keyof typeof toolTable;

/** The folder into which `scripts/test` installs Node 26. */
export const node26Folder = fileURLToPath(new URL('../../.cache/node26', import.meta.url));

/** The Node 26 for this processor. */
export const node26Path = join(node26Folder, `node_modules/node-linux-${process.arch}/bin/node`);

function debian(name: string): Origin & { readonly apt: string } {
  return { apt: name, cure: `apt-get install ${name}` };
}

function library(name: string, file: string): Required<Origin> {
  return { ...debian(name), file };
}

/** Those of `tools` that are not to be had. */
export function missingTools(tools: readonly Tool[]): readonly Tool[] {
  return tools.filter((tool) => !isThere(tool));
}

function isThere(tool: Tool): boolean {
  if (tool === 'root') return process.getuid?.() === 0;
  if (tool === 'node26') return spawnSync(node26Path, ['--version']).status === 0;
  const { file }: Origin = toolTable[tool];
  return file === undefined ? toolPath(tool) !== undefined : existsSync(file);
}

// Debian keeps daemons in sbin, which the PATH of a user who is not root leaves out.
const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** The path of a program, or undefined where it is not installed. */
export function toolPath(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
