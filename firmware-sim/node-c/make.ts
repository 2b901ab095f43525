import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The library, its firmware and its programs; what is made of them stands in `build`. */
const nodeCFolder = fileURLToPath(new URL('.', import.meta.url));

/** Makes targets of the Makefile, and gives what it prints. One process at a time makes, and the next finds what is made. Throws where it cannot be made. */
export function make(...targets: readonly string[]): string {
  const words = [nodeCFolder, 'make', '--silent', '-C', nodeCFolder, ...targets];
  try {
    return execFileSync('flock', words, { encoding: 'utf8' });
  } catch (cause) {
    const packages =
      'make, gcc and libc6-dev; for the firmware gcc-avr, avr-libc, libsimavr-dev and libelf-dev';
    throw new Error(`${targets.join(' ')} of ${nodeCFolder}Makefile cannot be made. It takes ${packages}`, {
      cause,
    });
  }
}

/** The path of a program that `make` has made. */
export function built(name: string): string {
  return `${nodeCFolder}build/${name}`;
}
