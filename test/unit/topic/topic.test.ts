import { describe, expect, test } from 'vitest';
import { covers, matches, validateFilter, validateTopic } from '../../../src/topic/topic.ts';
import { codeThrownBy } from '../../support/wire-vectors.ts';

describe('a topic (2.3, 9.2)', () => {
  test.each(['a', '/', 'a/b', '/a', 'a//b', 'a/', '$sys/a', ' ', 'é/温', 'x'.repeat(1024)])(
    '%j is valid',
    (topic) => {
      expect(() => validateTopic(topic)).not.toThrow();
    },
  );

  test.each([
    ['is empty', ''],
    ['has a +', 'a/+'],
    ['has a #', 'a#'],
    ['has a NUL', 'a\0b'],
    ['is 1025 bytes long', 'x'.repeat(1025)],
    ['is 1026 bytes long in fewer characters', 'é'.repeat(513)],
    ['has half a surrogate pair', 'a\udc00'],
  ])('that %s is refused', (_, topic) => {
    expect(codeThrownBy(() => validateTopic(topic))).toBe('HSK-1201');
  });
});

describe('a filter (2.3, 9.2)', () => {
  test.each(['a', '#', '+', '+/+', '/+', 'a/#', '+/#', 'a/+/b/#', '/#', '$sys/#', 'a//#'])(
    '%j is valid',
    (filter) => {
      expect(() => validateFilter(filter)).not.toThrow();
    },
  );

  test.each(['', 'a#', 'a/b#', '#/a', 'a/#/b', '##', 'a+', '+a/b', '++', '+#', 'a\0', 'x'.repeat(1025)])(
    '%j is refused',
    (filter) => {
      expect(codeThrownBy(() => validateFilter(filter))).toBe('HSK-1202');
    },
  );
});

test.each([
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/b', 'a', false],
  ['a/b', 'A/b', false],
  ['a/b', 'a/bc', false],
  ['a/bc', 'a/b', false],
  ['+', 'a', true],
  ['+', 'a/b', false],
  ['+', '/a', false],
  ['+/+', '/a', true],
  ['/+', '/a', true],
  ['a/+', 'a', false],
  ['a/+', 'a/', true],
  ['a/+/c', 'a/b/c', true],
  ['a/+/c', 'a/b/d', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['#', 'a/b', true],
  ['#', '/', true],
  ['+/#', 'a', true],
  ['#', '$sys/a', false],
  ['+/a', '$sys/a', false],
  ['$sys/#', '$sys/a', true],
  ['a/+', 'a/$b', true],
])('%s takes %s: %s', (filter, topic, expected) => {
  expect(matches(filter, topic)).toBe(expected);
});

test.each([
  ['a/#', 'a/+', true],
  ['a/#', 'a/b/#', true],
  ['a/#', 'a', true],
  ['a/#', '#', false],
  ['a/+', 'a/#', false],
  ['a/+', 'a/+', true],
  ['a/b', 'a/+', false],
  ['+/b', 'a/b', true],
  ['+/+', '#', false],
  ['#', '+/a', true],
  ['#', '#', true],
  ['#', '$sys/#', false],
  ['$sys/#', '$sys/+/a', true],
])('a permission for %s covers %s: %s', (outer, inner, expected) => {
  expect(covers(outer, inner)).toBe(expected);
});
