import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextNumber, numberBefore } from '../../../src/inlets/coap-observe-number.ts';

const RANGE = 2 ** 24;

/** By RFC 7641, section 3.4. */
function isNewer(number: number, than: number): boolean {
  const ahead = (number - than + RANGE) % RANGE;
  return ahead > 0 && ahead < RANGE / 2;
}

const start = fc.integer({ min: 0, max: 2 ** 42 });

test('each number is newer than the one before, however fast they come and whatever the clock does', () => {
  const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: -10_000_000, max: 10_000_000 })));
  fc.assert(
    fc.property(start, steps, (wall, moves) => {
      let now = wall;
      let last = nextNumber(undefined, now);
      for (const move of moves) {
        now = Math.max(0, now + move);
        const next = nextNumber(last, now);
        expect(next > 0 && next < RANGE && isNewer(next, last)).toBe(true);
        // The answer to a registration stands between the two.
        expect(isNewer(next, numberBefore(next)) && isNewer(numberBefore(next), last)).toBe(true);
        last = next;
      }
    }),
  );
});

test('a number that knows nothing of those before is newer, where they are younger than 128 s', () => {
  fc.assert(
    fc.property(start, fc.integer({ min: 1, max: 128_000 }), (wall, later) => {
      expect(isNewer(nextNumber(undefined, wall + later), nextNumber(undefined, wall))).toBe(true);
    }),
  );
});
