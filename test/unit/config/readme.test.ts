import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { compileProfiles } from '../../../src/profiles/profiles.ts';

test('the first configuration of the README can be run once its token is filled in', () => {
  const page = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  const filled = yaml
    .replace('sha256:…', `sha256:${'0'.repeat(64)}`)
    // Whatever this machine has at that place is not the point here.
    .replace(/^ +passwordFile:.*\n/m, '');
  const { config, warnings } = parseConfig(filled, 'README.md');
  expect(warnings).toEqual([]);
  const [temperature] = compileProfiles(config).forClient('bed-1').aliases;
  expect(temperature).toMatchObject({ aliasId: 0, topic: 'bed-1/temperature', layout: [{ length: 2 }] });
});
