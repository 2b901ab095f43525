import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { listSources } from '../../../scripts/lib-findings.ts';
import { suitesByTool } from '../../../scripts/lib-tools.ts';
import { missingTools, toolPath, toolTable } from '../../support/tools.ts';

describe('the programs that suites need', () => {
  test('are found by the calls that name them', () => {
    const suites = suitesByTool({
      'test/a.test.ts': `const describe = requires('mosquitto');`,
      'test/b.test.ts': `const suite = requires(\n  'socat',\n  'mosquitto',\n);`,
      'test/c.test.ts': `describe('mosquitto', () => {});`,
    });
    expect(suites.get('mosquitto')).toEqual(['test/a.test.ts', 'test/b.test.ts']);
    expect(suites.get('socat')).toEqual(['test/b.test.ts']);
    expect(suites.get('mmdebstrap')).toEqual([]);
  });

  test('are each needed by a suite, or have no row in the table', () => {
    const files = listSources(['test']).filter(
      (path) => path.endsWith('.test.ts') && path !== import.meta.filename,
    );
    const suites = suitesByTool(Object.fromEntries(files.map((path) => [path, readFileSync(path, 'utf8')])));
    expect(Object.keys(toolTable).filter((_, index) => [...suites.values()][index]?.length === 0)).toEqual(
      [],
    );
  });

  test('are missing only where they cannot be run', () => {
    expect(toolPath('sh')).toMatch(/^\/.*\/sh$/);
    expect(toolPath('no-such-program')).toBeUndefined();
    expect(missingTools([])).toEqual([]);
  });
});
