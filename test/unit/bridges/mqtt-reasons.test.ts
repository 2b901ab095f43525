import { describe, expect, test } from 'vitest';
import { connectFailure, verdictOf } from '../../../src/bridges/mqtt-reasons.ts';

const failure = (code: string | number): string =>
  connectFailure('mqtt://broker', Object.assign(new Error('text'), { code })).code;

describe('what an MQTT broker answers', () => {
  test('success, also without a subscriber, is taken', () => {
    expect([0x00, 0x10].map((code) => verdictOf(code).kind)).toEqual(['taken', 'taken']);
  });

  test('what speaks of the message is refused, the rest is tried again, a quota for ever', () => {
    expect([0x87, 0x90, 0x99].map((code) => verdictOf(code).kind)).toEqual(['refused', 'refused', 'refused']);
    for (const code of [0x80, 0x83, 0x91]) {
      expect(verdictOf(code)).toEqual({ kind: 'again', forever: false, reason: 'upstream-refuses-for-now' });
    }
    expect(verdictOf(0x97)).toMatchObject({ kind: 'again', forever: true });
  });

  test('a connection that is not made says whose fault it is', () => {
    expect([4, 5, 0x86, 0x87].map(failure)).toEqual(Array(4).fill('HSK-4103'));
    expect([1, 2, 3, 0x84, 0x88].map(failure)).toEqual(Array(5).fill('HSK-4106'));
    expect(
      ['DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'].map(
        failure,
      ),
    ).toEqual(Array(3).fill('HSK-4104'));
    expect(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT'].map(failure)).toEqual(
      Array(4).fill('HSK-4102'),
    );
    expect(connectFailure('mqtt://broker', new Error('connack timeout')).code).toBe('HSK-4102');
  });
});
