import { crc32 } from 'node:zlib';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { concat } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';
import { decodeRecord, encodeRecord } from '../../src/spool/record-codec.ts';
import { anyPublication } from '../support/publications.ts';

function sealed(body: Uint8Array): Uint8Array {
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, crc32(body));
  return concat([body, checksum]);
}

/** The code of the error with which decoding fails; undefined when it does not. */
function failureOf(record: Uint8Array): unknown {
  try {
    decodeRecord(record);
    return undefined;
  } catch (error) {
    return error instanceof HashikeError ? error.code : error;
  }
}

describe('a stored record', () => {
  test('gives back any publication', () => {
    fc.assert(
      fc.property(anyPublication, (publication) => {
        expect(decodeRecord(encodeRecord(publication))).toEqual(publication);
      }),
      { numRuns: 500 },
    );
  });

  test('is found out when any of its bits was flipped or its end is missing', () => {
    fc.assert(
      fc.property(anyPublication, fc.nat(), fc.nat(), (publication, position, length) => {
        const record = encodeRecord(publication);
        const flipped = new Uint8Array(record);
        const at = position % (record.length * 8);
        flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
        expect(() => decodeRecord(flipped)).toThrow('HSK-2209');
        expect(() => decodeRecord(record.subarray(0, length % record.length))).toThrow('HSK-2209');
      }),
      { numRuns: 500 },
    );
  });

  test('of random bytes gives only typed errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (record) => {
        expect(failureOf(record)).toBe('HSK-2209');
      }),
      { numRuns: 500 },
    );
  });

  test('of random bytes under a right checksum gives only typed errors', () => {
    const header = fc
      .tuple(fc.integer({ min: 0, max: 2 }), fc.nat(0x1ff), fc.uint8Array({ maxLength: 64 }))
      .map(([version, flags, rest]) => concat([new Uint8Array([version, flags >> 8, flags & 0xff]), rest]));
    fc.assert(
      fc.property(header, (body) => {
        expect([undefined, 'HSK-2209']).toContain(failureOf(sealed(body)));
      }),
      { numRuns: 2000 },
    );
  });
});
