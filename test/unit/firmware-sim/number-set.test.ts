import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { NumberSet } from '../../../firmware-sim/node/number-set.ts';

test('a set of numbers holds what a set holds, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (numbers) => {
      const set = new NumberSet();
      const model = new Set<number>();
      for (const number of numbers) {
        expect(set.add(number)).toBe(!model.has(number));
        model.add(number);
      }
      expect([...set]).toEqual([...model].toSorted((one, other) => one - other));
      expect(set.size).toBe(model.size);
      for (let number = 0; number < 45; number++) expect(set.has(number)).toBe(model.has(number));
    }),
  );
});

test('a set of numbers is written as ranges', () => {
  expect(JSON.stringify(new NumberSet([5, 1, 2, 3, 9, 10]))).toBe('"1-3,5,9-10"');
  expect(new NumberSet([1, 2, 3]).without(new NumberSet([2]))).toEqual([1, 3]);
});
