import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { missingTools, node26Folder, type Tool, toolTable } from '../test/support/tools.ts';
import { listSources, repositoryRoot } from './lib-findings.ts';

const allTools = Object.keys(toolTable).filter((name): name is Tool => name in toolTable);

/** The test files that name each tool with `requires(…)`, from the text of each file by its path. */
export function suitesByTool(files: Readonly<Record<string, string>>): ReadonlyMap<Tool, readonly string[]> {
  const suites = new Map<Tool, readonly string[]>();
  for (const tool of allTools) {
    const named = new RegExp(`\\brequires\\([^)]*['"]${tool}['"]`);
    suites.set(
      tool,
      Object.keys(files).filter((path) => named.test(files[path] ?? '')),
    );
  }
  return suites;
}

/**
 * Installs what the suites need as far as this user may, and prints what is still missing and which suites that skips.
 * Suites in `*.full.test.ts` count only when they run: `full`.
 */
export function installTools(full: boolean): void {
  const testFiles = listSources(['test']).filter(
    (path) => path.endsWith('.test.ts') && (full || !path.endsWith('.full.test.ts')),
  );
  const suites = suitesByTool(
    Object.fromEntries(testFiles.map((path) => [relative(repositoryRoot, path), readFileSync(path, 'utf8')])),
  );
  const needed = allTools.filter((tool) => suites.get(tool)?.length);
  if (missingTools(needed).includes('node26')) installNode26();
  const packages = missingTools(needed).flatMap(packagesOf);
  if (packages.length > 0) installPackages([...new Set(packages)]);
  for (const tool of missingTools(needed)) {
    console.log(
      `not installed: ${tool} (${toolTable[tool].cure}); skipped without it: ${suites.get(tool)?.join(', ')}`,
    );
  }
}

function packagesOf(tool: Tool): readonly string[] {
  const origin = toolTable[tool];
  return 'apt' in origin ? [origin.apt] : [];
}

function installNode26(): void {
  console.log('installing Node 26 for the tests …');
  mkdirSync(node26Folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) {
    cpSync(join(repositoryRoot, 'test/node26', name), join(node26Folder, name));
  }
  const script = '. "$root/scripts/lib-setup.sh"; cd "$1" && npm_ci --include=optional';
  run('env', `root=${repositoryRoot}`, 'bash', '-c', script, 'bash', node26Folder);
}

function installPackages(packages: readonly string[]): void {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (sudo.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0) {
    console.log(
      `Debian packages are missing and this user is neither root nor may use sudo without a password: ${packages.join(' ')}`,
    );
    return;
  }
  console.log(`installing the Debian packages ${packages.join(', ')} …`);
  const apt = [
    ...sudo,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=300',
    '-qq',
  ];
  const install = (...names: readonly string[]): boolean =>
    run(...apt, 'install', '-y', '--no-install-recommends', ...names);
  // A package list from before may name files that the mirror no longer has, and a fresh machine has none at all.
  run(...apt, 'update');
  // One that can't be had must not keep the others away.
  if (!install(...packages) && packages.length > 1) for (const name of packages) install(name);
}

/** Runs a command silently; prints what it said only when it failed. */
function run(...[program = '', ...args]: readonly string[]): boolean {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return true;
  console.log(`${[program, ...args].join(' ')} failed: ${error ? error.message : stdout + stderr}`.trimEnd());
  return false;
}
