import { crc32 } from 'node:zlib';

import { ByteReader, ByteWriter, hex, parseHex, textOf, utf8 } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import type { Publication } from '../wire/publication.ts';

/*
 * A publication as it lies on disk. Integers are big-endian; `text` and `bytes` are a varint length and that many bytes.
 *
 *   version (1) | flags (2) | taken at (8) | [uncertainty varint] | [expires at (8)] | topic text | client id text |
 *   [session id bytes] | [message id (4)] | [part varint] | [response topic text] | [correlation bytes] |
 *   content (the rest) | CRC-32 of all before (4)
 *
 * The checksum is there because SQLite has none of its own for the pages of the database file, and memory cards rot.
 */
const VERSION = 1;
const CHECKSUM_BYTES = 4;

const Flag = {
  RELIABLE: 0x0001,
  RETAIN: 0x0002,
  UNCERTAINTY: 0x0004,
  EXPIRES_AT: 0x0008,
  SESSION_ID: 0x0010,
  MESSAGE_ID: 0x0020,
  PART: 0x0040,
  RESPONSE_TOPIC: 0x0080,
  CORRELATION: 0x0100,
} as const;

/**
 * The bytes of one record. Times are kept in whole milliseconds, an uncertainty is rounded up.
 * Throws HSK-1105 when a time is not a number of milliseconds since 1970 or the session id is not hex.
 */
export function encodeRecord(publication: Publication): Uint8Array {
  const { origin, taken, expiresAt, responseTopic, correlation } = publication;
  const flags =
    (publication.reliable ? Flag.RELIABLE : 0) |
    (publication.retain ? Flag.RETAIN : 0) |
    (taken.uncertainty === undefined ? 0 : Flag.UNCERTAINTY) |
    (expiresAt === undefined ? 0 : Flag.EXPIRES_AT) |
    (origin.sessionId === undefined ? 0 : Flag.SESSION_ID) |
    (origin.messageId === undefined ? 0 : Flag.MESSAGE_ID) |
    (origin.part === undefined ? 0 : Flag.PART) |
    (responseTopic === undefined ? 0 : Flag.RESPONSE_TOPIC) |
    (correlation === undefined ? 0 : Flag.CORRELATION);

  const writer = new ByteWriter(96 + publication.topic.length + publication.content.length);
  writer.u8(VERSION).u16(flags).u64(wholeMilliseconds(taken.at));
  if (taken.uncertainty !== undefined) {
    writer.varint(Math.min(0xffff_ffff, wholeMilliseconds(Math.ceil(taken.uncertainty))));
  }
  if (expiresAt !== undefined) writer.u64(wholeMilliseconds(expiresAt));
  writeBytes(writer, utf8(publication.topic));
  writeBytes(writer, utf8(origin.clientId));
  if (origin.sessionId !== undefined) writeBytes(writer, bytesOfHex(origin.sessionId));
  if (origin.messageId !== undefined) writer.u32(origin.messageId);
  if (origin.part !== undefined) writer.varint(origin.part);
  if (responseTopic !== undefined) writeBytes(writer, utf8(responseTopic));
  if (correlation !== undefined) writeBytes(writer, correlation);
  writer.bytes(publication.content);
  writer.u32(crc32(writer.finish()));
  return new Uint8Array(writer.finish());
}

/** The publication of a record; byte fields are views on `record`. Throws HSK-2209 for anything `encodeRecord` did not write. */
export function decodeRecord(record: Uint8Array): Publication {
  const end = record.length - CHECKSUM_BYTES;
  if (end < 0 || new ByteReader(record.subarray(end)).u32() !== crc32(record.subarray(0, end))) {
    throw new HashikeError('HSK-2209', 'the checksum of a stored record is wrong', {
      length: record.length,
    });
  }
  try {
    return decodeBody(new ByteReader(record.subarray(0, end)));
  } catch (error) {
    throw new HashikeError('HSK-2209', 'a stored record cannot be decoded', { length: record.length }, error);
  }
}

function decodeBody(reader: ByteReader): Publication {
  const version = reader.u8();
  if (version !== VERSION) {
    throw new HashikeError('HSK-2209', `a stored record has the unknown version ${version}`, { version });
  }
  const flags = reader.u16();
  const has = (flag: number): boolean => (flags & flag) !== 0;
  // The order of these lines is the order of the fields in the record.
  const at = reader.u64();
  const uncertainty = has(Flag.UNCERTAINTY) ? reader.varint() : undefined;
  const expiresAt = has(Flag.EXPIRES_AT) ? reader.u64() : undefined;
  const topic = textOf(readBytes(reader));
  const clientId = textOf(readBytes(reader));
  const sessionId = has(Flag.SESSION_ID) ? hex(readBytes(reader)) : undefined;
  const messageId = has(Flag.MESSAGE_ID) ? reader.u32() : undefined;
  const part = has(Flag.PART) ? reader.varint() : undefined;
  const responseTopic = has(Flag.RESPONSE_TOPIC) ? textOf(readBytes(reader)) : undefined;
  const correlation = has(Flag.CORRELATION) ? readBytes(reader) : undefined;
  return {
    topic,
    content: reader.rest(),
    reliable: has(Flag.RELIABLE),
    retain: has(Flag.RETAIN),
    expiresAt,
    responseTopic,
    correlation,
    origin: { clientId, sessionId, messageId, part },
    taken: { at, uncertainty },
  };
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length).bytes(bytes);
}

function readBytes(reader: ByteReader): Uint8Array {
  return reader.bytes(reader.varint());
}

function bytesOfHex(digits: string): Uint8Array {
  const bytes = parseHex(digits);
  if (!bytes) throw new HashikeError('HSK-1105', 'a session id is not hex', { digits });
  return bytes;
}

function wholeMilliseconds(value: number): number {
  const whole = Math.round(value);
  if (!(whole >= 0 && whole <= Number.MAX_SAFE_INTEGER)) {
    throw new HashikeError('HSK-1105', 'a time is not a number of milliseconds', { value });
  }
  return whole;
}
