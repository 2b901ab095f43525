/**
 * The import gate: reads the layer table of src/README.md and fails on every import that goes against it.
 *
 * It parses with oxc-parser and walks the tree, because the table must stay the only copy of the rule (a linter's restricted
 * paths would be a second one), the TypeScript 7 compiler has no JavaScript interface, and a search for the word `import` is
 * misled by strings, comments and line breaks.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path/posix';
import { parseSync } from 'oxc-parser';
import { finish, listSources, repositoryRoot, type Finding } from './lib-findings.ts';
import {
  firstArgument,
  isNamed,
  nameOf,
  type Node,
  type Reference,
  referenceOf,
  walk,
} from './lib-syntax.ts';

type MayImport =
  | 'everything'
  | { readonly folders: ReadonlySet<string>; readonly ports: ReadonlySet<string> };

/** What each folder of src, or file directly in it, may import. */
export type LayerTable = ReadonlyMap<string, MayImport>;

/** One file by its path from the root of the repository, with `/` between names. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const cureUpwards = (from: string): string =>
  `Move the shared part down, or declare a port (an interface) in ${from} and let gateway.ts inject what implements it`;

/** Reads the table from the text of src/README.md. Throws an Error that says what is wrong with the table. */
export function parseLayerTable(markdown: string): LayerTable {
  const rows = [...markdown.matchAll(/^\|\s*(\d+)\s*\|\s*([\w.-]+)\s*\|\s*([^|]+?)\s*\|\s*$/gm)];
  if (rows.length === 0) throw new Error('src/README.md holds no layer table');
  const layerOf = new Map(rows.map(([, layer, folder]) => [folder, Number(layer)]));
  const table = new Map<string, MayImport>();
  for (const [, layer = '', folder = '', list = ''] of rows) {
    if (table.has(folder)) throw new Error(`src/README.md: ${folder} stands in the layer table twice`);
    table.set(folder, list === 'everything' ? list : parseList(folder, Number(layer), list, layerOf));
  }
  return table;
}

function parseList(
  folder: string,
  layer: number,
  list: string,
  layerOf: ReadonlyMap<unknown, number>,
): MayImport {
  const folders = new Set<string>();
  const ports = new Set<string>();
  for (const entry of list === '-' ? [] : list.split(/\s*,\s*/)) {
    const [, name = '', suffix] = /^([\w.-]+)( ports)?$/.exec(entry) ?? [];
    const below = layerOf.get(name);
    if (below === undefined)
      throw new Error(`src/README.md: ${folder} may import ${entry}, which is no row of the table`);
    if (below >= layer)
      throw new Error(`src/README.md: ${folder} may import ${entry}, which is not in a lower layer`);
    (suffix ? ports : folders).add(name);
  }
  return { folders, ports };
}

/** Everything in `file` that goes against the table or against the walls around src. */
export function checkFile(table: LayerTable, file: SourceFile): readonly Finding[] {
  const inSource = file.path.startsWith('src/');
  const { program, errors } = parseSync(file.path, file.text);
  if (errors.length > 0) {
    return [finding(file, 0, `is not read: ${errors[0]?.message ?? 'syntax error'}`, 'Correct the syntax')];
  }
  const found: Finding[] = [];
  if (inSource && !table.has(unitOf(file.path))) {
    found.push(
      finding(
        file,
        0,
        `${unitOf(file.path)} is not in the layer table`,
        'Add its row to the table in src/README.md',
      ),
    );
  }
  walk(program, undefined, '', (node, parent, key) => {
    const reference = referenceOf(node);
    const fault = reference && referenceFault(table, file, reference);
    if (fault) found.push(finding(file, node.start, fault.rule, fault.cure));
    if (inSource && unitOf(file.path) !== 'base') {
      const name = uninjected(node, parent, key);
      if (name) found.push(finding(file, node.start, `${name} stands outside src/base`, cureUninjected));
    }
  });
  return found;
}

interface Fault {
  readonly rule: string;
  readonly cure: string;
}

/** Files that may be reached by their URL, from anywhere: the version of the package, and the gateway as a program to be started. */
const openByUrl = new Set(['package.json', 'src/main.ts']);

function referenceFault(table: LayerTable, file: SourceFile, reference: Reference): Fault | undefined {
  const { specifier, byUrl } = reference;
  const inSource = file.path.startsWith('src/');
  if (specifier === undefined) {
    if (!inSource) return undefined;
    return {
      rule: 'an import whose path is computed cannot be checked',
      cure: 'Write the path as a literal; choose between several with a switch',
    };
  }
  if (/^hashike(\/|$)/.test(specifier)) {
    return {
      rule: `${specifier} imports the built package from within`,
      cure: 'Import the file by its relative path',
    };
  }
  const target = join(dirname(file.path), specifier);
  if (!/^[./]/.test(specifier) || (byUrl && openByUrl.has(target))) return undefined;
  if (!inSource) return simulatorFault(target);
  if (!target.startsWith('src/')) {
    return {
      rule: `src imports nothing outside src, yet here ${target}`,
      cure: 'Move what the product needs into src',
    };
  }
  return layerFault(table, unitOf(file.path), target);
}

function simulatorFault(target: string): Fault | undefined {
  if (target.startsWith('firmware-sim/')) return undefined;
  return {
    rule: `firmware-sim imports nothing of ours, yet here ${target}`,
    cure: 'Write it anew from docs/protocol.md: a simulator that shares our code hides our misreadings',
  };
}

function layerFault(table: LayerTable, from: string, target: string): Fault | undefined {
  const to = unitOf(target);
  const allowed = table.get(from);
  if (allowed === undefined || allowed === 'everything' || from === to || allowed.folders.has(to))
    return undefined;
  if (allowed.ports.has(to)) {
    if (target === `src/${to}/ports.ts`) return undefined;
    return {
      rule: `${from} may import only the ports of ${to}, not ${target}`,
      cure: `Import src/${to}/ports.ts, or declare there what is needed`,
    };
  }
  const list = [...allowed.folders, ...[...allowed.ports].map((name) => `the ports of ${name}`)].join(', ');
  return {
    rule: `${from} may import ${list ? `only ${list}` : 'no other folder'}, not ${to} (${target})`,
    cure: cureUpwards(from),
  };
}

/** The row of the table for a path: the folder under src, or the file directly in it. */
function unitOf(path: string): string {
  return path.split('/')[1] ?? path;
}

const cureUninjected = 'Take Clock or Random of src/base as an argument, so that tests own time and chance';
const timers = new Set(['setTimeout', 'setInterval']);
const members = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'process.hrtime',
  'AbortSignal.timeout',
]);

/** The name of the clock, timer or chance that `node` takes from the environment instead of from its caller. */
function uninjected(node: Node, parent: Node | undefined, key: string): string | undefined {
  const name = nameOf(node)?.replace(/^(globalThis|global)\./, '');
  if (name !== undefined && members.has(name)) return name;
  if (
    name !== undefined &&
    timers.has(name) &&
    (node.type === 'MemberExpression' || !isPropertyName(parent, key))
  )
    return name;
  if (node.type === 'NewExpression' && isNamed(node['callee'], 'Date') && firstArgument(node) === undefined)
    return 'new Date()';
  const { specifier } = referenceOf(node) ?? {};
  return specifier !== undefined && /^(node:)?timers(\/|$)/.test(specifier) ? specifier : undefined;
}

/** Whether an identifier names a property, as in `socket.setTimeout(…)` or `{ setTimeout: … }`, and refers to nothing itself. */
function isPropertyName(parent: Node | undefined, key: string): boolean {
  if (!parent || parent['computed'] === true) return false;
  return key === 'property' || key === 'key' || key === 'imported';
}

function finding(file: SourceFile, offset: number, rule: string, cure: string): Finding {
  return { path: file.path, line: file.text.slice(0, offset).split('\n').length, rule, cure };
}

if (import.meta.main) {
  const table = parseLayerTable(readFileSync(join(repositoryRoot, 'src/README.md'), 'utf8'));
  const files = listSources(['src', 'firmware-sim']);
  const found = files.flatMap((path) =>
    checkFile(table, { path: relative(repositoryRoot, path), text: readFileSync(path, 'utf8') }),
  );
  finish(found, `${files.length} files keep to the layer table of src/README.md`);
}
