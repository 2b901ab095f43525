import { expect, test } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import { fromFailure, toFailure } from '../../../src/base/failure.ts';

test('an error says the same after it has crossed from one thread to the other', () => {
  const error = new HashikeError('HSK-2205', 'the disk is full', { free: 5 });
  const crossed = fromFailure(structuredClone(toFailure(error)));
  expect(crossed).toBeInstanceOf(HashikeError);
  expect(crossed.message).toBe(error.message);
  expect(crossed.context).toEqual(error.context);
});
