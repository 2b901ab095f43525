import { HashikeError } from '../base/errors.ts';
import { MESSAGE_HEADER_BYTES } from './numbers.ts';

/** Largest datagram: it fits the smallest MTU of IPv6 with room for tunnels (clause 8.1.4). */
export const MAX_DATAGRAM_BYTES = 1200;
export const DATAGRAM_TAG_BYTES = 8;
const FIRST_BYTE = 0x80;
const ID_LENGTH_BITS = 0x07;
const PACKET_NUMBER_BYTES = 2;

/** A datagram, taken apart but not opened (clause 8.1). Views on the datagram. */
export interface SealedDatagram {
  /** First byte, CONNECTION_ID and packet number: the associated data. */
  readonly header: Uint8Array;
  /** 2-8 bytes. */
  readonly connectionId: Uint8Array;
  /** Low 16 bits of the packet number. */
  readonly low16: number;
  /** Payload and tag. */
  readonly sealed: Uint8Array;
}

/**
 * Takes a datagram apart (clause 8.1):
 *
 *      7   6 5 4   3   2 1 0
 *     +---+-------+---+-------+---------------+---------------+---------+---------+
 *     | 1 | 0 0 0 | 0 | len-1 | CONNECTION_ID | packet number | payload | tag (8) |
 *     +---+-------+---+-------+---------------+---------------+---------+---------+
 *
 * Throws HSK-1101 when it is cut short, HSK-1102 when it is no datagram of this version and HSK-1103 when it is too long.
 */
export function readDatagram(bytes: Uint8Array): SealedDatagram {
  const [first = 0] = bytes;
  const idBytes = (first & ID_LENGTH_BITS) + 1;
  if ((first & ~ID_LENGTH_BITS) !== FIRST_BYTE || idBytes < 2) {
    throw new HashikeError('HSK-1102', 'a datagram begins with a byte that says nothing', {
      firstByte: first,
    });
  }
  if (bytes.length > MAX_DATAGRAM_BYTES) {
    throw new HashikeError('HSK-1103', 'a datagram is too long', {
      length: bytes.length,
      most: MAX_DATAGRAM_BYTES,
    });
  }
  const headerBytes = 1 + idBytes + PACKET_NUMBER_BYTES;
  if (bytes.length < headerBytes + DATAGRAM_TAG_BYTES) {
    throw new HashikeError('HSK-1101', 'a datagram is shorter than its header and tag', {
      length: bytes.length,
    });
  }
  const [high = 0, low = 0] = bytes.subarray(1 + idBytes, headerBytes);
  return {
    header: bytes.subarray(0, headerBytes),
    connectionId: bytes.subarray(1, 1 + idBytes),
    low16: (high << 8) | low,
    sealed: bytes.subarray(headerBytes),
  };
}

/** The header of a datagram that carries long-form messages. `connectionId` has 2-8 bytes. */
export function datagramHeader(connectionId: Uint8Array, packetNumber: number): Uint8Array {
  const header = new Uint8Array(1 + connectionId.length + PACKET_NUMBER_BYTES);
  header[0] = FIRST_BYTE | (connectionId.length - 1);
  header.set(connectionId, 1);
  header[header.length - 2] = packetNumber >>> 8;
  header[header.length - 1] = packetNumber;
  return header;
}

/** Most bytes of payload under a CONNECTION_ID of that length. */
export function datagramCapacity(idBytes: number): number {
  return MAX_DATAGRAM_BYTES - (1 + idBytes + PACKET_NUMBER_BYTES) - DATAGRAM_TAG_BYTES;
}

/** The packet number with these low 16 bits that is nearest to `expected`, the higher of two equally near (clause 8.2.2). */
export function widenPacketNumber(low16: number, expected: number): number {
  const above = expected + ((low16 - expected) & 0xffff);
  const below = above - 0x1_0000;
  return above - expected <= 0x8000 || below < 0 ? above : below;
}

/** The long-form messages of a payload, one after the other (clause 8.1.3), as views. Throws HSK-1101 when the last one is cut short. */
export function messagesIn(payload: Uint8Array): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < payload.length;) {
    const [high = 0, low = 0] = payload.subarray(at + 2, at + 4);
    const end = at + MESSAGE_HEADER_BYTES + ((high << 8) | low);
    if (end > payload.length) {
      throw new HashikeError('HSK-1101', 'a message is cut short by the end of its datagram', { at });
    }
    messages.push(payload.subarray(at, end));
    at = end;
  }
  return messages;
}
