import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The library, its firmware and its programs; what is made of them stands in `build`. */
const nodeCFolder = fileURLToPath(new URL('.', import.meta.url));

/** Makes targets of the Makefile, and gives what it prints. One process at a time makes, and the next finds what is made. */
export function make(...targets: readonly string[]): string {
  const words = [nodeCFolder, 'make', '--silent', '-C', nodeCFolder, ...targets];
  return execFileSync('flock', words, { encoding: 'utf8' });
}

/** The path of a program that `make` has made. */
export function built(name: string): string {
  return `${nodeCFolder}build/${name}`;
}
