import { ByteWriter, textOf } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import type { Publish, PublishBody } from './message.ts';
import {
  FIRST_CONTENT_TYPE,
  MAX_PAYLOAD_BYTES,
  MESSAGE_HEADER_BYTES,
  MessageType,
  SectionType,
} from './numbers.ts';
import { SectionWriter } from './section-writer.ts';
import { checkValueLength, missing, repeated, SectionCursor } from './sections.ts';

const MESSAGE_ID_SECTION_BYTES = 8;

/** Everything of a PUBLISH that is the same for each of its receivers. */
export type PublishContents = Omit<Publish, 'type' | 'timestamp' | 'messageId'>;

/**
 * PUBLISH (clause 3.3):
 *
 *     [MESSAGE_ID] | TOPIC or ALIAS_ID | [RETAIN] [EXPIRY] [RESPONSE_TOPIC] [CORRELATION] [CLIENT_ID] | content ...
 *
 * @param sections the sections; `content` and `correlation` of the result are views on them.
 * Throws HSK-1101, HSK-1102 and HSK-1103.
 */
export function readPublish(timestamp: number, sections: Uint8Array): Publish {
  let messageId: number | undefined;
  let topic: string | undefined;
  let aliasId: number | undefined;
  let retain: true | undefined;
  let expiry: number | undefined;
  let responseTopic: string | undefined;
  let correlation: Uint8Array | undefined;
  let clientId: string | undefined;
  let contentAt: number | undefined;

  const cursor = new SectionCursor(sections);
  while (cursor.next()) {
    if (cursor.type >= FIRST_CONTENT_TYPE) {
      contentAt ??= cursor.start;
      continue;
    }
    if (contentAt !== undefined) {
      throw new HashikeError('HSK-1102', 'a section of the protocol stands after content', {
        at: cursor.start,
      });
    }
    switch (cursor.type) {
      case SectionType.MESSAGE_ID:
        if (cursor.start !== 0) throw new HashikeError('HSK-1102', 'MESSAGE_ID is not the first section');
        messageId = u32(cursor, SectionType.MESSAGE_ID, undefined);
        break;
      case SectionType.TOPIC:
        topic = textOf(single(cursor, SectionType.TOPIC, topic));
        break;
      case SectionType.ALIAS_ID:
        aliasId = single(cursor, SectionType.ALIAS_ID, aliasId)[0];
        break;
      case SectionType.RETAIN:
        single(cursor, SectionType.RETAIN, retain);
        retain = true;
        break;
      case SectionType.EXPIRY:
        expiry = u32(cursor, SectionType.EXPIRY, expiry);
        break;
      case SectionType.RESPONSE_TOPIC:
        responseTopic = textOf(single(cursor, SectionType.RESPONSE_TOPIC, responseTopic));
        break;
      case SectionType.CORRELATION:
        correlation = single(cursor, SectionType.CORRELATION, correlation);
        break;
      case SectionType.CLIENT_ID:
        clientId = textOf(single(cursor, SectionType.CLIENT_ID, clientId));
        break;
    }
  }
  if ((topic === undefined) === (aliasId === undefined)) {
    throw new HashikeError('HSK-1102', 'a PUBLISH takes either TOPIC or ALIAS_ID');
  }
  return {
    type: MessageType.PUBLISH,
    timestamp,
    messageId,
    topic,
    aliasId,
    retain: retain ?? false,
    expiry,
    responseTopic,
    correlation,
    clientId,
    content: sections.subarray(contentAt ?? sections.length),
  };
}

/** The PUBLISH in a WILL, which has a TOPIC and no MESSAGE_ID (clause 4.1). Throws as `readPublish` does. */
export function readWill(value: Uint8Array): PublishBody {
  const { messageId, topic, retain, expiry, responseTopic, correlation, content } = readPublish(0, value);
  if (topic === undefined) throw missing(SectionType.TOPIC);
  if (messageId !== undefined) throw new HashikeError('HSK-1102', 'MESSAGE_ID stands in a WILL');
  return { topic, retain, expiry, responseTopic, correlation, content };
}

/** The current value, of a right length; throws HSK-1102 when the section has been `seen` before. */
function single(cursor: SectionCursor, type: SectionType, seen: unknown): Uint8Array {
  if (seen !== undefined) throw repeated(type);
  const value = cursor.value;
  checkValueLength(type, value.length);
  return value;
}

function u32(cursor: SectionCursor, type: SectionType, seen: unknown): number {
  const [a = 0, b = 0, c = 0, d = 0] = single(cursor, type, seen);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** The sections of a PUBLISH but MESSAGE_ID: encode them once for all receivers. Throws HSK-1105. */
export function encodePublishContents(publish: PublishContents): Uint8Array {
  if ((publish.topic === undefined) === (publish.aliasId === undefined)) {
    throw new HashikeError('HSK-1105', 'a PUBLISH takes either a topic or an alias');
  }
  const out = new ByteWriter(publish.content.length + (publish.topic?.length ?? 0) + 64);
  const sections = new SectionWriter(out);
  if (publish.aliasId !== undefined) sections.u8(SectionType.ALIAS_ID, publish.aliasId);
  writePublishSections(sections, publish);
  return out.finish();
}

/** What a PUBLISH and a WILL have in common. Throws HSK-1105. */
export function writePublishSections(out: SectionWriter, publish: PublishContents): void {
  if (publish.topic !== undefined) out.text(SectionType.TOPIC, publish.topic);
  out.flag(SectionType.RETAIN, publish.retain);
  if (publish.expiry !== undefined) out.u32(SectionType.EXPIRY, publish.expiry);
  if (publish.responseTopic !== undefined) out.text(SectionType.RESPONSE_TOPIC, publish.responseTopic);
  if (publish.correlation !== undefined) out.bytes(SectionType.CORRELATION, publish.correlation);
  if (publish.clientId !== undefined) out.text(SectionType.CLIENT_ID, publish.clientId);
  out.raw(publish.content);
}

/** Bytes of the frame that `writePublishFrame` writes. */
export function publishFrameLength(contents: Uint8Array, messageId: number | undefined): number {
  return MESSAGE_HEADER_BYTES + (messageId === undefined ? 0 : MESSAGE_ID_SECTION_BYTES) + contents.length;
}

/**
 * Writes the PUBLISH for one receiver into `target` from `at`: header, MESSAGE_ID and the `contents` made by
 * `encodePublishContents`. Returns the offset after it. Throws HSK-1105 when it is longer than a message may be.
 */
export function writePublishFrame(
  target: Uint8Array,
  at: number,
  contents: Uint8Array,
  timestamp: number,
  messageId: number | undefined,
): number {
  const payload = publishFrameLength(contents, messageId) - MESSAGE_HEADER_BYTES;
  if (payload > MAX_PAYLOAD_BYTES) {
    throw new HashikeError('HSK-1105', 'a PUBLISH is longer than a message may be', { payload });
  }
  let next = putU32(target, at, (MessageType.PUBLISH << 16) | payload);
  next = putU32(target, next, timestamp);
  if (messageId !== undefined) {
    next = putU32(target, next, (SectionType.MESSAGE_ID << 16) | 4);
    next = putU32(target, next, messageId);
  }
  target.set(contents, next);
  return next + contents.length;
}

/** The PUBLISH for one receiver as an array of its own. Throws HSK-1105. */
export function publishFrame(
  contents: Uint8Array,
  timestamp: number,
  messageId: number | undefined,
): Uint8Array {
  const frame = new Uint8Array(publishFrameLength(contents, messageId));
  writePublishFrame(frame, 0, contents, timestamp, messageId);
  return frame;
}

function putU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}
