import { describe, expect, test } from 'vitest';
import { textOf, utf8 } from '../../../src/base/bytes.ts';
import { parseCommand } from '../../../src/profiles/command.ts';
import { type PayloadFormat, renderPayload } from '../../../src/profiles/payload.ts';
import { compileProfiles } from '../../../src/profiles/profiles.ts';
import { publicationId } from '../../../src/profiles/publication-id.ts';
import { encodeContent } from '../../../src/wire/content.ts';
import type { Publication } from '../../../src/wire/publication.ts';

const profiles = compileProfiles({
  profiles: {
    climate: {
      contents: [
        { type: 0x8001, name: 'temperature', unit: 'Cel', encoding: 'i16', scale: 0.01 },
        { type: 0x8002, name: 'humidity', unit: '%RH', encoding: 'u8' },
        { type: 0x8003, name: 'serial', encoding: 'u64' },
        { type: 0x8004, name: 'pressure', encoding: 'f64' },
        { type: 0x8005, name: 'label', encoding: 'utf8' },
        { type: 0x8006, name: 'door', encoding: 'bool' },
        { type: 0x8007, name: 'blob', encoding: 'bytes' },
        { type: 0x8008, name: 'detail', encoding: 'cbor' },
      ],
      aliases: [
        { alias: 1, topic: '{client}/climate', layout: ['temperature', 'humidity'] },
        { alias: 2, topic: '{client}/target', layout: ['temperature'] },
        { alias: 3, topic: '{client}/label', layout: ['humidity', 'label'] },
        { alias: 4, topic: '{client}/detail', layout: ['detail'] },
      ],
      commands: [],
    },
  },
  clients: [{ name: 'hut', profile: 'climate', shared: false }],
});

type Sections = readonly (readonly [type: number, value: Uint8Array])[];

function publication(sections: Sections, change: Partial<Publication> = {}): Publication {
  return {
    topic: 'hut/climate',
    content: encodeContent(sections.map(([contentType, value]) => ({ contentType, value }))),
    reliable: true,
    retain: false,
    origin: { clientId: 'hut', sessionId: '0011223344556677', messageId: 42 },
    taken: { at: Date.UTC(2026, 4, 1, 12, 0, 0, 250), uncertainty: 20 },
    ...change,
  };
}

function render(what: Publication, format: PayloadFormat = 'json'): string {
  const profile = profiles.forClient(what.origin.clientId);
  return textOf(
    renderPayload(what, format, { profile, gateway: 'barn', id: 'barn/0011223344556677/42' }).bytes,
  );
}

const one: Sections = [[0x8001, Uint8Array.of(0x08, 0x66)]];
const two: Sections = [...one, [0x8002, Uint8Array.of(40)]];

describe('JSON upstream', () => {
  test('one value stands in the object itself', () => {
    expect(JSON.parse(render(publication(one)))).toEqual({
      id: 'barn/0011223344556677/42',
      client: 'hut',
      topic: 'hut/climate',
      time: '2026-05-01T12:00:00.250Z',
      uncertainty: 20,
      name: 'temperature',
      value: 21.5,
      unit: 'Cel',
    });
  });

  test('several values stand in a list, and an unknown certainty is null', () => {
    const taken = { at: Date.UTC(2026, 4, 1) };
    expect(JSON.parse(render(publication(two, { taken })))).toMatchObject({
      uncertainty: null,
      values: [
        { name: 'temperature', value: 21.5, unit: 'Cel' },
        { name: 'humidity', value: 40, unit: '%RH' },
      ],
    });
  });

  test('no value is an empty list', () => {
    expect(JSON.parse(render(publication([])))).toMatchObject({ values: [] });
  });

  test.each([
    ['an unknown type', 0x8abc, [1, 2], { name: '0x8ABC', value: 'AQI=', encoding: 'base64' }],
    ['bytes', 0x8007, [255], { name: 'blob', value: '/w==', encoding: 'base64' }],
    [
      'an integer beyond 2^53',
      0x8003,
      [255, 255, 255, 255, 255, 255, 255, 255],
      { value: '18446744073709551615' },
    ],
    ['no number', 0x8004, [0x7f, 0xf8, 0, 0, 0, 0, 0, 0], { value: 'NaN' }],
    ['an infinity', 0x8004, [0xff, 0xf0, 0, 0, 0, 0, 0, 0], { value: '-Infinity' }],
    ['a truth value', 0x8006, [1], { value: true }],
    ['text', 0x8005, [0xc3, 0xa9], { value: 'é' }],
    ['a structure', 0x8008, [0xa1, 0x61, 0x61, 0x41, 0xff], { value: { a: '/w==' } }],
  ])('%s', (_, type, bytes, expected) => {
    expect(JSON.parse(render(publication([[type, Uint8Array.from(bytes)]])))).toMatchObject(expected);
  });

  test('bytes that do not fit are kept beside the problem', () => {
    const payload: unknown = JSON.parse(render(publication([[0x8001, Uint8Array.of(1, 2, 3)]])));
    expect(payload).toMatchObject({ name: 'temperature', value: 'AQID', encoding: 'base64' });
    expect(payload).toHaveProperty('problem', expect.stringContaining('3 bytes instead of 2'));
  });

  test('content that is no sections is kept as a whole', () => {
    const payload: unknown = JSON.parse(render(publication([], { content: Uint8Array.of(1, 2, 3) })));
    expect(payload).toMatchObject({ name: 'content', value: 'AQID', encoding: 'base64' });
  });
});

describe('SenML upstream (RFC 8428)', () => {
  test('is one pack with a base of gateway and topic', () => {
    expect(JSON.parse(render(publication(two), 'senml'))).toEqual([
      {
        bn: 'barn/hut/climate/',
        bt: 1777636800.25,
        id: 'barn/0011223344556677/42',
        uncertainty: 20,
        n: 'temperature',
        u: 'Cel',
        v: 21.5,
      },
      { n: 'humidity', u: '%RH', v: 40 },
    ]);
  });

  test.each([
    [0x8005, [0x61], { vs: 'a' }],
    [0x8006, [0], { vb: false }],
    [0x8007, [251, 255], { vd: '-_8' }],
    [0x8008, [0xa1, 0x61, 0x61, 0x01], { vs: '{"a":1}' }],
    [0x8001, [1, 2, 3], { vd: 'AQID' }],
  ])('type %i has its own field', (type, bytes, expected) => {
    expect(JSON.parse(render(publication([[type, Uint8Array.from(bytes)]]), 'senml'))).toMatchObject([
      expected,
    ]);
  });

  test('names hold only what the RFC allows', () => {
    const [record] = JSON.parse(render(publication(one, { topic: 'hütte/öl' }), 'senml')) as [{ bn: string }];
    expect(record.bn).toBe('barn/h_tte/_l/');
  });
});

test('raw upstream is the values without types and lengths', () => {
  const { bytes, contentType } = renderPayload(publication(two), 'raw', {
    profile: profiles.forClient('hut'),
    gateway: 'barn',
    id: 'x',
  });
  expect([...bytes]).toEqual([0x08, 0x66, 40]);
  expect(contentType).toBe('application/octet-stream');
});

const parse = (topic: string, payload: string | Uint8Array, format: PayloadFormat = 'json'): Uint8Array =>
  parseCommand(topic, typeof payload === 'string' ? utf8(payload) : payload, format, profiles);

describe('a command', () => {
  const climate = encodeContent([
    { contentType: 0x8001, value: Uint8Array.of(0x08, 0x66) },
    { contentType: 0x8002, value: Uint8Array.of(40) },
  ]);
  const target = encodeContent([{ contentType: 0x8001, value: Uint8Array.of(0x08, 0x66) }]);
  test.each(['21.5', '{"value":21.5}', '{"temperature":21.5}'])('of one value: %s', (payload) => {
    expect(parse('hut/target', payload)).toEqual(target);
  });

  test('of several values, in any order', () => {
    expect(parse('hut/climate', '{"humidity":40,"temperature":21.5}')).toEqual(climate);
  });

  test('of a structure', () => {
    const detail = encodeContent([{ contentType: 0x8008, value: Uint8Array.of(0xa1, 0x61, 0x61, 0x01) }]);
    expect(parse('hut/detail', '{"a":1}')).toEqual(detail);
    expect(parse('hut/detail', '{"value":{"a":1}}')).toEqual(detail);
  });

  test('in SenML, under short or full names', () => {
    expect(parse('hut/climate', '[{"n":"temperature","v":21.5},{"n":"humidity","v":40}]', 'senml')).toEqual(
      climate,
    );
    const full = '[{"bn":"barn/hut/climate/","n":"humidity","v":40},{"n":"temperature","v":21.5}]';
    expect(parse('hut/climate', full, 'senml')).toEqual(climate);
  });

  test('in raw bytes: by the layout where they fit it, else opaque', () => {
    expect(parse('hut/climate', Uint8Array.of(0x08, 0x66, 40), 'raw')).toEqual(climate);
    const opaque = encodeContent([{ contentType: 0x8000, value: Uint8Array.of(1) }]);
    expect(parse('hut/climate', Uint8Array.of(1), 'raw')).toEqual(opaque);
  });

  test('to a topic without a layout is the bytes as they are', () => {
    const content = encodeContent([{ contentType: 0x8000, value: utf8('{"on":true}') }]);
    expect(parse('hut/other', '{"on":true}')).toEqual(content);
  });

  test.each([
    ['hut/target', 'warm', 'HSK-2304', 'an integer from -32768 to 32767'],
    ['hut/target', '"warm"', 'HSK-2302', 'an integer from -32768 to 32767'],
    ['hut/target', '{"celsius":21.5}', 'HSK-2302', '"temperature"'],
    ['hut/climate', '21.5', 'HSK-2302', '"humidity"'],
    ['hut/climate', '{"temperature":21.5}', 'HSK-2302', '"humidity"'],
    ['hut/climate', '{"temperature":21.5,"humidity":40,"x":1}', 'HSK-2302', '"humidity"'],
  ])('to %s that is %s is refused with what would fit', (topic, payload, code, fits) => {
    expect(() => parse(topic, payload)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(fits) as string }),
    );
  });

  test.each(['{}', '[1]', '[{"bn":5}]', '[{"n":"temperature","v":1},{"n":"temperature","v":2}]'])(
    'in SenML that is %s is refused',
    (payload) => {
      expect(() => parse('hut/target', payload, 'senml')).toThrow(
        expect.objectContaining({ code: 'HSK-2304' }),
      );
    },
  );
});

describe('the identifier', () => {
  test.each([
    [{ clientId: 'hut', sessionId: 'aa', messageId: 7 }, 'barn/aa/7'],
    [{ clientId: 'hut', sessionId: 'aa', messageId: 7, part: 2 }, 'barn/aa/7/2'],
    [{ clientId: 'hut', messageId: 7 }, 'barn/hut/7'],
    [{ clientId: 'hut', sessionId: 'aa' }, 'barn/5b0071/9'],
    [{ clientId: 'hut' }, 'barn/5b0071/9'],
  ])('of %j', (origin, id) => {
    expect(publicationId('barn', publication(one, { origin }), '5b0071', 9)).toBe(id);
  });
});
