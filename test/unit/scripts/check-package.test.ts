import { describe, expect, test } from 'vitest';
import { checkContents, sourcesNamedIn } from '../../../scripts/check-package.ts';

const sources = ['src/main.ts', 'src/spool/worker.ts'];
const whole = [
  'LICENSE',
  'README.md',
  'package.json',
  'systemd/hashike.service',
  'systemd/hashike.yaml',
  'dist/main.js',
  'dist/main.d.ts',
  'dist/spool/worker.js',
  'dist/spool/worker.d.ts',
];

describe('the published package', () => {
  test('holds each source compiled, and nothing else', () => {
    expect(checkContents(whole, sources)).toEqual([]);
  });

  test.each(whole)('is not whole without %s', (path) => {
    const rest = whole.filter((other) => other !== path);
    expect(checkContents(rest, sources)).toMatchObject([{ path, rule: 'is not in the package' }]);
  });

  test.each(['dist/removed.js', 'src/main.ts', 'test/vectors/a.json'])('has no place for %s', (path) => {
    expect(checkContents([...whole, path], sources)).toMatchObject([
      { path, rule: 'has no place in the package' },
    ]);
  });
});

describe('a compiled file that names a source', () => {
  test.each([
    [`new URL('./worker.ts', import.meta.url)`, './worker.ts'],
    ['import(`../a.ts`)', '../a.ts'],
    [`const a = "./a/b.ts";`, './a/b.ts'],
  ])('%s is found', (code, path) => {
    expect(sourcesNamedIn(code)).toEqual([path]);
  });

  test.each([`import './worker.js'`, `// see ./worker.ts`, `'a .ts file'`, `'./types.d.ts'`])(
    '%s is not one',
    (code) => {
      expect(sourcesNamedIn(code)).toEqual([]);
    },
  );
});
