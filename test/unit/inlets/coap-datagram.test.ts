import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex, parseHex, utf8 } from '../../../src/base/bytes.ts';
import { HashikeError } from '../../../src/base/errors.ts';
import {
  codeByte,
  CoapOption,
  CoapType,
  encodeDatagram,
  malformedConfirmable,
  parseDatagram,
  uintOf,
  uintOption,
} from '../../../src/inlets/coap-datagram.ts';

const bytesOf = (digits: string): Uint8Array => parseHex(digits) ?? new Uint8Array(0);

test('the example of RFC 7252, appendix A, reads as it is described there', () => {
  const get = parseDatagram(bytesOf('4101 7d35 20 bb 74656d7065726174757265'));
  expect(get).toMatchObject({
    type: CoapType.CON,
    code: 0x01,
    messageId: 0x7d35,
    token: Uint8Array.of(0x20),
  });
  expect(get.options).toEqual([{ number: CoapOption.URI_PATH, value: utf8('temperature') }]);
  const content = bytesOf('6145 7d35 20 ff 32322e332043');
  expect(parseDatagram(content)).toMatchObject({
    type: CoapType.ACK,
    code: codeByte('2.05'),
    payload: utf8('22.3 C'),
  });
  expect(hex(encodeDatagram(parseDatagram(content)))).toBe(hex(content));
});

test('option numbers and lengths of one, two and three bytes', () => {
  const options = [
    uintOption(CoapOption.OBSERVE, 0),
    uintOption(CoapOption.MAX_AGE, 86_400),
    uintOption(CoapOption.SIZE1, 1024),
    { number: CoapOption.TOKEN, value: new Uint8Array(300).fill(7) },
    { number: CoapOption.TOKEN, value: new Uint8Array(13).fill(8) },
  ];
  const message = {
    type: CoapType.NON,
    code: 2,
    messageId: 9,
    token: new Uint8Array(0),
    options,
    payload: utf8('x'),
  };
  expect(parseDatagram(encodeDatagram(message))).toEqual(message);
});

test.each([
  [0, ''],
  [1, '01'],
  [255, 'ff'],
  [256, '0100'],
  [86_400, '015180'],
])('the number %i is %s in an option', (value, digits) => {
  expect(hex(uintOption(14, value).value)).toBe(digits);
  expect(uintOf(bytesOf(digits))).toBe(value);
});

describe('a malformed message is answered with a reset where it is confirmable', () => {
  test.each([
    ['40 01 00 07 b5 61', 7],
    ['50 01 00 07 b5 61', undefined],
    ['80 01 00 07', undefined],
    ['40 01 00', undefined],
  ])('%s', (digits, messageId) => expect(malformedConfirmable(bytesOf(digits))).toBe(messageId));
});

test('any message that can be written reads back the same', () => {
  const option = fc.record({ number: fc.nat(65_000), value: fc.uint8Array({ maxLength: 300 }) });
  const message = fc.record({
    type: fc.constantFrom(CoapType.CON, CoapType.NON, CoapType.ACK, CoapType.RST),
    code: fc.integer({ min: 1, max: 255 }),
    messageId: fc.nat(0xffff),
    token: fc.uint8Array({ maxLength: 8 }),
    options: fc.array(option, { maxLength: 6 }).map((all) => all.toSorted((a, b) => a.number - b.number)),
    payload: fc.uint8Array({ maxLength: 100 }),
  });
  fc.assert(
    fc.property(message, (each) => {
      expect(parseDatagram(encodeDatagram(each))).toEqual(each);
    }),
  );
});

test('any bytes read as a message or as a typed error of the peer', () => {
  const headed = fc.uint8Array({ minLength: 3, maxLength: 60 }).map((rest) => Uint8Array.of(0x42, ...rest));
  fc.assert(
    fc.property(fc.oneof(headed, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      try {
        expect(parseDatagram(bytes).token.length).toBeLessThanOrEqual(8);
      } catch (error) {
        if (!(error instanceof HashikeError)) throw error;
        expect(error.fault).toBe('peer');
      }
    }),
    { numRuns: 2000 },
  );
});
