import { describe, expect, test } from 'vitest';
import { hex, parseHex } from '../../../src/base/bytes.ts';

describe('hex', () => {
  test.each([0, 1, 8, 1023, 1024, 1025, 3000, 200_000])(
    'of %i bytes is what Buffer makes of them',
    (length) => {
      const bytes = Uint8Array.from({ length }, (_, index) => index * 7);
      const digits = hex(bytes);
      expect(digits === Buffer.from(bytes).toString('hex')).toBe(true);
      expect(Buffer.from(parseHex(digits) ?? []).equals(bytes)).toBe(true);
    },
  );

  test('of a view is that of its bytes alone', () => {
    expect(hex(Uint8Array.of(0, 1, 0xab, 0xff, 9).subarray(1, 4))).toBe('01abff');
  });
});
