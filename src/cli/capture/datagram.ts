import { ByteReader, hex } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';
import { decodeMessage } from '../../wire/long-form.ts';
import { MessageType, type MessageType as Type } from '../../wire/numbers.ts';
import { isShortForm } from '../../wire/short-form.ts';
import type { DatagramHeader } from './captured-event.ts';

const TAG_BYTES = 8;
/** Where no ticket was captured that says otherwise (clause 8). */
const DEFAULT_CONNECTION_ID_BYTES = 2;
const MAX_CONNECTION_ID_BYTES = 8;
const inClear: ReadonlySet<Type> = new Set([MessageType.UDP_PROBE, MessageType.UDP_CONFIRM]);

/** The connection IDs that the tickets of a capture told, so that headers are read with the right length. */
export class ConnectionIds {
  static readonly #most = 65_536;
  readonly #known = new Set<string>();

  add(connectionId: Uint8Array): void {
    if (this.#known.size < ConnectionIds.#most) this.#known.add(hex(connectionId));
  }

  /** Bytes of the connection ID after the first byte of a datagram. */
  lengthIn(datagram: Uint8Array): number {
    for (let length = MAX_CONNECTION_ID_BYTES; length > DEFAULT_CONNECTION_ID_BYTES; length -= 1) {
      if (datagram.length > length && this.#known.has(hex(datagram.subarray(1, 1 + length)))) return length;
    }
    return DEFAULT_CONNECTION_ID_BYTES;
  }
}

/** Whether a datagram is a message in the clear: a probe of the path, or its answer (clause 8.3). */
export function isPathMessage(datagram: Uint8Array): boolean {
  if (isShortForm(datagram[0] ?? 0)) return false;
  try {
    return inClear.has(decodeMessage(datagram).type);
  } catch (error) {
    if (error instanceof HashikeError) return false;
    throw error;
  }
}

/** The header of a datagram, or undefined when it is too short to be one. `length` is what it had on the wire. */
export function readDatagram(
  datagram: Uint8Array,
  length: number,
  connectionIdBytes: number,
): DatagramHeader | undefined {
  const headerBytes = 1 + connectionIdBytes + 2;
  if (datagram.length < headerBytes || length < headerBytes + TAG_BYTES) return undefined;
  const reader = new ByteReader(datagram);
  return {
    firstByte: reader.u8(),
    connectionId: reader.bytes(connectionIdBytes),
    packetNumber: reader.u16(),
    payloadLength: length - headerBytes - TAG_BYTES,
    tag: datagram.length === length ? datagram.subarray(-TAG_BYTES) : new Uint8Array(0),
  };
}
