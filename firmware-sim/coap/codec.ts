import { join, Malformed, Reader, toUint, uint } from '../codec/bytes.ts';

/**
 * One CoAP message (RFC 7252, 3).
 *
 *     Ver 2 bits | Type 2 | TKL 4    Code 8    Message ID 16    Token    Options    0xFF Payload
 */
export interface CoapMessage {
  readonly type: CoapType;
  /** Class and detail as in `c.dd`: class x 32 + detail. */
  readonly code: number;
  readonly messageId: number;
  readonly token: Uint8Array;
  /** In ascending order of their numbers. */
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export interface CoapOption {
  readonly number: number;
  readonly value: Uint8Array;
}

export type CoapType = 'CON' | 'NON' | 'ACK' | 'RST';

export const option = {
  observe: 6,
  uriPath: 11,
  contentFormat: 12,
  maxAge: 14,
  uriQuery: 15,
  accept: 17,
} as const;

export const method = { get: 1, post: 2 } as const;

const types: readonly CoapType[] = ['CON', 'NON', 'ACK', 'RST'];
const nothing = new Uint8Array();

/** `code(2, 4)` is 2.04. */
export function code(group: number, detail: number): number {
  return group * 32 + detail;
}

/** For people: `2.04`. */
export function codeName(value: number): string {
  return `${value >> 5}.${String(value & 31).padStart(2, '0')}`;
}

/** A message without token, options and payload, such as an empty ACK. */
export function empty(type: CoapType, messageId: number): CoapMessage {
  return { type, code: 0, messageId, token: nothing, options: [], payload: nothing };
}

/** An unsigned number in as few bytes as it takes (RFC 7252, 3.2). */
export function shortUint(value: number): Uint8Array {
  let length = 0;
  while (value >= 256 ** length) length++;
  return value === 0 ? nothing : uint(value, length);
}

export function encodeCoap(message: CoapMessage): Uint8Array {
  const first = 0x40 | (types.indexOf(message.type) << 4) | message.token.length;
  const parts = [Uint8Array.of(first, message.code), uint(message.messageId, 2), message.token];
  let previous = 0;
  for (const { number, value } of message.options) {
    const [delta, deltaBytes] = extended(number - previous);
    const [length, lengthBytes] = extended(value.length);
    parts.push(Uint8Array.of((delta << 4) | length), deltaBytes, lengthBytes, value);
    previous = number;
  }
  if (message.payload.length > 0) parts.push(Uint8Array.of(0xff), message.payload);
  return join(...parts);
}

function extended(value: number): [number, Uint8Array] {
  if (value < 13) return [value, nothing];
  return value < 269 ? [13, uint(value - 13, 1)] : [14, uint(value - 269, 2)];
}

/** Throws Malformed for what RFC 7252 calls a message format error. */
export function decodeCoap(bytes: Uint8Array): CoapMessage {
  const reader = new Reader(bytes);
  const first = reader.uint(1);
  if (first >> 6 !== 1) throw new Malformed('RFC 7252 3: not version 1');
  const type = types[(first >> 4) & 3] ?? 'RST';
  const messageCode = reader.uint(1);
  const messageId = reader.uint(2);
  const tokenLength = first & 15;
  if (tokenLength > 8) throw new Malformed('RFC 7252 3: a token of more than 8 bytes');
  if (messageCode === 0 && (tokenLength > 0 || reader.left > 0))
    throw new Malformed('RFC 7252 4.1: an empty message with more than a header');
  const token = reader.take(tokenLength);
  const options: CoapOption[] = [];
  let number = 0;
  while (reader.left > 0) {
    const head = reader.uint(1);
    if (head === 0xff) {
      if (reader.left === 0) throw new Malformed('RFC 7252 3: a payload marker without payload');
      break;
    }
    number += widened(head >> 4, reader);
    options.push({ number, value: reader.take(widened(head & 15, reader)) });
  }
  return { type, code: messageCode, messageId, token, options, payload: reader.rest() };
}

function widened(nibble: number, reader: Reader): number {
  if (nibble === 15) throw new Malformed('RFC 7252 3.1: 15 in an option');
  if (nibble < 13) return nibble;
  return nibble === 13 ? 13 + reader.uint(1) : 269 + reader.uint(2);
}

export function optionUint(message: CoapMessage, number: number): number | undefined {
  const found = message.options.find((one) => one.number === number);
  return found && toUint(found.value);
}
