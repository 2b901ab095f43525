import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FilterTree } from '../../src/topic/filter-tree.ts';
import { covers, matches, validateFilter, validateTopic } from '../../src/topic/topic.ts';
import { codeThrownBy } from '../support/wire-vectors.ts';

const levels = (...names: string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const topic = levels('', 'a', 'b', '$s').filter((text) => text !== '');
const filter = fc
  .tuple(levels('', 'a', 'b', '$s', '+'), fc.constantFrom('', '/#'))
  .map(([start, end]) => start + end)
  .filter((text) => text !== '');
const anyFilter = fc.oneof(filter, fc.constant('#'), topic);

/** The rules of clause 2.3 word by word. */
function naive(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false;
  return rest(filter, topic);
}

function rest([wanted, ...filter]: readonly string[], topic: readonly string[]): boolean {
  if (wanted === undefined) return topic.length === 0;
  if (wanted === '#') return true;
  const [level, ...below] = topic;
  return level !== undefined && (wanted === '+' || wanted === level) && rest(filter, below);
}

describe('matching', () => {
  test('follows the rules level by level', () => {
    fc.assert(
      fc.property(anyFilter, topic, (filter, topic) => {
        expect(matches(filter, topic)).toBe(naive(filter.split('/'), topic.split('/')));
      }),
      { numRuns: 10_000 },
    );
  });

  test('a filter that covers another takes every topic that the other takes', () => {
    fc.assert(
      fc.property(anyFilter, anyFilter, topic, (outer, inner, topic) => {
        fc.pre(matches(inner, topic) && covers(outer, inner));
        expect(matches(outer, topic)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('a filter covers itself', () => {
    fc.assert(
      fc.property(anyFilter, (filter) => {
        expect(covers(filter, filter)).toBe(true);
      }),
    );
  });
});

describe('validation', () => {
  test('any text is taken or refused with a typed error, and a valid topic is a valid filter that takes itself', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '/', '+', '#', '$', '\0', 'é', '\ud800'), maxLength: 12 }),
      fc.string({ unit: 'binary', maxLength: 1100 }),
    );
    fc.assert(
      fc.property(text, (text) => {
        const asFilter = codeThrownBy(() => validateFilter(text));
        const asTopic = codeThrownBy(() => validateTopic(text));
        expect([undefined, 'HSK-1202']).toContain(asFilter);
        expect([undefined, 'HSK-1201']).toContain(asTopic);
        expect(asTopic !== undefined || (asFilter === undefined && matches(text, text))).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('filter tree', () => {
  const step = fc.record({
    add: fc.boolean(),
    filter: anyFilter,
    value: fc.integer({ min: 0, max: 5 }),
  });

  test('finds what the rules find, each value once, after any additions and removals', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(topic, { maxLength: 5 }), (steps, topics) => {
        const tree = new FilterTree<number>();
        const model = new Map<string, Set<number>>();
        for (const { add, filter, value } of steps) {
          const values = model.get(filter) ?? new Set();
          model.set(filter, values);
          const changes = add ? !values.has(value) : values.has(value);
          const version = tree.version;
          expect(add ? tree.add(filter, value) : tree.remove(filter, value)).toBe(changes);
          expect(tree.version !== version).toBe(changes);
          if (add) values.add(value);
          else values.delete(value);
        }
        expect(tree.size).toBe([...model.values()].reduce((sum, values) => sum + values.size, 0));
        for (const topic of topics) {
          const expected = new Set<number>();
          for (const [filter, values] of model) {
            if (naive(filter.split('/'), topic.split('/'))) for (const value of values) expected.add(value);
          }
          const found = tree.match(topic);
          expect(found.length).toBe(expected.size);
          expect(new Set(found)).toEqual(expected);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
