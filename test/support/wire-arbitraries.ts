import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { encodeContent, type ContentSection } from '../../src/wire/content.ts';
import type { AliasEntry, LayoutEntry, Message, Publish, PublishBody } from '../../src/wire/message.ts';
import { MessageType, ShortKind } from '../../src/wire/numbers.ts';
import type { ShortFrame } from '../../src/wire/short-form.ts';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(
  fc.constantFrom(0, 1, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const u53 = fc.maxSafeNat();
const flag = fc.boolean();
const text = fc.string({ unit: 'binary', maxLength: 20 });
const bytes = (minLength: number, maxLength: number): Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });
const maybe = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const list = <T>(arbitrary: Arbitrary<T>): Arbitrary<T[]> => fc.array(arbitrary, { maxLength: 4 });
const some = <T>(arbitrary: Arbitrary<T>): Arbitrary<T[]> =>
  fc.array(arbitrary, { minLength: 1, maxLength: 4 });
/** One of several types that share a shape. */
const type = <K extends keyof typeof MessageType>(...names: K[]): Arbitrary<(typeof MessageType)[K]> =>
  fc.constantFrom(...names.map((name) => MessageType[name]));

const contentType = fc.integer({ min: 0x8000, max: 0xffff });
const reason = fc.record({ code: u16, text });
const contentSection: Arbitrary<ContentSection> = fc.record({ contentType, value: bytes(0, 12) });

/** Content sections as a list. */
export const contentList: Arbitrary<ContentSection[]> = list(contentSection);
const content = contentList.map(encodeContent);

/** A valid layout, fixed or ending in the rest, possibly empty. */
export const layout: Arbitrary<LayoutEntry[]> = fc
  .tuple(
    list(fc.record({ contentType, length: fc.integer({ min: 1, max: 9 }) })),
    maybe(fc.record({ contentType, length: fc.constant(0) })),
  )
  .map(([fixed, rest]) => (rest ? [...fixed, rest] : fixed));

const aliasEntry: Arbitrary<AliasEntry> = fc.record({ aliasId: u8, topic: text, layout });

const publishBody: Arbitrary<PublishBody> = fc.record({
  topic: text,
  retain: flag,
  expiry: maybe(u32),
  responseTopic: maybe(text),
  correlation: maybe(bytes(0, 9)),
  content,
});

/** A PUBLISH with a topic or an alias. */
export const publish: Arbitrary<Publish> = fc
  .tuple(
    fc.record({ type: type('PUBLISH'), timestamp: u32, messageId: maybe(u32), clientId: maybe(text) }),
    publishBody,
    maybe(u8),
  )
  .map(([head, body, aliasId]) => ({
    ...head,
    ...body,
    topic: aliasId === undefined ? body.topic : undefined,
    aliasId,
  }));

const timestamp = u32;
const messageId = u32;
const requestId = u32;
const connectionId = bytes(2, 8);

/** Every message of the long form. */
export const message: Arbitrary<Message> = fc.oneof(
  publish,
  fc.record({
    type: type('CONNECT_TOKEN'),
    timestamp,
    token: bytes(1, 40),
    version: maybe(u16),
    clientName: maybe(fc.string({ minLength: 1, maxLength: 64, unit: 'grapheme-ascii' })),
    keepAlive: maybe(u32),
    resumeWindow: maybe(u32),
    confirm: flag,
    will: maybe(publishBody),
    aliases: list(aliasEntry),
  }),
  fc.record({
    type: type('CONNECT_RESUME'),
    timestamp,
    sessionId: bytes(8, 8),
    resumeKey: bytes(16, 16),
    messageId,
  }),
  fc.record({
    type: type('CONNACK_SUCCESS'),
    timestamp,
    clientId: text,
    sessionId: bytes(8, 8),
    resumeKey: bytes(16, 16),
    keepAlive: u32,
    resumeWindow: u32,
    serverTime: u53,
    port: maybe(u16),
  }),
  fc.record({ type: type('CONNACK_RESUMED'), timestamp, messageId, serverTime: u53 }),
  fc.record({
    type: type('CONNACK_FAILED', 'CONNACK_FAILED_TOKEN_ERROR'),
    timestamp,
    reason: maybe(reason),
  }),
  fc.record({
    type: type('CONNACK_FAILED_SESSION_EXPIRED'),
    timestamp,
    messageId: maybe(messageId),
    reason: maybe(reason),
  }),
  fc.record({
    type: type('CONNACK_FAILED_BUSY'),
    timestamp,
    reason: maybe(reason),
    retryAfter: maybe(u32),
  }),
  fc.record({ type: type('CONNACK_FAILED_VERSION'), timestamp, versions: some(u16) }),
  fc.record({ type: type('SUBSCRIBE'), timestamp, messageId, topics: some(text), bestEffort: flag }),
  fc.record({ type: type('UNSUBSCRIBE', 'WATCH', 'UNWATCH'), timestamp, messageId, topics: some(text) }),
  fc.record({ type: type('ACK', 'CONFIRMED'), timestamp, messageId }),
  fc.record({ type: type('REJECTED'), timestamp, messageId, reason }),
  fc.record({ type: type('PRESENCE_JOINED'), timestamp, messageId, topic: text, clientId: text }),
  fc.record({
    type: type('PRESENCE_LEFT'),
    timestamp,
    messageId,
    topic: text,
    clientId: text,
    reason: maybe(reason),
  }),
  fc.record({ type: type('LIST_SUBSCRIBERS'), timestamp, requestId, topic: text }),
  fc.record({
    type: type('SUBSCRIBERS'),
    timestamp,
    requestId,
    topic: text,
    clientIds: list(text),
    reason: maybe(reason),
  }),
  fc.record({ type: type('TIME_REQUEST', 'UDP_OPEN'), timestamp, requestId }),
  fc.record({ type: type('TIME'), timestamp, requestId, serverTime: u53, echo: u32 }),
  fc.record({ type: type('PING'), timestamp, echo: maybe(u32) }),
  fc.record({ type: type('PONG'), timestamp, echo: u32 }),
  fc.record({
    type: type('UDP_TICKET'),
    timestamp,
    requestId,
    connectionId,
    key: bytes(24, 24),
    port: u16,
  }),
  fc.record({ type: type('UDP_PROBE', 'UDP_CONFIRM'), timestamp, connectionId }),
  fc.record({ type: type('ALIAS'), timestamp, messageId, entries: some(aliasEntry) }),
  fc.record({ type: type('DISCONNECT'), timestamp, reason: maybe(reason) }),
);

/** Every frame of the short form. */
export const shortFrame: Arbitrary<ShortFrame> = fc.oneof(
  fc.record({ kind: fc.constant(ShortKind.PUBLISH), alias: u8, content: bytes(0, 20) }),
  fc.record({ kind: fc.constant(ShortKind.PUBLISH_RELIABLE), alias: u8, id8: u8, content: bytes(0, 20) }),
  fc.record({
    kind: fc.constant(ShortKind.PUBLISH_BATCH),
    alias: u8,
    id8: u8,
    count: fc.integer({ min: 1, max: 255 }),
    readings: bytes(0, 20),
  }),
  fc.record({ kind: fc.constant(ShortKind.ACK), confirmed: flag, id8: u8, credit: maybe(u8) }),
  fc.record({ kind: fc.constant(ShortKind.PING), pong: flag, echo: u8 }),
  fc.record({ kind: fc.constant(ShortKind.RESET) }),
  fc.record({ kind: fc.constant(ShortKind.RESUME), answer: fc.boolean(), session16: u16, id8: u8 }),
  fc.record({
    kind: fc.constant(ShortKind.FRAGMENT),
    last: flag,
    id8: u8,
    index: u8,
    bytes: bytes(0, 20),
  }),
);

/** `whole` cut into chunks at random places. */
export function chunksOf(whole: Arbitrary<Uint8Array>): Arbitrary<Uint8Array[]> {
  return fc.tuple(whole, fc.array(fc.nat(), { maxLength: 20 })).map(([all, cuts]) => {
    const at = [...new Set([0, all.length, ...cuts.map((cut) => cut % (all.length + 1))])].sort(
      (a, b) => a - b,
    );
    return at.slice(1).map((end, index) => all.slice(at[index], end));
  });
}

/** Bytes that are nearly those of `valid`: some are overwritten, cut out or put in. */
export function damaged(valid: Arbitrary<Uint8Array>): Arbitrary<Uint8Array> {
  const fault = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('overwrite', 'cut', 'insert'),
    byte: fc.oneof(fc.constantFrom(0, 1, 4, 0x80, 0xff), u8),
  });
  return fc.tuple(valid, fc.array(fault, { minLength: 1, maxLength: 3 })).map(([whole, faults]) => {
    const bytes = [...whole];
    for (const { at, kind, byte } of faults) {
      const index = at % (bytes.length + 1);
      if (kind === 'overwrite') bytes[index] = byte;
      else if (kind === 'cut') bytes.splice(index, 1);
      else bytes.splice(index, 0, byte);
    }
    return Uint8Array.from(bytes);
  });
}
