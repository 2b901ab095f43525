/** Looks at what `npm run build` made and what `npm pack` would publish, and starts it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { checkBrowserModules } from './lib-browser-modules.ts';
import { finish, type Finding, listSources, repositoryRoot } from './lib-findings.ts';

const alwaysPublished = [
  'README.md',
  'LICENSE',
  'package.json',
  'systemd/hashike.service',
  'systemd/hashike.yaml',
  'dist/main.js',
];

/** What the list of published files lacks or holds too much, given the files of src. Paths from the root of the repository. */
export function checkContents(published: readonly string[], sources: readonly string[]): readonly Finding[] {
  const compiled = sources.flatMap((path) => {
    const base = path.replace(/^src\//, 'dist/').replace(/\.ts$/, '');
    return [`${base}.js`, `${base}.d.ts`];
  });
  const expected = new Set([...alwaysPublished, ...compiled]);
  const has = new Set(published);
  return [
    ...[...expected].filter((path) => !has.has(path)).map((path) => fault(path, 'is not in the package')),
    ...published
      .filter((path) => !expected.has(path))
      .map((path) => fault(path, 'has no place in the package')),
  ];
}

/** Paths in compiled `code` that still name a TypeScript source, which the package does not hold. */
export function sourcesNamedIn(code: string): readonly string[] {
  return [...code.matchAll(/(['"`])(\.{1,2}\/[^'"`\n]*(?<!\.d)\.ts)\1/g)].map(([, , path = '']) => path);
}

function fault(path: string, rule: string): Finding {
  return { path, line: 1, rule, cure: 'Look at `files` in package.json, and at tsconfig.build.json' };
}

function published(): readonly string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'];
  const { stdout } = spawnSync('npm', args, { cwd: repositoryRoot, encoding: 'utf8' });
  const [pack] = JSON.parse(stdout) as { readonly files: readonly { readonly path: string }[] }[];
  return pack?.files.map(({ path }) => path) ?? [];
}

function checkCode(path: string): readonly Finding[] {
  return sourcesNamedIn(readFileSync(join(repositoryRoot, path), 'utf8')).map((named) => ({
    path,
    line: 1,
    rule: `names ${join(dirname(path), named)}, which is not in the package`,
    cure: 'Only the paths of import statements are rewritten: derive the extension from import.meta.url',
  }));
}

/** Runs a program from the root; a finding where it fails or does not print `expected`. */
function checkRun(
  path: string,
  expected: RegExp,
  program: string,
  ...args: readonly string[]
): readonly Finding[] {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: repositoryRoot, encoding: 'utf8' });
  if (status === 0 && expected.test(stdout)) return [];
  const rule = `${[program, ...args].join(' ')} ends with ${status} and says: ${`${stdout}${stderr}`.trim()}`;
  return [{ path, line: 1, rule, cure: 'Make it run from dist' }];
}

if (import.meta.main) {
  const files = published();
  const sources = listSources(['src']).map((path) => relative(repositoryRoot, path));
  const listExports = 'console.log(Object.keys(await import("hashike/client")).join())';
  finish(
    [
      ...checkContents(files, sources),
      ...files.filter((path) => path.endsWith('.js')).flatMap(checkCode),
      ...checkBrowserModules('dist/client/browser.js', (path) =>
        readFileSync(join(repositoryRoot, path), 'utf8'),
      ),
      ...checkRun('dist/main.js', /hashike/i, 'dist/main.js', '--help'),
      ...checkRun('dist/client/index.js', /\w/, 'node', '--input-type=module', '--eval', listExports),
    ],
    `the package holds ${files.length} files and starts`,
  );
}
