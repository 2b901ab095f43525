import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const script = fileURLToPath(new URL('../../scripts/hashike.lua', import.meta.url));

/** The fields that our dissector showed of one message, a frame of a line or a datagram: values as Wireshark prints them, in order. */
export type Dissected = ReadonlyMap<string, readonly string[]>;

export interface DissectOptions {
  readonly port?: number;
  /** Which of our protocols. */
  readonly protocol?: 'hashike' | 'hashike_serial' | 'hashike_datagram';
}

/** What Wireshark with our dissector makes of a capture. Rejects when the dissector fails. */
export async function dissect(file: string, options: DissectOptions = {}): Promise<Dissected[]> {
  const { port, protocol = 'hashike' } = options;
  const preference = port === undefined ? [] : ['-o', `hashike.port:${port}`];
  const output = await tshark('-r', file, ...preference, '-T', 'json', '--no-duplicate-keys');
  const packets = JSON.parse(output) as { readonly _source: { readonly layers: Record<string, unknown> } }[];
  return packets.flatMap(({ _source: { layers } }) => {
    if ('_ws.lua.error' in layers || JSON.stringify(layers).includes('Lua Error')) {
      throw new Error(`the dissector failed: ${JSON.stringify(layers)}`);
    }
    return listOf(layers[protocol]).map((layer) => fieldsOf(layer, protocol));
  });
}

/** Runs tshark with our dissector; resolves to what it prints. */
export function tshark(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: 30_000, maxBuffer: 64 * 2 ** 20 };
    execFile('tshark', ['-X', `lua_script:${script}`, ...args], options, (error, stdout, stderr) => {
      if (error || /Lua/i.test(stderr)) reject(new Error(`tshark failed: ${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
}

/** Captures what goes over the loopback, until the function that it resolves to is called. */
export async function captureLoopback(file: string, filter: string): Promise<() => Promise<void>> {
  const child = spawn('tshark', ['-q', '-i', 'lo', '-f', filter, '-w', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said += text));
  const ended = once(child, 'exit');
  // The file has its header once the interface is open.
  await until(
    () => existsSync(file) && statSync(file).size > 0,
    20_000,
    () => `a capture: ${said}`,
  );
  return async () => {
    child.kill('SIGINT');
    await ended;
  };
}

function fieldsOf(layer: unknown, protocol: string): Dissected {
  const fields = new Map<string, string[]>();
  collect(layer, protocol, fields);
  return fields;
}

/** Leaves of `node` whose names begin with the protocol's; what has a subtree stands beside it as `name_tree`. */
function collect(node: unknown, protocol: string, fields: Map<string, string[]>): void {
  if (Array.isArray(node)) {
    for (const each of node) collect(each, protocol, fields);
  } else if (typeof node === 'object' && node !== null) {
    for (const [name, value] of Object.entries(node)) {
      const leaves = listOf(value).filter((leaf) => typeof leaf === 'string');
      if (name.startsWith(`${protocol}.`) && leaves.length > 0) {
        const known = fields.get(name);
        if (known) known.push(...leaves);
        else fields.set(name, leaves);
      }
      collect(value, protocol, fields);
    }
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
