import { ByteReader, concat } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { decodeMessage, encodeMessage } from '../wire/long-form.ts';
import type { AliasEntry, Message, PublishBody } from '../wire/message.ts';
import { MESSAGE_HEADER_BYTES, MessageType } from '../wire/numbers.ts';

/** What a durable session is made of, beside its identity and its counters. */
export interface SessionContext {
  readonly keepAliveMs: number;
  readonly resumeWindowMs: number;
  /** Epoch ms at which its clock began (clause 3.1.3). */
  readonly epochWall: number;
  readonly will?: PublishBody | undefined;
  /** The client wants CONFIRMED. */
  readonly confirm: boolean;
  readonly aliases: readonly AliasEntry[];
  readonly subscriptions: readonly { readonly filter: string; readonly reliable: boolean }[];
}

/** CONNECT_TOKEN has one; the context keeps no secret. */
const NO_TOKEN = new Uint8Array(1);

/** The context as the messages that would make it anew: TIME, CONNECT_TOKEN, then an ALIAS or SUBSCRIBE for each entry. */
export function encodeContext(context: SessionContext): Uint8Array {
  const { keepAliveMs, resumeWindowMs, epochWall, will, confirm, aliases, subscriptions } = context;
  const messages: Message[] = [
    { type: MessageType.TIME, timestamp: 0, requestId: 0, serverTime: epochWall, echo: 0 },
    {
      type: MessageType.CONNECT_TOKEN,
      timestamp: 0,
      token: NO_TOKEN,
      keepAlive: keepAliveMs,
      resumeWindow: resumeWindowMs,
      confirm,
      will,
      aliases: [],
    },
  ];
  for (const entry of aliases) {
    messages.push({ type: MessageType.ALIAS, timestamp: 0, messageId: 0, entries: [entry] });
  }
  for (const { filter, reliable } of subscriptions) {
    messages.push({
      type: MessageType.SUBSCRIBE,
      timestamp: 0,
      messageId: 0,
      topics: [filter],
      bestEffort: !reliable,
    });
  }
  return concat(messages.map(encodeMessage));
}

/** The reverse. Throws HSK-1101, HSK-1102 or HSK-1103 when `bytes` are not a context. */
export function decodeContext(bytes: Uint8Array): SessionContext {
  const aliases: AliasEntry[] = [];
  const subscriptions: { filter: string; reliable: boolean }[] = [];
  let epochWall: number | undefined;
  let connect:
    | { keepAliveMs: number; resumeWindowMs: number; will: PublishBody | undefined; confirm: boolean }
    | undefined;
  for (const message of messagesIn(bytes)) {
    if (message.type === MessageType.TIME) epochWall = message.serverTime;
    if (message.type === MessageType.ALIAS) aliases.push(...message.entries);
    if (message.type === MessageType.SUBSCRIBE) {
      subscriptions.push(...message.topics.map((filter) => ({ filter, reliable: !message.bestEffort })));
    }
    if (message.type === MessageType.CONNECT_TOKEN) {
      const { keepAlive = 0, resumeWindow = 0, will, confirm } = message;
      connect = { keepAliveMs: keepAlive, resumeWindowMs: resumeWindow, will, confirm };
    }
  }
  if (epochWall === undefined || !connect) {
    throw new HashikeError('HSK-1102', 'the stored context of a session is not complete', {
      length: bytes.length,
    });
  }
  return { ...connect, epochWall, aliases, subscriptions };
}

function* messagesIn(bytes: Uint8Array): Generator<Message> {
  const reader = new ByteReader(bytes);
  while (reader.remaining > 0) {
    const at = reader.position;
    const length = new ByteReader(bytes.subarray(at + 2)).u16();
    yield decodeMessage(reader.bytes(MESSAGE_HEADER_BYTES + length));
  }
}
