import { dirname, join } from 'node:path/posix';
import { parseSync } from 'oxc-parser';
import type { Finding } from './lib-findings.ts';
import { type Node, nameOf, referenceOf, walk } from './lib-syntax.ts';

/** What a page loads for the client, at most: bytes of all modules together as they are compiled, with their comments and not compressed. */
const MOST_BYTES = 230_000;

/** Globals of Node that browsers lack. */
const ofNode = new Set(['Buffer', 'process', 'setImmediate', 'clearImmediate', 'require', 'global']);

/** What keeps the modules that `entry` reaches from a browser, given how to read one by its path. */
export function checkBrowserModules(
  entry: string,
  read: (path: string) => string,
  most = MOST_BYTES,
): readonly Finding[] {
  const found: Finding[] = [];
  const modules = new Set([entry]);
  let bytes = 0;
  for (const path of modules) {
    const code = read(path);
    const report = (rule: string, { start }: Node): void => {
      const line = code.slice(0, start).split('\n').length;
      found.push({ path, line, rule, cure: `${entry} reaches it: keep Node out of it` });
    };
    bytes += Buffer.byteLength(code);
    walk(parseSync(path, code).program, undefined, '', (node, parent, key) => {
      const specifier = referenceOf(node)?.specifier;
      const global = globalOfNode(node, parent, key);
      if (specifier?.startsWith('.')) modules.add(join(dirname(path), specifier));
      else if (specifier !== undefined) report(`imports ${specifier}`, node);
      if (global !== undefined) report(`uses ${global}`, node);
    });
  }
  if (bytes <= most) return found;
  const rule = `loads ${modules.size} modules of ${bytes} bytes together, over ${most}`;
  return [...found, { path: entry, line: 1, rule, cure: 'Load less, or argue for a higher limit' }];
}

function globalOfNode(node: Node, parent: Node | undefined, key: string): string | undefined {
  const name = node.type === 'Identifier' ? nameOf(node) : undefined;
  const isProperty = (key === 'property' || key === 'key') && parent?.['computed'] !== true;
  return name !== undefined && ofNode.has(name) && !isProperty ? name : undefined;
}
