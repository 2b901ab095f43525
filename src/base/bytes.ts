import { HashikeError } from './errors.ts';

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Codes of the characters 0 to f. */
const hexDigits = utf8Encoder.encode('0123456789abcdef');
/** So many bytes become digits at once: a call takes a bounded number of arguments. */
const HEX_PIECE_BYTES = 1024;

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** The text of UTF-8 `bytes`. Throws HSK-1102 when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (error) {
    throw new HashikeError('HSK-1102', 'a string is not UTF-8', { length: bytes.length }, error);
  }
}

/** Lower-case hex without separators. */
export function hex(bytes: Uint8Array): string {
  if (bytes.length <= HEX_PIECE_BYTES) return hexOfPiece(bytes);
  let digits = '';
  for (let at = 0; at < bytes.length; at += HEX_PIECE_BYTES) {
    digits += hexOfPiece(bytes.subarray(at, at + HEX_PIECE_BYTES));
  }
  return digits;
}

/** One call makes a flat text, which is quicker to make and to look up than one that grows digit by digit. */
function hexOfPiece(bytes: Uint8Array): string {
  const codes: number[] = [];
  for (const byte of bytes) codes.push(hexDigits[byte >> 4] ?? 0, hexDigits[byte & 15] ?? 0);
  return String.fromCharCode(...codes);
}

/** Bytes of hex digits; white space between them is ignored. Returns undefined for anything else. */
export function parseHex(text: string): Uint8Array | undefined {
  const digits = text.replaceAll(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** One array with all `parts` in order. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whether two arrays hold the same bytes. Not for secrets: see `node:crypto` timingSafeEqual. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** `length` rounded up to a multiple of 4. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}

/** Reads big-endian fields one after the other. Every read past the end throws HSK-1101. Views, no copies. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** A u64 as a number. Throws HSK-1102 above 2^53 - 1. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new HashikeError('HSK-1102', 'a 64-bit number is larger than 2^53 - 1', {
        value: value.toString(),
      });
    }
    return Number(value);
  }

  /** A view on the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view on everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** An unsigned LEB128 number of at most 32 bits. Throws HSK-1102 when it is longer. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new HashikeError('HSK-1102', 'a varint is longer than 32 bits');
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) {
      throw new HashikeError('HSK-1101', `${length} more bytes were announced than are there`, {
        position: at,
        wanted: length,
        left: this.#bytes.length - at,
      });
    }
    this.#at = at + length;
    return at;
  }
}

/** Writes big-endian fields one after the other into a buffer that grows. Values are taken modulo their width. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: number): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt(value));
    return this;
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** An unsigned LEB128 number. */
  varint(value: number): this {
    let left = value;
    while (left > 0x7f) {
      this.u8((left % 0x80) | 0x80);
      left = Math.floor(left / 0x80);
    }
    return this.u8(left);
  }

  /** Zero bytes up to the next multiple of 4. */
  pad4(): this {
    this.#room(padded(this.#at) - this.#at);
    return this;
  }

  /** Overwrites two bytes written before, for a length that is known only afterwards. */
  patchU16(at: number, value: number): this {
    this.#view.setUint16(at, value);
    return this;
  }

  /** What was written, as a view that later writes may detach: call it last. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Where the next `length` bytes go. It may replace `#bytes` and `#view`: call it before touching them. */
  #room(length: number): number {
    const at = this.#at;
    const needed = at + length;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#at = needed;
    return at;
  }
}
