import type { z } from 'zod';
import type { KeyPath, Problem } from './problem.ts';
import { keysOf, schemaAt, takes } from './schema-tree.ts';
import type { SourceMap } from './source-map.ts';

/** What the schema found wrong in `raw`, for people. */
export function schemaProblems(
  issues: readonly z.core.$ZodIssue[],
  raw: unknown,
  source: SourceMap,
): readonly Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, source));
    if (issue.code === 'invalid_key') {
      return [
        {
          ...source.key(path),
          path,
          wrong: 'is no good name',
          right: issue.issues[0]?.message ?? 'choose another',
        },
      ];
    }
    const missing = valueAt(raw, path) === undefined;
    const place = missing ? source.key(path.slice(0, -1)) : source.value(path);
    return [{ ...place, path, wrong: missing ? 'is missing' : wrongOf(issue), right: rightOf(issue, path) }];
  });
}

function wrongOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return 'has the wrong type';
  if (issue.code === 'too_small') return issue.origin === 'string' ? 'is too short' : 'is too small';
  if (issue.code === 'too_big') return issue.origin === 'string' ? 'is too long' : 'is too large';
  return 'does not fit';
}

function rightOf(issue: z.core.$ZodIssue, path: KeyPath): string {
  const node = schemaAt(path);
  // The patterns of the schema say in their message what they want.
  if (issue.code === 'invalid_format' || issue.code === 'custom' || !node) return `it ${issue.message}`;
  const meaning = node.description === undefined ? '' : ` (${node.description})`;
  return `it must be ${takes(node.schema)}${meaning}`;
}

function unknownKey(path: KeyPath, key: string, source: SourceMap): Problem {
  const node = schemaAt(path);
  const known = node ? keysOf(node.schema) : [];
  const close = nearest(key, known);
  const right = close === undefined ? `known here are ${known.join(', ')}` : `did you mean ${close}?`;
  return { ...source.key([...path, key]), path: [...path, key], wrong: 'is no known key', right };
}

function valueAt(raw: unknown, path: KeyPath): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** The one of `candidates` that `word` is most likely a slip of; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(simplified(word), simplified(candidate));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function simplified(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Letters to insert, delete or exchange (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of a.split('').entries()) {
    const next = [index + 1];
    for (const [at, other] of b.split('').entries()) {
      const [diagonal = 0, above = 0, left = 0] = [row[at], row[at + 1], next[at]];
      next.push(Math.min(above + 1, left + 1, diagonal + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
