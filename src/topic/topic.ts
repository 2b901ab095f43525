import { utf8 } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';

/** Most bytes of a topic or filter (clause 2.3). */
const MAX_BYTES = 1024;
/** UTF-8 takes at most three bytes for one unit of UTF-16. */
const MAX_BYTES_PER_UNIT = 3;

/** Fails with HSK-1201 unless `topic` may be published to: 1-1024 bytes of UTF-8, no NUL, no wildcards. Levels may be empty. */
export function validateTopic(topic: string): void {
  const wrong = wrongText(topic) ?? (/[+#]/.test(topic) ? 'holds a wildcard' : undefined);
  if (wrong !== undefined) throw new HashikeError('HSK-1201', `the topic ${wrong}`, { topic: shown(topic) });
}

/** Fails with HSK-1202 unless `filter` may be subscribed to: as a topic, with `+` for one level and `#` for the rest. */
export function validateFilter(filter: string): void {
  const wrong = wrongText(filter) ?? wrongWildcards(filter);
  if (wrong !== undefined) {
    throw new HashikeError('HSK-1202', `the topic filter ${wrong}`, { filter: shown(filter) });
  }
}

function wrongText(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length * MAX_BYTES_PER_UNIT > MAX_BYTES && utf8(text).length > MAX_BYTES) {
    return `is longer than ${MAX_BYTES} bytes`;
  }
  if (text.includes('\0')) return 'holds a NUL';
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  return undefined;
}

function wrongWildcards(filter: string): string | undefined {
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level === '#' && index < levels.length - 1) return 'has a # that is not its last level';
    if (level.length > 1 && /[+#]/.test(level)) return 'has a wildcard that does not fill its level';
  }
  return undefined;
}

/** The start of a text, for an error. */
function shown(text: string): string {
  return text.slice(0, 80);
}

/** Whether `filter` has a `+` or `#`. */
export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

/** Whether the valid `filter` takes the valid `topic`. */
export function matches(filter: string, topic: string): boolean {
  return covers(filter, topic);
}

/**
 * Whether the valid filter `outer` takes every topic that the valid filter (or topic) `inner` takes, level by level: for permissions.
 * `#` takes its parent too (`a/#` takes `a`); a leading wildcard takes no topic that begins with `$`.
 */
export function covers(outer: string, inner: string): boolean {
  if (inner.startsWith('$') && (outer.startsWith('+') || outer.startsWith('#'))) return false;
  let outerAt = 0;
  let innerAt = 0;
  while (outerAt <= outer.length) {
    const outerEnd = levelEnd(outer, outerAt);
    if (isLevel(outer, outerAt, outerEnd, '#')) return true;
    if (innerAt > inner.length) return false;
    const innerEnd = levelEnd(inner, innerAt);
    if (isLevel(inner, innerAt, innerEnd, '#')) return false;
    const level = inner.slice(innerAt, innerEnd);
    if (!isLevel(outer, outerAt, outerEnd, '+') && !isLevel(outer, outerAt, outerEnd, level)) return false;
    outerAt = outerEnd + 1;
    innerAt = innerEnd + 1;
  }
  return innerAt > inner.length;
}

/** Whether the level of `text` from `at` to `end` is `level`. */
function isLevel(text: string, at: number, end: number, level: string): boolean {
  return end - at === level.length && text.startsWith(level, at);
}

/** Offset after the level of `text` that begins at `at`. */
function levelEnd(text: string, at: number): number {
  const slash = text.indexOf('/', at);
  return slash === -1 ? text.length : slash;
}
