import { describe, expect, test } from 'vitest';
import { fragment, FragmentJoiner } from '../../../src/session/fragments.ts';
import { Inbound } from '../../../src/session/inbound.ts';
import { Line } from '../../../src/session/line.ts';
import { RoundTrip } from '../../../src/session/round-trip.ts';
import { ageOf, timestampAt } from '../../../src/session/session-clock.ts';
import { decodeShort, type ShortFragment } from '../../../src/wire/short-form.ts';

describe('RoundTrip (clause 6.3.2, RFC 6298)', () => {
  test('waits a second before the first sample', () => {
    expect(new RoundTrip().timeout).toBe(1000);
  });

  test('starts with the sample and half of it as its variation', () => {
    const roundTrip = new RoundTrip();
    roundTrip.sample(100);
    expect([roundTrip.smoothed, roundTrip.timeout]).toEqual([100, 300]);
    roundTrip.sample(140);
    // Variation 50 + (40 - 50) / 4, smoothed 100 + 40 / 8.
    expect([roundTrip.smoothed, roundTrip.timeout]).toEqual([105, 105 + 4 * 47.5]);
  });

  test('allows for a late ACK however steady the round trip is', () => {
    const roundTrip = new RoundTrip();
    for (let n = 0; n < 100; n += 1) roundTrip.sample(200);
    expect(roundTrip.timeout).toBe(220);
  });

  test('never waits less than 50 ms', () => {
    const roundTrip = new RoundTrip();
    roundTrip.sample(1);
    expect(roundTrip.timeout).toBe(50);
  });
});

describe('Line (clause 6.3.3)', () => {
  test('takes ten bits a byte and knows when it is free', () => {
    const line = new Line(9600);
    expect(line.duration(96)).toBe(100);
    expect(line.drains(100)).toBe(96);
    line.put(96, 1000);
    line.put(96, 1000);
    expect([line.freeAt(1000), line.freeAt(5000)]).toEqual([1200, 5000]);
    expect(line.readyAt).toBe(1180);
  });

  test('without a bit rate is always free', () => {
    const line = new Line(undefined);
    line.put(1e6, 10);
    expect([line.freeAt(10), line.duration(100), line.drains(1)]).toEqual([10, 0, Number.POSITIVE_INFINITY]);
  });
});

describe('the session clock (clause 3.1.3)', () => {
  test('is 1 at the beginning and wraps at 2^32 without saying 0', () => {
    expect(timestampAt(500, 500)).toBe(1);
    expect(timestampAt(-(2 ** 32 - 2), 0)).toBe(2 ** 32 - 1);
    expect(timestampAt(-(2 ** 32 - 1), 0)).toBe(1);
    expect(timestampAt(-(2 ** 32 + 5), 0)).toBe(6);
  });

  test('gives ages across the wrap, none below zero, and none where nobody knows', () => {
    expect(ageOf(2 ** 32 - 10, -(2 ** 32 + 5), 0, 20)).toEqual({ ms: 16, uncertainty: 20 });
    expect(ageOf(500, 0, 100, 0.2)).toEqual({ ms: 0, uncertainty: 1 });
    expect(ageOf(0, 0, 100, 20)).toEqual({ ms: 0, uncertainty: undefined });
  });
});

describe('Inbound (clause 5.1.3)', () => {
  test('forgets what came early when told to', () => {
    const inbound = new Inbound<string>({ received: 4, reorderMessages: 2 });
    expect(inbound.keep(6, 'six')).toBe(true);
    inbound.forgetEarly();
    expect(inbound.advance()).toBe(5);
    expect(inbound.takeNext()).toBeUndefined();
  });

  test('does not settle what was not received', () => {
    const inbound = new Inbound<string>({ received: 4, reorderMessages: 2 });
    expect([inbound.settle(4), inbound.settle(5)]).toEqual([false, false]);
    inbound.advance();
    expect([inbound.settle(5), inbound.settle(5)]).toEqual([true, false]);
  });
});

describe('fragments (clause 6.6.1)', () => {
  const frame = Uint8Array.from({ length: 100 }, (_, index) => index);

  function pieces(id8: number): ShortFragment[] {
    return (fragment(frame, 40, id8) ?? []).map((piece) => decodeShort(piece) as ShortFragment);
  }

  test('another frame’s fragments discard what was begun', () => {
    let lost = 0;
    const joiner = new FragmentJoiner(() => (lost += 1));
    const [a0, a1, a2] = pieces(1);
    const [b0, b1, b2] = pieces(2);
    if (!a0 || !a1 || !a2 || !b0 || !b1 || !b2) throw new Error('three fragments were expected');
    expect([a0, a1, b0, b1].map((piece) => joiner.add(piece))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(lost).toBe(1);
    expect(joiner.add(b2)).toEqual(frame);
    joiner.add(a0);
    expect(joiner.add(b1)).toBeUndefined();
    expect(joiner.add(a2)).toBeUndefined();
    expect(lost).toBe(3);
    joiner.add(a0);
    joiner.clear();
    expect(lost).toBe(4);
  });

  test('end where the index byte does', () => {
    expect(fragment(new Uint8Array(256 * 29), 32, 0)).toHaveLength(256);
    expect(fragment(new Uint8Array(256 * 29 + 1), 32, 0)).toBeUndefined();
    expect(fragment(frame, 3, 0)).toBeUndefined();
  });

  test('are joined up to the longest message', () => {
    let lost = 0;
    const joiner = new FragmentJoiner(() => (lost += 1));
    const bytes = new Uint8Array(1000);
    for (let index = 0; index < 66; index += 1) {
      joiner.add({ kind: 7, last: index === 65, id8: 0, index, bytes });
    }
    expect(lost).toBe(1);
  });
});
