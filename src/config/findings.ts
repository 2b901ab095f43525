import { accessSync, constants, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { z } from 'zod';
import { describeError } from '../base/errors.ts';
import type { KeyPath } from './problem.ts';

export type Tell = (path: KeyPath, wrong: string, right: string) => void;

/** Where findings go. */
export interface Findings {
  readonly error: Tell;
  readonly warning: Tell;
}

/** A part of the configuration that is in itself valid, and where it stands. */
export interface Item<T> {
  readonly path: KeyPath;
  readonly value: T;
}

/** The value at `key` of a list or mapping, or undefined. */
export function member(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/** The value at `path` if it is valid: none or one. */
export function itemOf<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  ...path: readonly (string | number)[]
): readonly Item<T>[] {
  const value = path.reduce(member, raw);
  const parsed = value === undefined ? undefined : schema.safeParse(value);
  return parsed?.success ? [{ path, value: parsed.data }] : [];
}

/** The valid members of the list or mapping at `key`. */
export function itemsOf<T>(schema: z.ZodType<T>, raw: unknown, key: string): readonly Item<T>[] {
  const list = member(raw, key);
  if (Array.isArray(list)) return list.flatMap((_, index) => itemOf(schema, raw, key, index));
  return typeof list === 'object' && list !== null
    ? Object.keys(list).flatMap((name) => itemOf(schema, raw, key, name))
    : [];
}

/** Tells of each item whose key another item had before. `what` names the key in words. */
export function checkUnique<T>(
  items: readonly Item<T>[],
  keyOf: (value: T) => string | number | undefined,
  what: string,
  { error }: Findings,
  right = 'give each its own',
): void {
  const seen = new Set<string | number>();
  for (const { path, value } of items) {
    const key = keyOf(value);
    if (key === undefined) continue;
    if (seen.has(key)) error(path, `the ${what} is used twice`, right);
    seen.add(key);
  }
}

/** Tells of a file that can't be read, and of a secret one that everybody can read. */
export function checkFile(path: KeyPath, file: string, secret: boolean, { error, warning }: Findings): void {
  try {
    accessSync(file, constants.R_OK);
    const { mode } = statSync(file);
    if (secret && (mode & 0o004) !== 0) {
      warning(path, 'every user of this machine may read that file', 'chmod o-r it');
    }
  } catch (thrown) {
    error(path, 'names a file that cannot be read', describeError(thrown));
  }
}

/** Whether only this machine can reach that address. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
