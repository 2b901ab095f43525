import { HashikeError } from '../base/errors.ts';
import { readBatch, writeBatch } from '../wire/batch.ts';
import { compactContent, expandContent } from '../wire/layout.ts';
import { decodeMessage, encodeMessage, peekType } from '../wire/long-form.ts';
import type { AliasEntry, Message, NumberedMessage, Publish } from '../wire/message.ts';
import { MAX_SHORT_IN_FLIGHT, MessageType, ShortKind } from '../wire/numbers.ts';
import {
  decodeShort,
  encodeShort,
  isShortForm,
  widenId8,
  type ShortFragment,
  type ShortFrame,
} from '../wire/short-form.ts';
import type { Aliases } from './aliases.ts';
import type { Entry } from './outbound.ts';
import type { Age, Batch } from './ports.ts';
import { isNumbered, receivable } from './roles.ts';
import { ageOf, timestampAt } from './session-clock.ts';

/** Kinds 0 and 1 say that the reading was no older than this when it was first sent (clause 6.1.6). */
const FRESH_MS = 1000;
const NO_CONTENT = new Uint8Array(0);

/** What a frame says, whichever form it has. */
export type Heard =
  | { readonly kind: 'numbered'; readonly messageId: number; readonly message: Numbered; readonly age: Age }
  | { readonly kind: 'other'; readonly message: Message; readonly age: Age }
  | {
      readonly kind: 'ack';
      readonly messageId: number;
      /** It was said in the long form; an id8 was widened to the likeliest. */
      readonly whole: boolean;
      readonly credit: number | undefined;
    }
  | { readonly kind: 'confirmed'; readonly messageId: number }
  | { readonly kind: 'ping' | 'pong'; readonly echo: number; readonly short: boolean }
  | { readonly kind: 'fragment'; readonly fragment: ShortFragment }
  | {
      readonly kind: 'resume';
      readonly answer: boolean;
      readonly session16: number;
      readonly messageId: number;
    }
  | { readonly kind: 'reset' };
type PingType = typeof MessageType.PING | typeof MessageType.PONG;
export type Numbered = NumberedMessage | Batch;

/** What widening an id8 and telling an age need to know of the session at the moment. */
export interface Situation {
  readonly now: number;
  /** Next number expected of the peer. */
  readonly expected: number;
  /** Next number of ours that the peer is expected to acknowledge. */
  readonly unacknowledged: number;
  readonly roundTripMs: number | undefined;
  /** How long the frame took on the line. */
  readonly transmissionMs: number;
}

/** Turns messages into frames and back: chooses between the forms, resolves aliases, widens identifiers. */
export class Dialect {
  readonly side: 'server' | 'client';
  readonly #epoch: number;
  readonly #aliases: Aliases;
  /** Whether the short form is spoken on the present link. */
  shortForm = false;

  constructor(options: {
    readonly side: 'server' | 'client';
    readonly epoch: number;
    readonly aliases: Aliases;
  }) {
    this.side = options.side;
    this.#epoch = options.epoch;
    this.#aliases = options.aliases;
  }

  /** The server's session clock (clause 3.1.3). */
  timestamp(now: number): number {
    return timestampAt(this.#epoch, now);
  }

  /** How long before `now` content with this Timestamp was taken. */
  age(timestamp: number, now: number, roundTripMs: number | undefined): Age {
    return ageOf(timestamp, this.#epoch, now, roundTripMs);
  }

  /** A reliable message; in the short form an older one goes as a batch of one, which keeps its time (clause 6.1.6). */
  encodeEntry({ frame, at, messageId, expiresAt }: Entry, now: number): Uint8Array {
    if (expiresAt !== undefined) return withRest(frame, Math.max(0, Math.ceil(expiresAt - now)));
    if (!this.shortForm || peekType(frame) !== MessageType.PUBLISH) return frame;
    const message = decodeMessage(frame);
    if (message.type !== MessageType.PUBLISH) return frame;
    const found = this.#compact(message);
    if (!found) return frame;
    const { alias, content } = found;
    const id8 = messageId & 0xff;
    const age = Math.floor(now - at);
    if (age <= FRESH_MS) {
      return encodeShort({ kind: ShortKind.PUBLISH_RELIABLE, alias: alias.aliasId, id8, content });
    }
    const readings = writeBatch(alias.layout, [{ age: Math.min(age, 0xffff_ffff), content }]);
    return encodeShort({ kind: ShortKind.PUBLISH_BATCH, alias: alias.aliasId, id8, ...readings });
  }

  /** A best-effort message in the short form; undefined where only the long one can say it. */
  shorten(message: Publish): Uint8Array | undefined {
    const found = this.#compact(message);
    return (
      found && encodeShort({ kind: ShortKind.PUBLISH, alias: found.alias.aliasId, content: found.content })
    );
  }

  encodeAck(messageId: number, credit: number | undefined, now: number): Uint8Array {
    if (!this.shortForm) return this.encodeWholeAck(messageId, now);
    return encodeShort({ kind: ShortKind.ACK, confirmed: false, id8: messageId & 0xff, credit });
  }

  /** The long form says the whole number. */
  encodeWholeAck(messageId: number, now: number): Uint8Array {
    return encodeMessage({ type: MessageType.ACK, timestamp: this.timestamp(now), messageId });
  }

  /** A message without number. @param settled what ACK would say now: a CONFIRMED that lags behind it too far for an id8 goes in the long form. */
  encodeControl(message: Exclude<Message, NumberedMessage>, settled: number): Uint8Array {
    if (
      this.shortForm &&
      message.type === MessageType.CONFIRMED &&
      settled - message.messageId < MAX_SHORT_IN_FLIGHT
    ) {
      return encodeShort({ kind: ShortKind.ACK, confirmed: true, id8: message.messageId & 0xff });
    }
    return encodeMessage(message);
  }

  encodePing(type: PingType, echo: number, short: boolean, now: number): Uint8Array {
    return short
      ? encodeShort({ kind: ShortKind.PING, pong: type === MessageType.PONG, echo })
      : encodeMessage({ type, timestamp: this.timestamp(now), echo });
  }

  /**
   * Reads a frame. Throws HSK-11xx when it is malformed, HSK-1104 for an alias that nobody declared, HSK-1109 for content that its layout does not fit, and HSK-2003 for what this side does not receive.
   */
  decode(frame: Uint8Array, situation: Situation): Heard {
    const first = frame[0];
    return first !== undefined && isShortForm(first)
      ? this.#hearShort(decodeShort(frame), situation)
      : this.#hearLong(decodeMessage(frame), situation);
  }

  #hearLong(message: Message, { now, roundTripMs }: Situation): Heard {
    if (!receivable[this.side].has(message.type)) {
      throw new HashikeError('HSK-2003', `a ${this.side} does not receive this message in a session`, {
        type: message.type,
      });
    }
    const age = this.age(message.timestamp, now, roundTripMs);
    if (message.type === MessageType.PUBLISH) {
      const resolved = this.#resolve(message);
      const { messageId } = resolved;
      return messageId === undefined
        ? { kind: 'other', message: resolved, age }
        : { kind: 'numbered', messageId, message: resolved, age };
    }
    if (message.type === MessageType.ACK) {
      return { kind: 'ack', messageId: message.messageId, whole: true, credit: undefined };
    }
    if (message.type === MessageType.CONFIRMED) return { kind: 'confirmed', messageId: message.messageId };
    if (message.type === MessageType.PING) return { kind: 'ping', echo: message.echo ?? 0, short: false };
    if (message.type === MessageType.PONG) return { kind: 'pong', echo: message.echo, short: false };
    return isNumbered(message)
      ? { kind: 'numbered', messageId: message.messageId, message, age }
      : { kind: 'other', message, age };
  }

  #hearShort(frame: ShortFrame, situation: Situation): Heard {
    if (!this.shortForm) throw new HashikeError('HSK-2003', 'the short form is not spoken on this link');
    const { expected, unacknowledged, transmissionMs } = situation;
    const age: Age = { ms: 0, uncertainty: FRESH_MS + transmissionMs };
    switch (frame.kind) {
      case ShortKind.PUBLISH: {
        const message = this.#expand(frame.alias, frame.content, undefined);
        return { kind: 'other', message, age };
      }
      case ShortKind.PUBLISH_RELIABLE: {
        const messageId = widenId8(frame.id8, expected);
        return {
          kind: 'numbered',
          messageId,
          message: this.#expand(frame.alias, frame.content, messageId),
          age,
        };
      }
      case ShortKind.PUBLISH_BATCH: {
        const messageId = widenId8(frame.id8, expected);
        const alias = this.#alias(frame.alias);
        const readings = fitting(alias, ({ layout }) =>
          readBatch(layout, frame).map((reading) => ({
            ageMs: reading.age,
            content: expandContent(layout, reading.content),
          })),
        );
        const message: Batch = { type: 'BATCH', messageId, topic: alias.topic, readings };
        return { kind: 'numbered', messageId, message, age };
      }
      case ShortKind.ACK: {
        const messageId = widenId8(frame.id8, unacknowledged);
        if (!frame.confirmed) return { kind: 'ack', messageId, whole: false, credit: frame.credit };
        if (this.side === 'client') return { kind: 'confirmed', messageId };
        throw new HashikeError('HSK-2003', 'a server does not receive CONFIRMED');
      }
      case ShortKind.PING:
        return { kind: frame.pong ? 'pong' : 'ping', echo: frame.echo, short: true };
      case ShortKind.RESET:
        if (this.side === 'client') return { kind: 'reset' };
        throw new HashikeError('HSK-2003', 'a server does not receive RESET');
      case ShortKind.RESUME:
        return {
          kind: 'resume',
          answer: frame.answer,
          session16: frame.session16,
          messageId: widenId8(frame.id8, unacknowledged),
        };
      case ShortKind.FRAGMENT:
        return { kind: 'fragment', fragment: frame };
    }
  }

  /** The alias and the short content that say the same as `message`, if there are any. */
  #compact(message: Publish): { readonly alias: AliasEntry; readonly content: Uint8Array } | undefined {
    if (!this.shortForm || message.topic === undefined || hasOptions(message)) return undefined;
    for (const alias of this.#aliases.forTopic(message.topic)) {
      const content = compactContent(alias.layout, message.content);
      if (content) return { alias, content };
    }
    return undefined;
  }

  #expand(aliasId: number, content: Uint8Array, messageId: number | undefined): Publish {
    const alias = this.#alias(aliasId);
    return {
      type: MessageType.PUBLISH,
      timestamp: 0,
      messageId,
      topic: alias.topic,
      retain: false,
      content: fitting(alias, ({ layout }) => expandContent(layout, content)),
    };
  }

  #resolve(message: Publish): Publish {
    if (message.aliasId === undefined) return message;
    return { ...message, aliasId: undefined, topic: this.#alias(message.aliasId).topic };
  }

  #alias(aliasId: number): AliasEntry {
    const alias = this.#aliases.byId(aliasId);
    if (!alias) throw new HashikeError('HSK-1104', 'an alias was used that nobody declared', { aliasId });
    return alias;
  }
}

/** A PUBLISH with what is left of its EXPIRY. Where that is nothing its content is of no use any more, but its number must come (clause 5.5.6). */
function withRest(frame: Uint8Array, expiry: number): Uint8Array {
  const message = decodeMessage(frame);
  if (message.type !== MessageType.PUBLISH || message.expiry === expiry) return frame;
  return encodeMessage({ ...message, expiry, content: expiry === 0 ? NO_CONTENT : message.content });
}

/** What `read` makes of content by the layout of `alias`. Throws HSK-1109, with the alias, when it does not fit. */
function fitting<T>(alias: AliasEntry, read: (alias: AliasEntry) => T): T {
  try {
    return read(alias);
  } catch (error) {
    if (!(error instanceof HashikeError)) throw error;
    const { aliasId, topic } = alias;
    throw new HashikeError(
      'HSK-1109',
      'content does not fit the layout of its alias',
      { aliasId, topic },
      error,
    );
  }
}

/** What only the long form can say. The publisher's CLIENT_ID is not among it: a constrained node is spared it. */
function hasOptions({ retain, expiry, responseTopic, correlation }: Publish): boolean {
  return retain || expiry !== undefined || responseTopic !== undefined || correlation !== undefined;
}
