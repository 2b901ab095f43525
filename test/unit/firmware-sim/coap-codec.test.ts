import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CoapMessage,
  code,
  codeName,
  decodeCoap,
  encodeCoap,
  option,
  shortUint,
} from '../../../firmware-sim/coap/codec.ts';
import { Malformed } from '../../../firmware-sim/codec/bytes.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('the CoAP codec of the devices', () => {
  test('writes the example of RFC 7252, figure 16', () => {
    const request: CoapMessage = {
      type: 'CON',
      code: code(0, 1),
      messageId: 0x7d34,
      token: new Uint8Array(),
      options: [{ number: option.uriPath, value: new TextEncoder().encode('temperature') }],
      payload: new Uint8Array(),
    };
    expect(encodeCoap(request)).toEqual(bytes('40 01 7d34 bb 74656d7065726174757265'));
    const response = decodeCoap(bytes('60 45 7d34 ff 32322e332043'));
    expect(response).toMatchObject({ type: 'ACK', messageId: 0x7d34, options: [] });
    expect(codeName(response.code)).toBe('2.05');
    expect(Buffer.from(response.payload).toString()).toBe('22.3 C');
  });

  test.each([
    ['nothing', ''],
    ['another version', '80 01 0001'],
    ['a token of nine bytes', '49 01 0001 000102030405060708'],
    ['a token cut short', '42 01 0001 00'],
    ['an empty message with a token', '41 00 0001 00'],
    ['an empty message with a payload', '40 00 0001 ff00'],
    ['a marker without payload', '40 01 0001 ff'],
    ['15 as the delta of an option', '40 01 0001 f0'],
    ['15 as the length of an option', '40 01 0001 0f'],
    ['an option cut short', '40 01 0001 b3 6161'],
  ])('refuses %s', (_, hex) => {
    expect(() => decodeCoap(bytes(hex))).toThrow(Malformed);
  });

  test('numbers take as few bytes as they need', () => {
    expect([0, 1, 255, 256, 65_535, 65_536].map((value) => shortUint(value).length)).toEqual([
      0, 1, 1, 2, 2, 3,
    ]);
  });

  test('what it writes it reads', () => {
    const part = fc.uint8Array({ maxLength: 300 });
    const arbitrary = fc.record({
      type: fc.constantFrom('CON' as const, 'NON' as const, 'ACK' as const, 'RST' as const),
      code: fc.integer({ min: 1, max: 255 }),
      messageId: fc.integer({ min: 0, max: 65_535 }),
      token: fc.uint8Array({ maxLength: 8 }),
      options: fc
        .array(fc.record({ number: fc.integer({ min: 0, max: 65_000 }), value: part }), { maxLength: 5 })
        .map((options) => options.toSorted((one, other) => one.number - other.number)),
      payload: part,
    });
    fc.assert(
      fc.property(arbitrary, (message) => {
        expect(decodeCoap(encodeCoap(message))).toEqual(message);
      }),
    );
  });

  test('no bytes make it throw anything but Malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (input) => {
        try {
          decodeCoap(input);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
