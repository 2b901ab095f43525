import { readFileSync } from 'node:fs';
import { hex, parseHex } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';

/** What every vector of test/vectors has. */
export interface Vector {
  readonly name: string;
  readonly clause: string;
}

/** The vectors of one file; see test/vectors/README.md for the fields, which the caller's type adds. */
export function readVectors(file: string): readonly Vector[] {
  return JSON.parse(
    readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8'),
  ) as readonly Vector[];
}

/** Bytes of a hex string of a vector. */
export function bytesOf(digits: string): Uint8Array {
  const bytes = parseHex(digits);
  if (!bytes) throw new Error(`not hex: ${digits.slice(0, 40)}`);
  return bytes;
}

/** A hex string of a vector as `hex` prints it. */
export function plainHex(digits: string): string {
  return hex(bytesOf(digits));
}

/** `value` with bytes as hex and without undefined fields, all the way down: the form of the vectors. */
export function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, toPlain(field)]),
  );
}

const byteFields: ReadonlySet<string> = new Set([
  'token',
  'sessionId',
  'resumeKey',
  'connectionId',
  'key',
  'correlation',
  'content',
  'readings',
  'bytes',
]);

/** The reverse of `toPlain`. */
export function fromPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      byteFields.has(name) && typeof field === 'string' ? bytesOf(field) : fromPlain(field),
    ]),
  );
}

/** The code of the HashikeError that `action` throws; anything else that is thrown goes on, and no throw is undefined. */
export function codeThrownBy(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof HashikeError) return error.code;
    throw error;
  }
  return undefined;
}
