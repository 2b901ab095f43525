import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
}

const textOf = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const manifest = JSON.parse(textOf('package.json')) as Manifest;

describe('the dependencies', () => {
  test('are those that docs/dependencies.md argues for, with the same versions', () => {
    const rows = textOf('docs/dependencies.md').matchAll(/^\| `([^`]+)` (\S+)/gm);
    const documented = Object.fromEntries([...rows].map(([, name = '', version = '']) => [name, version]));
    expect(documented).toEqual({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    });
  });

  test('run no install script', () => {
    const withScript = Object.entries((JSON.parse(textOf('package-lock.json')) as Lock).packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => [path.replace(/^.*node_modules\//, ''), false]);
    expect(manifest.allowScripts).toEqual(Object.fromEntries(withScript));
  });

  test('are locked by checksum, without naming a registry', () => {
    for (const path of ['package-lock.json', 'test/node26/package-lock.json']) {
      const { packages } = JSON.parse(textOf(path)) as Lock;
      const entries = Object.entries(packages).filter(([name]) => name !== '');
      expect(entries.filter(([, entry]) => !('integrity' in entry)).map(([name]) => name)).toEqual([]);
      expect(entries.filter(([, entry]) => 'resolved' in entry).map(([name]) => name)).toEqual([]);
    }
  });
});
