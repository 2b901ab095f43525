import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';

/** Types of CoAP messages (RFC 7252, section 3). */
export const CoapType = { CON: 0, NON: 1, ACK: 2, RST: 3 } as const;
export type CoapType = (typeof CoapType)[keyof typeof CoapType];

/** Numbers of the options that this inlet knows (RFC 7252, 7641, 7959; clause 10.3 for the last). */
export const CoapOption = {
  URI_HOST: 3,
  OBSERVE: 6,
  URI_PORT: 7,
  URI_PATH: 11,
  CONTENT_FORMAT: 12,
  MAX_AGE: 14,
  URI_QUERY: 15,
  ACCEPT: 17,
  BLOCK2: 23,
  BLOCK1: 27,
  PROXY_URI: 35,
  PROXY_SCHEME: 39,
  SIZE1: 60,
  TOKEN: 65_000,
} as const;

export interface CoapOptionValue {
  readonly number: number;
  readonly value: Uint8Array;
}

/**
 * One CoAP message (RFC 7252, section 3):
 *
 *      0       1       2               4
 *     +-------+-------+---------------+------------+-------------+------+-----------+
 *     |1|T|TKL| Code  | Message ID    | token (TKL)| options ... | 0xFF | payload   |
 *     +-------+-------+---------------+------------+-------------+------+-----------+
 *
 * `code` is class x 32 + detail: 0x45 is 2.05.
 */
export interface CoapDatagram {
  readonly type: CoapType;
  readonly code: number;
  readonly messageId: number;
  /** 0-8 bytes. */
  readonly token: Uint8Array;
  readonly options: readonly CoapOptionValue[];
  readonly payload: Uint8Array;
}

const PAYLOAD_MARKER = 0xff;
const MAX_TOKEN_BYTES = 8;
export const EMPTY_CODE = 0;

/** Throws HSK-4001 (HSK-1101 where it is cut short) for what RFC 7252 calls a message format error. Views, no copies. */
export function parseDatagram(bytes: Uint8Array): CoapDatagram {
  const reader = new ByteReader(bytes);
  const first = reader.u8();
  if (first >> 6 !== 1) throw malformed('it has another version');
  const tokenLength = first & 0x0f;
  if (tokenLength > MAX_TOKEN_BYTES) throw malformed('its token is longer than 8 bytes');
  const code = reader.u8();
  const messageId = reader.u16();
  if (code === EMPTY_CODE && bytes.length > 4) throw malformed('it is empty but has bytes');
  const token = reader.bytes(tokenLength);
  const { options, payload } = parseOptions(reader);
  return { type: ((first >> 4) & 3) as CoapType, code, messageId, token, options, payload };
}

function parseOptions(reader: ByteReader): Pick<CoapDatagram, 'options' | 'payload'> {
  const options: CoapOptionValue[] = [];
  let number = 0;
  while (reader.remaining > 0) {
    const head = reader.u8();
    if (head === PAYLOAD_MARKER) {
      if (reader.remaining === 0) throw malformed('a payload is announced but missing');
      return { options, payload: reader.rest() };
    }
    number += extended(reader, head >> 4);
    options.push({ number, value: reader.bytes(extended(reader, head & 0x0f)) });
  }
  return { options, payload: new Uint8Array(0) };
}

function extended(reader: ByteReader, nibble: number): number {
  if (nibble === 13) return reader.u8() + 13;
  if (nibble === 14) return reader.u16() + 269;
  if (nibble === 15) throw malformed('an option has a reserved length');
  return nibble;
}

/** The Message ID of a malformed confirmable message, which is to be answered with a reset; undefined for anything else. */
export function malformedConfirmable(bytes: Uint8Array): number | undefined {
  const [first = 0, , high = 0, low = 0] = bytes;
  return bytes.length >= 4 && first >> 4 === 4 ? (high << 8) | low : undefined;
}

/** The bytes of a message. Options must be in order of their numbers. */
export function encodeDatagram(message: CoapDatagram): Uint8Array {
  const { type, code, messageId, token, options, payload } = message;
  const out = new ByteWriter();
  out
    .u8(0x40 | (type << 4) | token.length)
    .u8(code)
    .u16(messageId)
    .bytes(token);
  let number = 0;
  for (const option of options) {
    const [delta, length] = [nibbleOf(option.number - number), nibbleOf(option.value.length)];
    out.u8((delta.nibble << 4) | length.nibble);
    delta.write(out);
    length.write(out);
    out.bytes(option.value);
    ({ number } = option);
  }
  if (payload.length > 0) out.u8(PAYLOAD_MARKER).bytes(payload);
  return out.finish();
}

function nibbleOf(value: number): { readonly nibble: number; readonly write: (out: ByteWriter) => void } {
  if (value < 13) return { nibble: value, write: () => undefined };
  if (value < 269) return { nibble: 13, write: (out) => void out.u8(value - 13) };
  return { nibble: 14, write: (out) => void out.u16(value - 269) };
}

/** The shortest bytes of an unsigned integer option; none for 0. */
export function uintOption(number: number, value: number): CoapOptionValue {
  const bytes: number[] = [];
  for (let left = value; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return { number, value: Uint8Array.from(bytes) };
}

/** The value of an unsigned integer option. */
export function uintOf(value: Uint8Array): number {
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** `4.04` as its byte. */
export function codeByte(code: string): number {
  const [major = '', minor = ''] = code.split('.');
  return (Number(major) << 5) | Number(minor);
}

/** An acknowledgement or reset. */
export function emptyDatagram(type: CoapType, messageId: number): CoapDatagram {
  const nothing = new Uint8Array(0);
  return { type, code: EMPTY_CODE, messageId, token: nothing, options: [], payload: nothing };
}

function malformed(why: string): HashikeError {
  return new HashikeError('HSK-4001', `a CoAP message is malformed: ${why}`);
}
