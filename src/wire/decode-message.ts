import { ByteReader, textOf } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { readAliasEntry } from './alias-entry.ts';
import type { Message, ReasonValue } from './message.ts';
import { MessageType, SectionType } from './numbers.ts';
import { readPublish, readWill } from './publish.ts';
import { SectionMap } from './sections.ts';

const messageTypes: ReadonlySet<number> = new Set(Object.values(MessageType));

/** MessageType of a frame, or undefined when it has less than two bytes or a type nobody knows. Nothing else is verified. */
export function peekType(frame: Uint8Array): MessageType | undefined {
  const [high, low] = frame;
  if (high === undefined || low === undefined) return undefined;
  const type = (high << 8) | low;
  return isMessageType(type) ? type : undefined;
}

function isMessageType(type: number): type is MessageType {
  return messageTypes.has(type);
}

/**
 * Reads exactly one whole message (clause 3).
 *
 *     MessageType u16 | Length u16 | Timestamp u32 | sections ...
 *
 * Byte values in the result are views on `frame`.
 * Throws HSK-1101 when it is cut short, HSK-1102 when it breaks the specification, HSK-1103 when a value is over its limit.
 */
export function decodeMessage(frame: Uint8Array): Message {
  const header = new ByteReader(frame);
  const type = header.u16();
  if (!isMessageType(type)) throw new HashikeError('HSK-1102', 'the type of a message is unknown', { type });
  const length = header.u16();
  if (length % 4 !== 0) {
    throw new HashikeError('HSK-1102', 'the length of a message is no multiple of 4', { length });
  }
  const timestamp = header.u32();
  const sections = header.bytes(length);
  if (header.remaining > 0) {
    throw new HashikeError('HSK-1102', 'bytes stand after the end of a message', {
      excess: header.remaining,
    });
  }
  if (type === MessageType.PUBLISH) return readPublish(timestamp, sections);
  return readMessage(type, timestamp, new SectionMap(sections));
}

function readMessage(
  type: Exclude<MessageType, typeof MessageType.PUBLISH>,
  timestamp: number,
  from: SectionMap,
): Message {
  switch (type) {
    case MessageType.CONNECT_TOKEN: {
      const will = from.optional(SectionType.WILL);
      return {
        type,
        timestamp,
        token: from.required(SectionType.TOKEN),
        version: optionalU16(from, SectionType.VERSION),
        clientName: optionalText(from, SectionType.CLIENT_NAME),
        keepAlive: optionalU32(from, SectionType.KEEP_ALIVE),
        resumeWindow: optionalU32(from, SectionType.RESUME_WINDOW),
        confirm: flag(from, SectionType.CONFIRM),
        will: will && readWill(will),
        aliases: from.all(SectionType.ALIAS_ENTRY).map(readAliasEntry),
      };
    }
    case MessageType.CONNECT_RESUME:
      return {
        type,
        timestamp,
        // The one message in which MESSAGE_ID is also taken from a later place (clause 3.2.4).
        messageId: u32(from.required(SectionType.MESSAGE_ID)),
        sessionId: from.required(SectionType.SESSION_ID),
        resumeKey: from.required(SectionType.RESUME_KEY),
      };
    case MessageType.CONNACK_SUCCESS:
      return {
        type,
        timestamp,
        clientId: requiredText(from, SectionType.CLIENT_ID),
        sessionId: from.required(SectionType.SESSION_ID),
        resumeKey: from.required(SectionType.RESUME_KEY),
        keepAlive: requiredU32(from, SectionType.KEEP_ALIVE),
        resumeWindow: requiredU32(from, SectionType.RESUME_WINDOW),
        serverTime: requiredU64(from, SectionType.SERVER_TIME),
        port: optionalU16(from, SectionType.PORT),
      };
    case MessageType.CONNACK_RESUMED:
      return {
        type,
        timestamp,
        messageId: messageId(from),
        serverTime: requiredU64(from, SectionType.SERVER_TIME),
      };
    case MessageType.CONNACK_FAILED:
    case MessageType.CONNACK_FAILED_TOKEN_ERROR:
    case MessageType.DISCONNECT:
      return { type, timestamp, reason: optionalReason(from) };
    case MessageType.CONNACK_FAILED_SESSION_EXPIRED:
      return {
        type,
        timestamp,
        messageId: from.has(SectionType.MESSAGE_ID) ? messageId(from) : undefined,
        reason: optionalReason(from),
      };
    case MessageType.CONNACK_FAILED_BUSY:
      return {
        type,
        timestamp,
        reason: optionalReason(from),
        retryAfter: optionalU32(from, SectionType.RETRY_AFTER),
      };
    case MessageType.CONNACK_FAILED_VERSION:
      return { type, timestamp, versions: from.some(SectionType.VERSION).map(u16) };
    case MessageType.SUBSCRIBE:
      return {
        type,
        timestamp,
        messageId: messageId(from),
        topics: from.some(SectionType.TOPIC).map(textOf),
        bestEffort: flag(from, SectionType.BEST_EFFORT),
      };
    case MessageType.UNSUBSCRIBE:
    case MessageType.WATCH:
    case MessageType.UNWATCH:
      return {
        type,
        timestamp,
        messageId: messageId(from),
        topics: from.some(SectionType.TOPIC).map(textOf),
      };
    case MessageType.ACK:
    case MessageType.CONFIRMED:
      return { type, timestamp, messageId: messageId(from) };
    case MessageType.REJECTED:
      return {
        type,
        timestamp,
        messageId: messageId(from),
        reason: reason(from.required(SectionType.REASON)),
      };
    case MessageType.PRESENCE_JOINED:
    case MessageType.PRESENCE_LEFT:
      return {
        type,
        timestamp,
        messageId: messageId(from),
        topic: requiredText(from, SectionType.TOPIC),
        clientId: requiredText(from, SectionType.CLIENT_ID),
        reason: type === MessageType.PRESENCE_LEFT ? optionalReason(from) : undefined,
      };
    case MessageType.LIST_SUBSCRIBERS:
      return {
        type,
        timestamp,
        requestId: requiredU32(from, SectionType.REQUEST_ID),
        topic: requiredText(from, SectionType.TOPIC),
      };
    case MessageType.SUBSCRIBERS:
      return {
        type,
        timestamp,
        requestId: requiredU32(from, SectionType.REQUEST_ID),
        topic: requiredText(from, SectionType.TOPIC),
        clientIds: from.all(SectionType.CLIENT_ID).map(textOf),
        reason: optionalReason(from),
      };
    case MessageType.TIME_REQUEST:
    case MessageType.UDP_OPEN:
      return { type, timestamp, requestId: requiredU32(from, SectionType.REQUEST_ID) };
    case MessageType.TIME:
      return {
        type,
        timestamp,
        requestId: requiredU32(from, SectionType.REQUEST_ID),
        serverTime: requiredU64(from, SectionType.SERVER_TIME),
        echo: requiredU32(from, SectionType.ECHO),
      };
    case MessageType.PING:
      return { type, timestamp, echo: optionalU32(from, SectionType.ECHO) };
    case MessageType.PONG:
      return { type, timestamp, echo: requiredU32(from, SectionType.ECHO) };
    case MessageType.UDP_TICKET:
      return {
        type,
        timestamp,
        requestId: requiredU32(from, SectionType.REQUEST_ID),
        connectionId: from.required(SectionType.CONNECTION_ID),
        key: from.required(SectionType.KEY),
        port: u16(from.required(SectionType.PORT)),
      };
    case MessageType.UDP_PROBE:
    case MessageType.UDP_CONFIRM:
      return { type, timestamp, connectionId: from.required(SectionType.CONNECTION_ID) };
    case MessageType.ALIAS:
      return {
        type,
        timestamp,
        messageId: messageId(from),
        entries: from.some(SectionType.ALIAS_ENTRY).map(readAliasEntry),
      };
  }
}

function u16(value: Uint8Array): number {
  return new ByteReader(value).u16();
}

function u32(value: Uint8Array): number {
  return new ByteReader(value).u32();
}

function requiredU32(from: SectionMap, type: SectionType): number {
  return u32(from.required(type));
}

function requiredU64(from: SectionMap, type: SectionType): number {
  return new ByteReader(from.required(type)).u64();
}

function requiredText(from: SectionMap, type: SectionType): string {
  return textOf(from.required(type));
}

function optionalU16(from: SectionMap, type: SectionType): number | undefined {
  const value = from.optional(type);
  return value && u16(value);
}

function optionalU32(from: SectionMap, type: SectionType): number | undefined {
  const value = from.optional(type);
  return value && u32(value);
}

function optionalText(from: SectionMap, type: SectionType): string | undefined {
  const value = from.optional(type);
  return value && textOf(value);
}

function flag(from: SectionMap, type: SectionType): boolean {
  return from.optional(type) !== undefined;
}

/** MESSAGE_ID is the first section of a message that carries it (clause 3.2.4). */
function messageId(from: SectionMap): number {
  const value = requiredU32(from, SectionType.MESSAGE_ID);
  if (from.first !== SectionType.MESSAGE_ID) {
    throw new HashikeError('HSK-1102', 'MESSAGE_ID is not the first section');
  }
  return value;
}

function reason(value: Uint8Array): ReasonValue {
  const reader = new ByteReader(value);
  return { code: reader.u16(), text: textOf(reader.rest()) };
}

function optionalReason(from: SectionMap): ReasonValue | undefined {
  const value = from.optional(SectionType.REASON);
  return value && reason(value);
}
