/** Bytes that break a rule of docs/protocol.md; the message names the rule. The only error that the decoders throw. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new Malformed('2.1: a string is not UTF-8');
  }
}

/** `value` as `length` big-endian bytes (2.1). */
export function uint(value: number | bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = BigInt(value);
  for (let index = length - 1; index >= 0; index--) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** All bytes as one unsigned number; exact up to 6 bytes, and above as far as the value is below 2^53. */
export function toUint(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Unsigned LEB128, at most 32 bits (2.2). */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest >= 0x80;
    bytes.push((rest % 0x80) + (more ? 0x80 : 0));
    rest = Math.floor(rest / 0x80);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

/** Reads forward; throws Malformed where bytes are missing. */
export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new Malformed(`${length} bytes expected, ${this.left} left`);
    const taken = this.#bytes.slice(this.#offset, this.#offset + length);
    this.#offset += length;
    return taken;
  }

  uint(length: number): number {
    return toUint(this.take(length));
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 5; shift++) {
      const byte = this.uint(1);
      value += (byte & 0x7f) * 2 ** (7 * shift);
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw new Malformed('2.2: a varint is not the shortest');
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new Malformed('2.2: a varint is over 32 bits');
  }

  end(rule: string): void {
    if (this.left > 0) throw new Malformed(`${rule}: ${this.left} bytes too many`);
  }
}
