import { describe, expect, test } from 'vitest';
import { parseHex, textOf, utf8 } from '../../../src/base/bytes.ts';
import { ContentFormat, readContent, represent } from '../../../src/inlets/coap-content.ts';
import { parseQueries } from '../../../src/inlets/coap-query.ts';
import { compileProfiles } from '../../../src/profiles/profiles.ts';
import { encodeContent } from '../../../src/wire/content.ts';

const profile = compileProfiles({
  profiles: {
    p: {
      contents: [
        { type: 0x8001, name: 'temperature', encoding: 'i16', scale: 0.1 },
        { type: 0x8002, name: 'counter', encoding: 'u64' },
        { type: 0x8003, name: 'note', encoding: 'utf8' },
        { type: 0x8004, name: 'open', encoding: 'bool' },
      ],
      aliases: ['temperature', 'counter', 'note', 'open'].map((name, alias) => ({
        alias,
        topic: name,
        layout: [name],
      })),
      commands: [],
    },
  },
  clients: [{ name: 'node', profile: 'p', shared: false }],
}).forClient('node');

const content = (type: number, ...bytes: readonly number[]): Uint8Array =>
  encodeContent([{ contentType: type, value: Uint8Array.from(bytes) }]);
const { TEXT, OCTETS, JSON: JSON_FORMAT, CBOR } = ContentFormat;

describe('what a device publishes', () => {
  test.each([
    ['temperature', TEXT, utf8('-0.3'), content(0x8001, 0xff, 0xfd)],
    ['counter', TEXT, utf8('18446744073709551615'), content(0x8002, 255, 255, 255, 255, 255, 255, 255, 255)],
    ['note', TEXT, utf8('42'), content(0x8003, 0x34, 0x32)],
    ['open', TEXT, utf8('true'), content(0x8004, 1)],
    ['open', OCTETS, Uint8Array.of(1), content(0x8004, 1)],
    ['elsewhere', undefined, Uint8Array.of(1, 2), content(0x8000, 1, 2)],
    ['elsewhere', JSON_FORMAT, utf8('{"open":false}'), content(0x8004, 0)],
    ['elsewhere', CBOR, parseHex('a1646f70656ef4') ?? new Uint8Array(0), content(0x8004, 0)],
  ])('to %s in format %s', (topic, format, payload, expected) => {
    expect(readContent(profile, topic, format, payload)).toEqual(expected);
  });

  test.each([
    ['temperature', TEXT, utf8('warm'), 'HSK-2302'],
    ['temperature', TEXT, utf8(''), 'HSK-2302'],
    ['temperature', TEXT, Uint8Array.of(0xff), 'HSK-1102'],
    ['temperature', OCTETS, Uint8Array.of(1), 'HSK-4004'],
    ['elsewhere', TEXT, utf8('1'), 'HSK-4004'],
    ['elsewhere', JSON_FORMAT, utf8('{'), 'HSK-4004'],
    ['elsewhere', JSON_FORMAT, utf8('5'), 'HSK-2302'],
    ['elsewhere', JSON_FORMAT, utf8('{"other":1}'), 'HSK-2302'],
    ['elsewhere', CBOR, Uint8Array.of(0x9f), 'HSK-4004'],
    ['elsewhere', 9999, utf8('1'), 'HSK-4006'],
  ])('to %s in format %s, wrongly, is told with its code', (topic, format, payload, code) => {
    expect(() => readContent(profile, topic, format, payload)).toThrow(expect.objectContaining({ code }));
  });
});

describe('what a device reads', () => {
  const reading = content(0x8001, 0, 215);

  test.each([
    [undefined, '\u0000\u00d7'],
    [TEXT, '21.5'],
    [JSON_FORMAT, '{"temperature":21.5}'],
    [CBOR, '\u00a1ktemperature\u00f9M`'],
  ])('in format %s', (accept, expected) => {
    expect(Buffer.from(represent(profile, reading, accept).payload).toString('latin1')).toBe(expected);
  });

  test('has the names of types that no profile knows', () => {
    const { payload } = represent(profile, content(0x8abc, 1), JSON_FORMAT);
    expect(textOf(payload)).toBe('{"0x8ABC":"AQ=="}');
  });

  test.each([
    [content(0x8abc, 1), TEXT],
    [encodeContent([]), TEXT],
    [reading, 40],
  ])('is refused where the format can’t hold it', (raw, accept) => {
    expect(() => represent(profile, raw, accept)).toThrow(expect.objectContaining({ code: 'HSK-4007' }));
  });
});

const parse = (...texts: readonly string[]): unknown => parseQueries(texts.map(utf8));

describe('queries', () => {
  test('are read', () => {
    expect(parse('t=a=b', 'id=4294967295', 'age=0')).toEqual({
      token: utf8('a=b'),
      id: 4_294_967_295,
      age: 0,
    });
    expect(parse()).toEqual({ token: undefined, id: undefined, age: 0 });
  });

  test.each(['id=0', 'id=', 'id=-1', 'id=4294967296', 'id=1.5', 'age=soon', 'ids=1', 'x'])(
    '%s is refused',
    (text) => {
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'HSK-4004' }));
    },
  );

  test('that stand twice are refused', () => {
    expect(() => parse('t=a', 't=b')).toThrow(expect.objectContaining({ code: 'HSK-4004' }));
  });
});
