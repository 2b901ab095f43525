import { Malformed, text, toUint } from '../codec/bytes.ts';
import { readLayout, split } from '../codec/layout.ts';
import {
  decodeLong,
  find,
  findUint,
  type LongMessage,
  message,
  nestedSections,
  section,
} from '../codec/long-form.ts';
import { decodeReadings, decodeShort, isShort, type ShortFrame } from '../codec/short-form.ts';
import type { Channel } from './channel.ts';

/** A number as a frame says it: whole in the long form, its low byte in the short form. */
export type Numbering = { readonly id: number } | { readonly id8: number };

/** What a frame of the gateway means to a node, whichever form it came in. */
export type Heard =
  | {
      readonly kind: 'connack';
      readonly result: 'success' | 'resumed' | 'expired' | 'refused';
      readonly long: LongMessage;
    }
  | { readonly kind: 'disconnect'; readonly reason: number }
  | { readonly kind: 'reset' }
  | Extract<ShortFrame, { kind: 'resume' }>
  | { readonly kind: 'ack'; readonly number: Numbering; readonly credit?: number | undefined }
  | { readonly kind: 'rejected'; readonly id: number }
  | {
      readonly kind: 'publish';
      /** Undefined: best effort. */
      readonly number: Numbering | undefined;
      readonly topic: string;
      /** The values of each reading, concatenated. */
      readonly contents: readonly Uint8Array[];
    }
  | { readonly kind: 'alias'; readonly id: number; readonly channels: readonly Channel[] }
  | { readonly kind: 'presence' | 'expired'; readonly id: number }
  | { readonly kind: 'ping'; readonly echo: number; readonly long: boolean }
  | Extract<ShortFrame, { kind: 'fragment' }>
  | { readonly kind: 'nothing' };

/** Throws Malformed. */
export function hear(frame: Uint8Array, channels: Iterable<Channel>): Heard {
  return isShort(frame) ? hearShort(decodeShort(frame), channels) : hearLong(decodeLong(frame), channels);
}

function hearShort(frame: ShortFrame, channels: Iterable<Channel>): Heard {
  switch (frame.kind) {
    case 'reset':
    case 'resume':
    case 'fragment':
      return frame;
    case 'ack':
      return frame.confirmed
        ? { kind: 'nothing' }
        : { kind: 'ack', number: { id8: frame.id8 }, credit: frame.credit };
    case 'publish':
    case 'reliable': {
      const { topic, layout } = byAlias(channels, frame.alias);
      split(layout, frame.content);
      const number = frame.kind === 'reliable' ? { id8: frame.id8 } : undefined;
      return { kind: 'publish', number, topic, contents: [frame.content] };
    }
    case 'batch': {
      const { topic, layout } = byAlias(channels, frame.alias);
      const readings = decodeReadings(layout, frame.count, frame.readings);
      const contents = readings.map(({ content }) => content);
      return { kind: 'publish', number: { id8: frame.id8 }, topic, contents };
    }
    case 'ping':
      return { kind: 'ping', echo: frame.echo, long: false };
    case 'pong':
      return { kind: 'nothing' };
  }
}

function hearLong(long: LongMessage, channels: Iterable<Channel>): Heard {
  const id = findUint(long, 'messageId');
  switch (long.type) {
    case message.connackSuccess:
      return { kind: 'connack', result: 'success', long };
    case message.connackResumed:
      return { kind: 'connack', result: 'resumed', long };
    case message.connackSessionExpired:
      return { kind: 'connack', result: 'expired', long };
    case message.connackFailed:
    case message.connackTokenError:
    case message.connackBusy:
    case message.connackVersion:
      return { kind: 'connack', result: 'refused', long };
    case message.disconnect:
      return { kind: 'disconnect', reason: toUint(find(long, 'reason')?.subarray(0, 2) ?? new Uint8Array()) };
    case message.ack:
      return { kind: 'ack', number: { id: id ?? 0 } };
    case message.rejected:
      return { kind: 'rejected', id: id ?? 0 };
    case message.publish: {
      // What expired on its way is a number and nothing else (5.5.6).
      if (id !== undefined && findUint(long, 'expiry') === 0) return { kind: 'expired', id };
      const alias = findUint(long, 'aliasId');
      const topic = alias === undefined ? topicOf(long) : byAlias(channels, alias).topic;
      const content = long.sections.filter(({ type }) => type >= 0x8000).flatMap(({ value }) => [...value]);
      const number = id === undefined ? undefined : { id };
      return { kind: 'publish', number, topic, contents: [Uint8Array.from(content)] };
    }
    case message.alias:
      return { kind: 'alias', id: id ?? 0, channels: declared(long) };
    case message.presenceJoined:
    case message.presenceLeft:
      return { kind: 'presence', id: id ?? 0 };
    case message.ping:
      return { kind: 'ping', echo: findUint(long, 'echo') ?? 0, long: true };
    default:
      return { kind: 'nothing' };
  }
}

function byAlias(channels: Iterable<Channel>, alias: number): Channel {
  const channel = [...channels].find((one) => one.alias === alias);
  if (!channel) throw new Malformed(`6.1.2: alias ${alias} is not declared`);
  return channel;
}

function topicOf(from: Parameters<typeof find>[0]): string {
  return text(find(from, 'topic') ?? new Uint8Array());
}

function declared(long: LongMessage): Channel[] {
  const entries = long.sections.filter(({ type }) => type === section.aliasEntry);
  return entries.map(({ value }) => {
    const entry = { sections: nestedSections(value) };
    const layout = readLayout(find(entry, 'layout') ?? new Uint8Array());
    return { alias: findUint(entry, 'aliasId') ?? 0, topic: topicOf(entry), layout };
  });
}
