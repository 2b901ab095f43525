import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { ShortKind } from './numbers.ts';

type K = typeof ShortKind;

/** PUBLISH, best effort: `1 000 alias | [alias byte] | content` (clause 6.1). */
export interface ShortPublish {
  readonly kind: K['PUBLISH'];
  /** 0-255. */
  readonly alias: number;
  /** The values of the alias' layout, with no types and no lengths: see `expandContent`. */
  readonly content: Uint8Array;
}

/** PUBLISH, reliable: `1 001 alias | [alias byte] | id8 | content`. */
export interface ShortPublishReliable {
  readonly kind: K['PUBLISH_RELIABLE'];
  readonly alias: number;
  /** Low byte of the MESSAGE_ID. */
  readonly id8: number;
  readonly content: Uint8Array;
}

/**
 * PUBLISH, reliable, batch: `1 010 alias | [alias byte] | id8 | count | readings`. Where one reading ends depends on the
 * layout of the alias: see `readBatch`.
 */
export interface ShortBatch {
  readonly kind: K['PUBLISH_BATCH'];
  readonly alias: number;
  readonly id8: number;
  /** 1-255. */
  readonly count: number;
  /** `count` readings as `writeBatch` puts them. */
  readonly readings: Uint8Array;
}

/** ACK: `1 011 00 confirmed credit | id8 | [credit]`. */
export interface ShortAck {
  readonly kind: K['ACK'];
  /** Stands for CONFIRMED instead of ACK. */
  readonly confirmed: boolean;
  /** Cumulative. */
  readonly id8: number;
  /** Messages that the receiver still takes after `id8`, 0-255; undefined: as many as said before (clause 6.4). */
  readonly credit?: number | undefined;
}

/** PING and PONG: `1 100 000 pong | echo`. */
export interface ShortPing {
  readonly kind: K['PING'];
  readonly pong: boolean;
  /** One byte that the PONG gives back. */
  readonly echo: number;
}

/** RESET: `1 101 0000`. No context for this peer. */
export interface ShortReset {
  readonly kind: K['RESET'];
}

/** RESUME: `1 110 000A | last two bytes of the SESSION_ID | id8 of the last received` (clause 6.5.2). */
export interface ShortResume {
  readonly kind: K['RESUME'];
  /** `A`: it answers one, and wants no answer. */
  readonly answer: boolean;
  /** The last two bytes of the SESSION_ID as a u16. */
  readonly session16: number;
  readonly id8: number;
}

/** FRAGMENT: `1 111 000 last | id8 | index | bytes`. Its id8 counts fragmented frames, not messages (clause 6.6). */
export interface ShortFragment {
  readonly kind: K['FRAGMENT'];
  readonly last: boolean;
  readonly id8: number;
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Every frame of the short form. */
export type ShortFrame =
  | ShortPublish
  | ShortPublishReliable
  | ShortBatch
  | ShortAck
  | ShortPing
  | ShortReset
  | ShortResume
  | ShortFragment;

const SHORT_BIT = 0x80;
/** In the low nibble of a PUBLISH: the alias stands in a byte of its own. */
const ALIAS_FOLLOWS = 15;
const CREDIT_BIT = 0x01;
const CONFIRMED_BIT = 0x02;
const PONG_BIT = 0x01;
const ANSWER_BIT = 0x01;
const LAST_BIT = 0x01;

/** Whether a frame that begins with this byte is of the short form (clause 1.3). */
export function isShortForm(firstByte: number): boolean {
  return (firstByte & SHORT_BIT) !== 0;
}

/**
 * Reads one frame of the short form. Byte values in the result are views on `frame`.
 * Throws HSK-1101 when it is cut short and HSK-1102 when it breaks the specification.
 */
export function decodeShort(frame: Uint8Array): ShortFrame {
  const reader = new ByteReader(frame);
  const first = reader.u8();
  if (!isShortForm(first)) {
    throw new HashikeError('HSK-1102', 'a frame is not of the short form', { firstByte: first });
  }
  const decoded = readShort((first >> 4) & 7, first & 0x0f, reader);
  if (reader.remaining > 0) {
    throw new HashikeError('HSK-1102', 'bytes stand after the end of a frame', { excess: reader.remaining });
  }
  return decoded;
}

function readShort(kind: number, low: number, reader: ByteReader): ShortFrame {
  switch (kind) {
    case ShortKind.PUBLISH:
      return { kind, alias: readAlias(low, reader), content: reader.rest() };
    case ShortKind.PUBLISH_RELIABLE:
      return { kind, alias: readAlias(low, reader), id8: reader.u8(), content: reader.rest() };
    case ShortKind.PUBLISH_BATCH: {
      const alias = readAlias(low, reader);
      const id8 = reader.u8();
      const count = reader.u8();
      if (count === 0) throw new HashikeError('HSK-1102', 'a batch is empty');
      return { kind, alias, id8, count, readings: reader.rest() };
    }
    case ShortKind.ACK:
      return {
        kind,
        confirmed: (low & CONFIRMED_BIT) !== 0,
        id8: reader.u8(),
        credit: (low & CREDIT_BIT) === 0 ? undefined : reader.u8(),
      };
    case ShortKind.PING:
      return { kind, pong: (low & PONG_BIT) !== 0, echo: reader.u8() };
    case ShortKind.RESET:
      return { kind };
    case ShortKind.RESUME:
      return { kind, answer: (low & ANSWER_BIT) !== 0, session16: reader.u16(), id8: reader.u8() };
    default:
      return {
        kind: ShortKind.FRAGMENT,
        last: (low & LAST_BIT) !== 0,
        id8: reader.u8(),
        index: reader.u8(),
        bytes: reader.rest(),
      };
  }
}

function readAlias(low: number, reader: ByteReader): number {
  return low === ALIAS_FOLLOWS ? reader.u8() : low;
}

/** The bytes of a frame of the short form. Throws HSK-1105 when a field is out of range. */
export function encodeShort(frame: ShortFrame): Uint8Array {
  const out = new ByteWriter(16);
  switch (frame.kind) {
    case ShortKind.PUBLISH:
      writeAlias(out, frame);
      out.bytes(frame.content);
      break;
    case ShortKind.PUBLISH_RELIABLE:
      writeAlias(out, frame);
      out.u8(byte(frame.id8)).bytes(frame.content);
      break;
    case ShortKind.PUBLISH_BATCH:
      if (frame.count === 0) throw new HashikeError('HSK-1105', 'a batch needs at least one reading');
      writeAlias(out, frame);
      out.u8(byte(frame.id8)).u8(byte(frame.count)).bytes(frame.readings);
      break;
    case ShortKind.ACK:
      writeFirst(
        out,
        frame.kind,
        (frame.confirmed ? CONFIRMED_BIT : 0) | (frame.credit === undefined ? 0 : CREDIT_BIT),
      );
      out.u8(byte(frame.id8));
      if (frame.credit !== undefined) out.u8(byte(frame.credit));
      break;
    case ShortKind.PING:
      writeFirst(out, frame.kind, frame.pong ? PONG_BIT : 0);
      out.u8(byte(frame.echo));
      break;
    case ShortKind.RESET:
      writeFirst(out, frame.kind, 0);
      break;
    case ShortKind.RESUME:
      writeFirst(out, frame.kind, frame.answer ? ANSWER_BIT : 0);
      out.u16(inRange(frame.session16, 0xffff)).u8(byte(frame.id8));
      break;
    case ShortKind.FRAGMENT:
      writeFirst(out, frame.kind, frame.last ? LAST_BIT : 0);
      out.u8(byte(frame.id8)).u8(byte(frame.index)).bytes(frame.bytes);
      break;
  }
  return out.finish();
}

function writeFirst(out: ByteWriter, kind: ShortKind, low: number): void {
  out.u8(SHORT_BIT | (kind << 4) | low);
}

/** The nibble is used where it can be (clause 6.1.1). */
function writeAlias(
  out: ByteWriter,
  { kind, alias }: ShortPublish | ShortPublishReliable | ShortBatch,
): void {
  const inNibble = byte(alias) < ALIAS_FOLLOWS;
  writeFirst(out, kind, inNibble ? alias : ALIAS_FOLLOWS);
  if (!inNibble) out.u8(alias);
}

function byte(value: number): number {
  return inRange(value, 0xff);
}

function inRange(value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new HashikeError('HSK-1105', `a field of a short frame takes an integer from 0 to ${most}`, {
    value,
  });
}

/** The MESSAGE_ID with the low byte `id8` that is nearest to `expected`, the higher of two equally near (clause 6.2.1). */
export function widenId8(id8: number, expected: number): number {
  const above = expected + ((id8 - expected) & 0xff);
  const below = above - 0x100;
  return above - expected <= 0x80 || below < 0 ? above : below;
}
