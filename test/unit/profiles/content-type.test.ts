import { describe, expect, test } from 'vitest';
import { hex, parseHex } from '../../../src/base/bytes.ts';
import { type ContentEncoding, makeContentType } from '../../../src/profiles/content-type.ts';

const make = (encoding: ContentEncoding, scale?: number, offset?: number) =>
  makeContentType({ type: 0x8001, name: 'value', encoding, scale, offset });

const bytesOf = (digits: string): Uint8Array => parseHex(digits) ?? new Uint8Array(0);

describe('bytes and values stand for each other', () => {
  test.each<[ContentEncoding, string, unknown]>([
    ['u8', 'ff', 255],
    ['u16', '0102', 258],
    ['u32', 'ffffffff', 4_294_967_295],
    ['u64', '001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['u64', 'ffffffffffffffff', 18_446_744_073_709_551_615n],
    ['i8', '80', -128],
    ['i16', 'fffe', -2],
    ['i32', '80000000', -2_147_483_648],
    ['i64', 'ffffffffffffffff', -1],
    ['i64', '8000000000000000', -9_223_372_036_854_775_808n],
    ['f32', '41a8cccd', 21.1],
    ['f32', '7f800000', Number.POSITIVE_INFINITY],
    ['f64', '3ff199999999999a', 1.1],
    ['bool', '01', true],
    ['bool', '00', false],
    ['utf8', 'c3a9', 'é'],
    ['utf8', '', ''],
    ['bytes', '00ff', Uint8Array.of(0, 255)],
    ['cbor', 'f94d60', 21.5],
    ['cbor', 'a1616101', { a: 1 }],
  ])('%s %s', (encoding, digits, value) => {
    const content = make(encoding);
    expect(content.decode(bytesOf(digits))).toEqual(value);
    expect(hex(content.encode(value))).toBe(digits);
  });
});

describe('bytes that are no value', () => {
  test.each<[ContentEncoding, string, string]>([
    ['u8', '', '0 bytes instead of 1'],
    ['i16', '010203', '3 bytes instead of 2'],
    ['f64', '00', '1 bytes instead of 8'],
    ['bool', '02', '0x02 stands for nothing'],
    ['utf8', 'ff', 'utf8'],
    ['cbor', '', 'cbor'],
    ['cbor', '0102', 'cbor'],
    ['cbor', '81'.repeat(40), 'cbor'],
  ])('%s %s', (encoding, digits, why) => {
    expect(() => make(encoding).decode(bytesOf(digits))).toThrow(
      expect.objectContaining({ code: 'HSK-2301', message: expect.stringContaining(why) as string }),
    );
  });
});

describe('values that do not fit', () => {
  test.each<[ContentEncoding, unknown]>([
    ['u8', 256],
    ['u8', -1],
    ['u8', 1.5],
    ['u8', '1e2'],
    ['i8', 128],
    ['u64', '18446744073709551616'],
    ['i32', null],
    ['f32', '21'],
    ['bool', 1],
    ['utf8', 5],
    ['utf8', '\ud800'],
    ['bytes', 'not base64!'],
  ])('%s %j', (encoding, value) => {
    expect(() => make(encoding).encode(value)).toThrow(expect.objectContaining({ code: 'HSK-2302' }));
  });

  test('are told what would fit', () => {
    expect(() => make('i8').encode(200)).toThrow('value takes an integer from -128 to 127');
  });
});

describe('fixed-point', () => {
  test.each([
    [0.01, 0, '0866', 21.5],
    [0.1, 0, '0003', 0.3],
    [0.01, -40, '1806', 21.5],
    [0.5, 0, 'ffff', -0.5],
    [1e-7, 0, '0007', 7e-7],
    [10, 5, '0002', 25],
  ])('integer x %d + %d: %s is %d, without the noise of binary fractions', (scale, offset, digits, value) => {
    const content = make('i16', scale, offset);
    expect(content.decode(bytesOf(digits))).toBe(value);
    expect(hex(content.encode(value))).toBe(digits);
  });

  test('rounds to the nearest step and refuses what is out of range', () => {
    const content = make('i16', 0.1);
    expect(hex(content.encode(21.54))).toBe('00d7');
    expect(() => content.encode(4000)).toThrow(expect.objectContaining({ code: 'HSK-2302' }));
    expect(() => content.encode(Number.NaN)).toThrow(expect.objectContaining({ code: 'HSK-2302' }));
  });

  test('goes with integers only', () => {
    for (const encoding of ['f32', 'utf8', 'bool'] as const) {
      expect(() => make(encoding, 0.1)).toThrow(expect.objectContaining({ code: 'HSK-2303' }));
    }
    expect(() => make('u8', 0)).toThrow(expect.objectContaining({ code: 'HSK-2303' }));
  });
});

test('values in the forms of JSON are taken: digits, names of numbers, base64', () => {
  expect(hex(make('u64').encode('18446744073709551615'))).toBe('ffffffffffffffff');
  expect(hex(make('f32').encode('Infinity'))).toBe('7f800000');
  expect(hex(make('bytes').encode('AP8='))).toBe('00ff');
  expect(hex(make('bytes').encode('-_8'))).toBe('fbff');
});

test('CBOR tags make no objects of the host', () => {
  // Tag 35 would be a regular expression, tag 32 a URL.
  expect(make('cbor').decode(bytesOf('d8236161'))).toMatchObject({ tag: 35, contents: 'a' });
});
