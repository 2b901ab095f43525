import { join, Malformed, uint } from './bytes.ts';

export const DEFAULT_MTU = 1024;

/** CRC-16/CCITT-FALSE (7.1). */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/** COBS: each group of up to 254 bytes that are not zero, led by its length plus 1; a group below 254 stands for a zero after it. */
export function stuff(bytes: Uint8Array): Uint8Array {
  const stuffed: number[] = [0];
  let lead = 0;
  for (const [index, byte] of bytes.entries()) {
    if (byte !== 0) stuffed.push(byte);
    const length = stuffed.length - lead;
    const last = index === bytes.length - 1;
    if (byte === 0 || (length === 255 && !last)) {
      stuffed[lead] = length;
      lead = stuffed.push(0) - 1;
    }
  }
  stuffed[lead] = stuffed.length - lead;
  return Uint8Array.from(stuffed);
}

/** The reverse of `stuff`, for bytes without the closing zero. */
export function unstuff(bytes: Uint8Array): Uint8Array {
  const plain: number[] = [];
  for (let lead = 0; lead < bytes.length;) {
    const length = bytes[lead] ?? 0;
    if (length === 0) throw new Malformed('7.1: a zero within the stuffing');
    const next = lead + length;
    if (next > bytes.length) throw new Malformed('7.1: the stuffing points beyond its end');
    const group = bytes.subarray(lead + 1, next);
    if (group.includes(0)) throw new Malformed('7.1: a zero within the stuffing');
    plain.push(...group);
    if (length < 255 && next < bytes.length) plain.push(0);
    lead = next;
  }
  return Uint8Array.from(plain);
}

/** What goes on the wire for one frame: stuffed frame and CRC, and the closing zero. */
export function wrap(frame: Uint8Array): Uint8Array {
  return join(stuff(join(frame, uint(crc16(frame), 2))), Uint8Array.of(0));
}

/** The frame within one run of bytes between zeros. */
function unwrap(run: Uint8Array): Uint8Array {
  const plain = unstuff(run);
  if (plain.length < 3) throw new Malformed('7.2: an empty frame');
  const frame = plain.slice(0, -2);
  if (crc16(plain) !== 0) throw new Malformed('7.1: the CRC does not match');
  return frame;
}

/** Cuts a stream of bytes into frames and is in step again at the next zero, whatever came before. */
export class Deframer {
  readonly #mtu: number;
  readonly #longestRun: number;
  #run: number[] = [];
  #overlong = false;
  /** Runs that were no frame. */
  dropped = 0;

  constructor(mtu: number = DEFAULT_MTU) {
    this.#mtu = mtu;
    this.#longestRun = mtu + 2 + Math.ceil((mtu + 2) / 254);
  }

  /** Frames that are whole with these bytes. */
  push(bytes: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const byte of bytes) {
      if (byte !== 0) {
        this.#overlong ||= this.#run.length >= this.#longestRun;
        if (!this.#overlong) this.#run.push(byte);
      } else if (this.#overlong || this.#run.length > 0) {
        const frame = this.#close();
        if (frame) frames.push(frame);
      }
    }
    return frames;
  }

  #close(): Uint8Array | undefined {
    const run = Uint8Array.from(this.#run);
    const overlong = this.#overlong;
    this.#run = [];
    this.#overlong = false;
    try {
      if (overlong) throw new Malformed('7.2: a frame over the MTU');
      const frame = unwrap(run);
      if (frame.length > this.#mtu) throw new Malformed('7.2: a frame over the MTU');
      return frame;
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.dropped++;
      return undefined;
    }
  }
}
