import { crc16 } from '../base/crc16.ts';
import { cobsDecode, cobsEncode, maxStuffedLength } from './cobs.ts';

const CRC_BYTES = 2;
const DELIMITER = 0x00;

/**
 * A frame as it goes over a serial line (clause 7.1):
 *
 *     COBS( frame | CRC-16 (2, big-endian) ) | 0x00
 */
export function encodeSerialFrame(frame: Uint8Array): Uint8Array {
  const checked = new Uint8Array(frame.length + CRC_BYTES);
  const crc = crc16(frame);
  checked.set(frame);
  checked[frame.length] = crc >>> 8;
  checked[frame.length + 1] = crc;
  const stuffed = cobsEncode(checked);
  const line = new Uint8Array(stuffed.length + 1);
  line.set(stuffed);
  return line;
}

/**
 * Why bytes of the line were thrown away: `crc` and `cobs` did not hold, `too-long` is over the MTU, `empty` is a CRC at most;
 * `leading` is whatever of these came first after opening, where one joins in the middle of a frame.
 */
export type SerialDiscard = 'crc' | 'cobs' | 'too-long' | 'empty' | 'leading';

/** What a deframer tells its user. */
export interface SerialDeframerHandler {
  /** One whole frame whose CRC holds. The bytes are the handler's. */
  frame(frame: Uint8Array): void;
  /** `bytes` of the line, the delimiter included, were thrown away. */
  discarded(reason: SerialDiscard, bytes: number): void;
}

/**
 * Cuts the bytes of a serial line into frames and verifies these (clause 7.2). Junk is an event, never an error: the deframer is in
 * step again at the next 0x00. It keeps no more than one stuffed frame of the largest size.
 */
export class SerialDeframer {
  readonly #maxFrameBytes: number;
  readonly #handler: SerialDeframerHandler;
  readonly #kept: Uint8Array;
  /** Bytes since the last delimiter; those beyond the size of `#kept` are counted only. */
  #length = 0;
  #leading = true;

  /** @param options.maxFrameBytes the MTU: largest frame in bytes before stuffing, without CRC. */
  constructor(options: { readonly maxFrameBytes: number; readonly handler: SerialDeframerHandler }) {
    this.#maxFrameBytes = options.maxFrameBytes;
    this.#handler = options.handler;
    // One more: some encoders close a full last group with an empty one.
    this.#kept = new Uint8Array(maxStuffedLength(options.maxFrameBytes + CRC_BYTES) + 1);
  }

  /** Takes the next bytes of the line, in chunks of any size. */
  feed(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const delimiter = chunk.indexOf(DELIMITER, at);
      const end = delimiter === -1 ? chunk.length : delimiter;
      this.#keep(chunk.subarray(at, end));
      if (delimiter !== -1) this.#finish();
      at = end + 1;
    }
  }

  #keep(bytes: Uint8Array): void {
    const room = this.#kept.length - this.#length;
    if (room > 0) this.#kept.set(bytes.subarray(0, room), this.#length);
    this.#length += bytes.length;
  }

  /** A delimiter came. Nothing before it is no error: a sender may flush noise with one (clause 7.2). */
  #finish(): void {
    const length = this.#length;
    this.#length = 0;
    const leading = this.#leading;
    this.#leading = false;
    if (length === 0) return;
    const frame = this.#verify(length);
    if (typeof frame !== 'string') this.#handler.frame(frame);
    else this.#handler.discarded(leading ? 'leading' : frame, length + 1);
  }

  /** The frame in the first `length` bytes kept, or what is wrong with it. */
  #verify(length: number): Uint8Array | SerialDiscard {
    if (length > this.#kept.length) return 'too-long';
    const checked = cobsDecode(this.#kept.subarray(0, length));
    if (!checked) return 'cobs';
    if (checked.length <= CRC_BYTES) return 'empty';
    const frame = checked.subarray(0, -CRC_BYTES);
    if (frame.length > this.#maxFrameBytes) return 'too-long';
    const [high = 0, low = 0] = checked.subarray(-CRC_BYTES);
    return crc16(frame) === ((high << 8) | low) ? frame : 'crc';
  }
}
