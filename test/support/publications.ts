import * as fc from 'fast-check';

import { hex } from '../../src/base/bytes.ts';
import type { Publication } from '../../src/wire/publication.ts';

/** A reliable publication of a node; `messageId` is its content too, so that tests can tell publications apart. */
export function publicationOf(messageId: number, fields: Partial<Publication> = {}): Publication {
  const content = new Uint8Array(12);
  new DataView(content.buffer).setUint32(0, 0x8000_0004);
  new DataView(content.buffer).setUint32(4, messageId);
  return {
    topic: 'greenhouse/1/temperature',
    content,
    reliable: true,
    retain: false,
    origin: { clientId: 'node-1', sessionId: '0102030405060708', messageId },
    taken: { at: Date.UTC(2026, 0, 1), uncertainty: 5 },
    ...fields,
  };
}

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ maxLength }).map((each) => new Uint8Array(each));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: 'grapheme', maxLength });

/** Any publication that can be kept. */
export const anyPublication: fc.Arbitrary<Publication> = fc.record({
  topic: text(40),
  content: bytes(300),
  reliable: fc.boolean(),
  retain: fc.boolean(),
  expiresAt: maybe(time),
  responseTopic: maybe(text(40)),
  correlation: maybe(bytes(40)),
  origin: fc.record({
    clientId: text(20),
    sessionId: maybe(bytes(16).map(hex)),
    messageId: maybe(fc.integer({ min: 0, max: 0xffff_ffff })),
    part: maybe(fc.integer({ min: 0, max: 0xffff_ffff })),
  }),
  taken: fc.record({ at: time, uncertainty: maybe(fc.integer({ min: 0, max: 0xffff_ffff })) }),
});
