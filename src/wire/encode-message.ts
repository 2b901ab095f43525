import { ByteWriter } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { writeAliasEntry } from './alias-entry.ts';
import type { Message, Publish, ReasonValue } from './message.ts';
import { MAX_PAYLOAD_BYTES, MESSAGE_HEADER_BYTES, MessageType, SectionType } from './numbers.ts';
import { encodePublishContents, publishFrame, writePublishSections } from './publish.ts';
import { SectionWriter } from './section-writer.ts';
import { sectionName } from './sections.ts';

/** The bytes of one message (clause 3). Throws HSK-1105 when a field is out of range or the message too long. */
export function encodeMessage(message: Message): Uint8Array {
  if (message.type === MessageType.PUBLISH) {
    return publishFrame(encodePublishContents(message), message.timestamp, message.messageId);
  }
  const out = new ByteWriter();
  out.u16(message.type).u16(0).u32(message.timestamp);
  writeSections(new SectionWriter(out), message);
  const length = out.length - MESSAGE_HEADER_BYTES;
  if (length > MAX_PAYLOAD_BYTES) {
    throw new HashikeError('HSK-1105', 'a message is too long', { length, most: MAX_PAYLOAD_BYTES });
  }
  return out.patchU16(2, length).finish();
}

function writeSections(to: SectionWriter, message: Exclude<Message, Publish>): void {
  switch (message.type) {
    case MessageType.CONNECT_TOKEN: {
      const { will } = message;
      to.bytes(SectionType.TOKEN, message.token);
      if (message.version !== undefined) to.u16(SectionType.VERSION, message.version);
      if (message.clientName !== undefined) to.text(SectionType.CLIENT_NAME, message.clientName);
      if (message.keepAlive !== undefined) to.u32(SectionType.KEEP_ALIVE, message.keepAlive);
      if (message.resumeWindow !== undefined) to.u32(SectionType.RESUME_WINDOW, message.resumeWindow);
      to.flag(SectionType.CONFIRM, message.confirm);
      if (will) to.nested(SectionType.WILL, (inner) => writePublishSections(inner, will));
      for (const entry of message.aliases) writeAliasEntry(to, entry);
      break;
    }
    case MessageType.CONNECT_RESUME:
      to.u32(SectionType.MESSAGE_ID, message.messageId)
        .bytes(SectionType.SESSION_ID, message.sessionId)
        .bytes(SectionType.RESUME_KEY, message.resumeKey);
      break;
    case MessageType.CONNACK_SUCCESS:
      to.text(SectionType.CLIENT_ID, message.clientId)
        .bytes(SectionType.SESSION_ID, message.sessionId)
        .bytes(SectionType.RESUME_KEY, message.resumeKey)
        .u32(SectionType.KEEP_ALIVE, message.keepAlive)
        .u32(SectionType.RESUME_WINDOW, message.resumeWindow)
        .u64(SectionType.SERVER_TIME, message.serverTime);
      if (message.port !== undefined) to.u16(SectionType.PORT, message.port);
      break;
    case MessageType.CONNACK_RESUMED:
      to.u32(SectionType.MESSAGE_ID, message.messageId).u64(SectionType.SERVER_TIME, message.serverTime);
      break;
    case MessageType.CONNACK_FAILED:
    case MessageType.CONNACK_FAILED_TOKEN_ERROR:
    case MessageType.DISCONNECT:
      writeReason(to, message.reason);
      break;
    case MessageType.CONNACK_FAILED_SESSION_EXPIRED:
      if (message.messageId !== undefined) to.u32(SectionType.MESSAGE_ID, message.messageId);
      writeReason(to, message.reason);
      break;
    case MessageType.CONNACK_FAILED_BUSY:
      writeReason(to, message.reason);
      if (message.retryAfter !== undefined) to.u32(SectionType.RETRY_AFTER, message.retryAfter);
      break;
    case MessageType.CONNACK_FAILED_VERSION:
      some(SectionType.VERSION, message.versions);
      for (const version of message.versions) to.u16(SectionType.VERSION, version);
      break;
    case MessageType.SUBSCRIBE:
      writeTopics(to, message.messageId, message.topics);
      to.flag(SectionType.BEST_EFFORT, message.bestEffort);
      break;
    case MessageType.UNSUBSCRIBE:
    case MessageType.WATCH:
    case MessageType.UNWATCH:
      writeTopics(to, message.messageId, message.topics);
      break;
    case MessageType.ACK:
    case MessageType.CONFIRMED:
      to.u32(SectionType.MESSAGE_ID, message.messageId);
      break;
    case MessageType.REJECTED:
      to.u32(SectionType.MESSAGE_ID, message.messageId);
      writeReason(to, message.reason);
      break;
    case MessageType.PRESENCE_JOINED:
    case MessageType.PRESENCE_LEFT:
      to.u32(SectionType.MESSAGE_ID, message.messageId)
        .text(SectionType.TOPIC, message.topic)
        .text(SectionType.CLIENT_ID, message.clientId);
      if (message.type === MessageType.PRESENCE_LEFT) writeReason(to, message.reason);
      break;
    case MessageType.LIST_SUBSCRIBERS:
      to.u32(SectionType.REQUEST_ID, message.requestId).text(SectionType.TOPIC, message.topic);
      break;
    case MessageType.SUBSCRIBERS:
      to.u32(SectionType.REQUEST_ID, message.requestId).text(SectionType.TOPIC, message.topic);
      for (const clientId of message.clientIds) to.text(SectionType.CLIENT_ID, clientId);
      writeReason(to, message.reason);
      break;
    case MessageType.TIME_REQUEST:
    case MessageType.UDP_OPEN:
      to.u32(SectionType.REQUEST_ID, message.requestId);
      break;
    case MessageType.TIME:
      to.u32(SectionType.REQUEST_ID, message.requestId)
        .u64(SectionType.SERVER_TIME, message.serverTime)
        .u32(SectionType.ECHO, message.echo);
      break;
    case MessageType.PING:
      if (message.echo !== undefined) to.u32(SectionType.ECHO, message.echo);
      break;
    case MessageType.PONG:
      to.u32(SectionType.ECHO, message.echo);
      break;
    case MessageType.UDP_TICKET:
      to.u32(SectionType.REQUEST_ID, message.requestId)
        .bytes(SectionType.CONNECTION_ID, message.connectionId)
        .bytes(SectionType.KEY, message.key)
        .u16(SectionType.PORT, message.port);
      break;
    case MessageType.UDP_PROBE:
    case MessageType.UDP_CONFIRM:
      to.bytes(SectionType.CONNECTION_ID, message.connectionId);
      break;
    case MessageType.ALIAS:
      some(SectionType.ALIAS_ENTRY, message.entries);
      to.u32(SectionType.MESSAGE_ID, message.messageId);
      for (const entry of message.entries) writeAliasEntry(to, entry);
      break;
  }
}

function writeTopics(to: SectionWriter, messageId: number, topics: readonly string[]): void {
  some(SectionType.TOPIC, topics);
  to.u32(SectionType.MESSAGE_ID, messageId);
  for (const topic of topics) to.text(SectionType.TOPIC, topic);
}

function writeReason(to: SectionWriter, reason: ReasonValue | undefined): void {
  if (reason) to.reason(reason);
}

/** A section that is marked with `...` and not optional stands at least once (clause 3.3.1). */
function some(type: SectionType, values: readonly unknown[]): void {
  if (values.length === 0) {
    throw new HashikeError('HSK-1105', `at least one ${sectionName(type)} is needed`);
  }
}
