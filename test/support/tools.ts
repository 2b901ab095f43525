import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a program comes from, and what a person does where `scripts/test` can't install it. */
interface Origin {
  /** The Debian package, where one helps. */
  readonly apt?: string;
  readonly cure: string;
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

function debian(name: string): Required<Origin> {
  return { apt: name, cure: `apt-get install ${name}` };
}

/** Those of `tools` that are not to be had. */
export function missingTools(tools: readonly Tool[]): readonly Tool[] {
  return tools.filter((tool) => !isThere(tool));
}

function isThere(tool: Tool): boolean {
  if (tool === 'root') return process.getuid?.() === 0;
  if (tool === 'node26') return spawnSync(node26Path, ['--version']).status === 0;
  return toolPath(tool) !== undefined;
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
