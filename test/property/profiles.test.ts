import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { textOf } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';
import { parseCommand } from '../../src/profiles/command.ts';
import { type ContentEncoding, makeContentType } from '../../src/profiles/content-type.ts';
import { toJson } from '../../src/profiles/json-value.ts';
import { renderPayload } from '../../src/profiles/payload.ts';
import { compileProfiles } from '../../src/profiles/profiles.ts';
import { encodeContent } from '../../src/wire/content.ts';

const fixedLengths = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  i8: 1,
  i16: 2,
  i32: 4,
  i64: 8,
  f32: 4,
  f64: 8,
} as const;
const encodings = [...Object.keys(fixedLengths), 'bool', 'utf8', 'bytes', 'cbor'] as ContentEncoding[];

const profiles = compileProfiles({
  profiles: {
    all: {
      contents: encodings.map((encoding, index) => ({ type: 0x8001 + index, name: encoding, encoding })),
      aliases: encodings.map((encoding, index) => ({ alias: index, topic: encoding, layout: [encoding] })),
      commands: [],
    },
  },
  clients: [{ name: 'node', profile: 'all', shared: false }],
});

const anyNumber = fc
  .constantFrom(...(Object.entries(fixedLengths) as [keyof typeof fixedLengths, number][]))
  .chain(([encoding, length]) =>
    fc.tuple(fc.constant(encoding), fc.uint8Array({ minLength: length, maxLength: length })),
  );

test('every number survives the way to JSON and back', () => {
  fc.assert(
    fc.property(anyNumber, ([encoding, bytes]) => {
      const content = makeContentType({ type: 0x8001, name: 'x', encoding });
      const value = content.decode(bytes);
      const back: unknown = JSON.parse(JSON.stringify(toJson(value)));
      // One NaN is as good as another, and JSON has one zero.
      expect(toJson(content.decode(content.encode(back)))).toEqual(toJson(value === 0 ? 0 : value));
    }),
  );
});

test('fixed-point reads back the integer that it was written with', () => {
  const scale = fc.constantFrom(0.001, 0.01, 0.1, 0.25, 0.5, 2, 10, 1 / 3);
  fc.assert(
    fc.property(
      fc.integer({ min: -32_768, max: 32_767 }),
      scale,
      fc.integer({ min: -50, max: 50 }),
      (whole, scale, offset) => {
        const plain = makeContentType({ type: 0x8001, name: 'x', encoding: 'i16' });
        const fixed = makeContentType({ type: 0x8001, name: 'x', encoding: 'i16', scale, offset });
        const bytes = plain.encode(whole);
        expect(fixed.encode(fixed.decode(bytes))).toEqual(bytes);
      },
    ),
  );
});

test('whatever a node sends is rendered, in every format, without an error', () => {
  const sections = fc.array(
    fc.record({
      contentType: fc.integer({ min: 0x8000, max: 0x8010 }),
      value: fc.uint8Array({ maxLength: 30 }),
    }),
    { maxLength: 5 },
  );
  const content = fc.oneof(sections.map(encodeContent), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(
      content,
      fc.double({ noNaN: true }),
      fc.constantFrom('json', 'senml', 'raw'),
      (bytes, at, format) => {
        const publication = {
          topic: 'x',
          content: bytes,
          reliable: false,
          retain: false,
          origin: { clientId: 'node' },
          taken: { at },
        };
        const context = { profile: profiles.forClient('node'), gateway: 'g', id: 'i' };
        const payload = renderPayload(publication, format, context);
        if (format !== 'raw') expect(() => JSON.parse(textOf(payload.bytes)) as unknown).not.toThrow();
      },
    ),
    { numRuns: 500 },
  );
});

test('whatever comes from upstream becomes content or a typed error', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(
      payload,
      fc.constantFrom(...encodings, 'unknown'),
      fc.constantFrom('json', 'senml', 'raw'),
      (bytes, topic, format) => {
        try {
          expect(parseCommand(topic, bytes, format, profiles).length % 4).toBe(0);
        } catch (error) {
          if (!(error instanceof HashikeError)) throw error;
          expect(error.fault).not.toBe('bug');
        }
      },
    ),
    { numRuns: 1000 },
  );
});
