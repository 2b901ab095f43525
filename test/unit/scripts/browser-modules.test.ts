import { describe, expect, test } from 'vitest';
import { checkBrowserModules } from '../../../scripts/lib-browser-modules.ts';

function check(files: Readonly<Record<string, string>>, most?: number): readonly string[] {
  return checkBrowserModules('dist/a.js', (path) => files[path] ?? '', most).map(
    ({ path, rule }) => `${path} ${rule}`,
  );
}

describe('what a browser loads', () => {
  test('may load modules of its own, in circles too', () => {
    expect(
      check({
        'dist/a.js': `import { b } from './b.js';\nexport * from "./c/d.js";`,
        'dist/b.js': `import './a.js';\n// Buffer.from(process)\na.process(1);\nb = { process: 1 };\nclass C { #process() {} }`,
      }),
    ).toEqual([]);
  });

  test.each([
    [`import { randomBytes } from 'node:crypto';`, 'imports node:crypto'],
    [`void import('ws');`, 'imports ws'],
    [`return Buffer.from(bytes);`, 'uses Buffer'],
    [`setImmediate(() => this.flush());`, 'uses setImmediate'],
    [`if (process.pid) stop();`, 'uses process'],
  ])('%s keeps it from a browser, however deep', (code, rule) => {
    const files = { 'dist/a.js': `import './b/c.js'`, 'dist/b/c.js': `import '../d.js'`, 'dist/d.js': code };
    expect(check(files)).toEqual([`dist/d.js ${rule}`]);
  });

  test('stays below its size', () => {
    const files = { 'dist/a.js': `import './b.js'`, 'dist/b.js': 'x'.repeat(100) };
    expect(check(files, 115)).toEqual([]);
    expect(check(files, 114)).toEqual(['dist/a.js loads 2 modules of 115 bytes together, over 114']);
  });
});
