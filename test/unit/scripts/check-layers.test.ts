import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkFile, parseLayerTable } from '../../../scripts/check-layers.ts';

const table = parseLayerTable(readFileSync(new URL('../../../src/README.md', import.meta.url), 'utf8'));

function rules(path: string, text: string): readonly string[] {
  return checkFile(table, { path, text }).map(({ line, rule }) => `${line}: ${rule}`);
}

describe('an import against the layers is found', () => {
  test.each([
    ['a value', `import { a } from '../session/state.ts';`],
    ['a type alone', `import type { A } from '../session/state.ts';`],
    ['an inline type', `import { type A } from '../session/state.ts';`],
    ['a side effect', `import '../session/state.ts';`],
    ['a re-export of names', `export { a } from '../session/state.ts';`],
    ['a re-export of everything', `export * from '../session/state.ts';`],
    ['a type re-export', `export type { A } from '../session/state.ts';`],
    ['a dynamic import', `export const a = await import('../session/state.ts');`],
    ['a dynamic import by a template', 'export const a = await import(`../session/state.ts`);'],
    ['the type of an import', `export type A = import('../session/state.ts').A;`],
    ['a worker by its URL', `export const a = new URL('../session/state.ts', import.meta.url);`],
    [
      'a worker by its URL and own extension',
      'export const a = new URL(`../session/state${extname(import.meta.url)}`, import.meta.url);',
    ],
    ['a resolved path', `export const a = import.meta.resolve('../session/state.ts');`],
    ['require', `export const a = require('../session/state.ts');`],
    ['import with equals', `import a = require('../session/state.ts');`],
  ])('%s', (_, text) => {
    expect(rules('src/wire/codec.ts', `\n${text}`)).toEqual([
      '2: wire may import only base, not session (src/session/state.ts)',
    ]);
  });

  test('by the file, line and cure a reader needs', () => {
    expect(
      checkFile(table, { path: 'src/base/deep/a.ts', text: `// one\nimport '../../wire/codec.ts';` }),
    ).toEqual([
      {
        path: 'src/base/deep/a.ts',
        line: 2,
        rule: 'base may import no other folder, not wire (src/wire/codec.ts)',
        cure: 'Move the shared part down, or declare a port (an interface) in base and let gateway.ts inject what implements it',
      },
    ]);
  });

  test.each([
    ['a file beside the ports', 'src/bridges/mqtt.ts', '../broker/broker.ts', /only the ports of broker/],
    ['a sibling of the same layer', 'src/session/a.ts', '../links/link.ts', /not links/],
    ['the client in the gateway', 'src/gateway.ts', './client/client.ts', /not client/],
    ['the gateway in a bridge', 'src/bridges/mqtt.ts', '../gateway.ts', /not gateway\.ts/],
    ['a test', 'src/cli/a.ts', '../../test/support/virtual-clock.ts', /nothing outside src/],
    ['the simulator', 'src/cli/a.ts', '../../firmware-sim/node.ts', /nothing outside src/],
    ['the built package', 'src/cli/a.ts', 'hashike/client', /from within/],
    ['the product in the simulator', 'firmware-sim/node.ts', '../src/wire/numbers.ts', /nothing of ours/],
    ['a test in the simulator', 'firmware-sim/a/node.ts', '../../test/support/x.ts', /nothing of ours/],
  ])('%s', (_, path, specifier, rule) => {
    expect(rules(path, `import '${specifier}';`)).toEqual([expect.stringMatching(rule)]);
  });

  test('a path that is computed', () => {
    expect(rules('src/cli/a.ts', 'export const a = (name: string) => import(name);')).toEqual([
      '1: an import whose path is computed cannot be checked',
    ]);
  });

  test('a folder that the table does not know', () => {
    expect(rules('src/helpers/a.ts', '')).toEqual(['1: helpers is not in the layer table']);
  });

  test('a file that cannot be parsed', () => {
    expect(rules('src/base/a.ts', 'import {')).toEqual([expect.stringMatching(/^1: is not read/)]);
  });
});

describe('an import that keeps to the layers passes', () => {
  test.each([
    ['the same folder', 'src/wire/a.ts', './b.ts'],
    ['a lower folder', 'src/wire/a.ts', '../base/bytes.ts'],
    ['the ports of a folder', 'src/bridges/mqtt.ts', '../broker/ports.ts'],
    ['anything in main', 'src/main.ts', './gateway.ts'],
    ['anything in the command line', 'src/cli/run.ts', '../gateway.ts'],
    ['a package', 'src/bridges/mqtt.ts', 'mqtt'],
    ['a module of Node', 'src/base/a.ts', 'node:crypto'],
    ['the simulator in itself', 'firmware-sim/a/node.ts', '../codec.ts'],
  ])('%s', (_, path, specifier) => {
    expect(rules(path, `import '${specifier}';`)).toEqual([]);
  });

  test.each([
    ['the version of the package', 'src/cli/version.ts', '../../package.json'],
    ['the gateway as a program', 'firmware-sim/site/gateway.ts', '../../src/main.ts'],
  ])('%s, by its URL alone', (_, path, specifier) => {
    expect(rules(path, `new URL('${specifier}', import.meta.url);`)).toEqual([]);
    expect(rules(path, `import '${specifier}';`)).toEqual([expect.stringMatching(/imports nothing/)]);
  });

  test('the word import in strings and comments', () => {
    expect(
      rules('src/wire/a.ts', `// import '../session/state.ts'\nexport const a = "import '../session/b.ts'";`),
    ).toEqual([]);
  });
});

describe('time and chance that are not injected are found', () => {
  test.each([
    ['setTimeout(f, 1);', 'setTimeout'],
    ['globalThis.setInterval(f, 1);', 'setInterval'],
    ['const later = setTimeout;', 'setTimeout'],
    ['const clock = { setTimeout };', 'setTimeout'],
    ['Date.now();', 'Date.now'],
    ['new Date();', 'new Date()'],
    ['Math.random();', 'Math.random'],
    ['performance.now();', 'performance.now'],
    ['process.hrtime.bigint();', 'process.hrtime'],
    ['AbortSignal.timeout(1);', 'AbortSignal.timeout'],
    [`import { setTimeout as sleep } from 'node:timers/promises';`, 'node:timers/promises'],
  ])('%s', (text, name) => {
    expect(rules('src/links/a.ts', text)).toEqual([`1: ${name} stands outside src/base`]);
    expect(rules('src/base/clock.ts', text)).toEqual([]);
    expect(rules('firmware-sim/clock.ts', text)).toEqual([]);
  });

  test.each([
    'socket.setTimeout(1);',
    'new Date(wall);',
    'clearTimeout(handle);',
    'clock.now();',
    'const a = { setTimeout: 1 };',
  ])('but not %s', (text) => {
    expect(rules('src/links/a.ts', text)).toEqual([]);
  });
});

describe('a table that contradicts itself is refused', () => {
  test.each([
    ['no table', 'text', /no layer table/],
    ['a row twice', '| 0 | base | - |\n| 1 | base | - |', /twice/],
    ['an unknown folder', '| 1 | wire | bass |', /bass, which is no row/],
    ['a folder above', '| 0 | base | wire |\n| 1 | wire | - |', /not in a lower layer/],
    ['a folder beside', '| 1 | topic | wire |\n| 1 | wire | - |', /not in a lower layer/],
  ])('%s', (_, markdown, message) => {
    expect(() => parseLayerTable(markdown)).toThrow(message);
  });
});
