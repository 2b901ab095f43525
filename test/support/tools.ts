import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where one of the programs comes from, and what a person does where `scripts/test` can't install it. */
interface Origin {
  /** The Debian package that holds it; absent where it is not a matter of packages. */
  readonly apt?: string;
  readonly cure: string;
}

/**
 * Every program outside node_modules that a suite may need. Test files name them with `requires(…)`; `scripts/test` installs the
 * packages and finds the suites by those calls, so this is the only list.
 */
export const toolTable = {
  mosquitto: apt('mosquitto'),
  mosquitto_pub: apt('mosquitto-clients'),
  mosquitto_sub: apt('mosquitto-clients'),
  'coap-client-notls': apt('libcoap3-bin'),
  'systemd-analyze': apt('systemd'),
} as const satisfies Readonly<Record<string, Origin>>;

export type Tool = keyof typeof toolTable;

function apt(name: string): { readonly apt: string; readonly cure: string } {
  return { apt: name, cure: `apt-get install ${name}` };
}

// Debian keeps daemons in sbin, which a user's PATH leaves out.
const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** The path of a program, or undefined where it is not installed. */
export function toolPath(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(executable);
}

/** Those of `tools` that are not installed. */
export function missingTools(tools: readonly Tool[]): readonly Tool[] {
  return tools.filter((tool) => toolPath(tool) === undefined);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
