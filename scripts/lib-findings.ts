import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository, absolute. */
export const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** One place that breaks a rule, and what to do instead. */
export interface Finding {
  /** From the root of the repository. */
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly rule: string;
  readonly cure: string;
}

/** Absolute paths of the TypeScript files in `folders` (names from the root of the repository), sorted. */
export function listSources(folders: readonly string[]): readonly string[] {
  return folders
    .flatMap((folder) => readdirSync(join(repositoryRoot, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Prints the findings, or `success` where there is none, and sets the exit code. */
export function finish(findings: readonly Finding[], success: string): void {
  for (const { path, line, rule, cure } of findings) console.error(`${path}:${line}: ${rule}. ${cure}.`);
  if (findings.length > 0) process.exitCode = 1;
  else console.log(success);
}
