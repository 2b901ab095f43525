import { describe, expect, test } from 'vitest';

import { hex, parseHex, utf8 } from '../../../src/base/bytes.ts';
import { decodeRecord, encodeRecord } from '../../../src/spool/record-codec.ts';
import type { Publication } from '../../../src/wire/publication.ts';

const reading: Publication = {
  topic: 'a/b',
  content: utf8('content!'),
  reliable: true,
  retain: false,
  origin: { clientId: 'n1', sessionId: '0102030405060708', messageId: 5 },
  taken: { at: 0x1_0000_0000, uncertainty: 3 },
};

describe('a stored record', () => {
  test('has the layout that lies on disks', () => {
    const expected = `
      01 0035 0000000100000000 03
      03 612f62  02 6e31  08 0102030405060708  00000005
      636f6e74656e7421  2e31236c`;
    expect(hex(encodeRecord(reading))).toBe(hex(parseHex(expected) ?? new Uint8Array()));
    expect(decodeRecord(encodeRecord(reading))).toEqual(reading);
  });

  test('costs 31 bytes beside topic, client and content for a reliable reading', () => {
    expect(encodeRecord(reading).length - 3 - 2 - 8).toBe(31);
  });

  test('keeps times in whole milliseconds and never understates an uncertainty', () => {
    const record = encodeRecord({ ...reading, taken: { at: 1000.6, uncertainty: 2.2 } });
    expect(decodeRecord(record).taken).toEqual({ at: 1001, uncertainty: 3 });
  });

  test.each([Number.NaN, -1, Infinity])('refuses the time %d', (at) => {
    expect(() => encodeRecord({ ...reading, taken: { at } })).toThrow('HSK-1105');
    expect(() => encodeRecord({ ...reading, expiresAt: at })).toThrow('HSK-1105');
  });

  test('refuses a session id that is not hex', () => {
    expect(() => encodeRecord({ ...reading, origin: { clientId: 'n1', sessionId: 'xyz' } })).toThrow(
      'HSK-1105',
    );
  });
});
