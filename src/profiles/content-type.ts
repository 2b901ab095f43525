import { decode as decodeCbor, encode as encodeCbor } from 'cbor2';
import { hex, utf8 } from '../base/bytes.ts';
import { describeError, HashikeError } from '../base/errors.ts';

/** What the configuration says about one content type. */
export interface ContentDescription {
  readonly type: number;
  readonly name: string;
  readonly unit?: string | undefined;
  readonly encoding: ContentEncoding;
  /** Fixed-point, for integers: value = integer x scale + offset. */
  readonly scale?: number | undefined;
  readonly offset?: number | undefined;
}

/**
 * A content type that can read and write its bytes. Values are the host's own: number, bigint beyond 2^53, boolean, string,
 * Uint8Array, and for CBOR whatever it holds.
 */
export interface ContentType {
  readonly type: number;
  readonly name: string;
  readonly unit: string | undefined;
  /** Bytes of every value; undefined where these differ from value to value. */
  readonly length: number | undefined;
  /** What fits, for people: `an integer from 0 to 255`. */
  readonly takes: string;
  /** Values of this type are text as they are, and need no quotes in text/plain. */
  readonly isText: boolean;
  /** Any value of JSON or CBOR, objects too, is a value of this type. */
  readonly isOpen: boolean;
  /** Throws HSK-2301 when the bytes are no value of this type. */
  decode(bytes: Uint8Array): unknown;
  /** Takes the forms of JSON too: digits for a large integer, base64 for bytes. Throws HSK-2302 when `value` does not fit. */
  encode(value: unknown): Uint8Array;
}

/** How the bytes of one encoding become a value and back. `undefined` says that it does not fit. */
interface Codec {
  readonly length: number | undefined;
  readonly takes: string;
  decode(bytes: Uint8Array): unknown;
  encode(value: unknown): Uint8Array | undefined;
}

/** Nesting of CBOR that is followed; deeper is refused. */
const CBOR_DEPTH = 32;

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const codecs = {
  u8: integer(1, false),
  u16: integer(2, false),
  u32: integer(4, false),
  u64: integer(8, false),
  i8: integer(1, true),
  i16: integer(2, true),
  i32: integer(4, true),
  i64: integer(8, true),
  f32: {
    length: 4,
    takes: 'a number',
    decode: (bytes) => shortestSingle(viewOf(bytes).getFloat32(0)),
    encode: (value) => withNumber(value, 4, (view, number) => view.setFloat32(0, number)),
  },
  f64: {
    length: 8,
    takes: 'a number',
    decode: (bytes) => viewOf(bytes).getFloat64(0),
    encode: (value) => withNumber(value, 8, (view, number) => view.setFloat64(0, number)),
  },
  bool: {
    length: 1,
    takes: 'true or false',
    decode: ([byte]) => (byte === 0 || byte === 1 ? byte === 1 : undefined),
    encode: (value) => (typeof value === 'boolean' ? Uint8Array.of(value ? 1 : 0) : undefined),
  },
  utf8: {
    length: undefined,
    takes: 'a string',
    decode: (bytes) => strictText.decode(bytes),
    encode: (value) => (typeof value === 'string' && value.isWellFormed() ? utf8(value) : undefined),
  },
  bytes: {
    length: undefined,
    takes: 'a string of base64',
    decode: (bytes) => bytes,
    encode: (value) => (value instanceof Uint8Array ? value : fromBase64(value)),
  },
  cbor: {
    length: undefined,
    takes: 'any value',
    // Tags are kept as they are: to follow them would let a node make dates, regular expressions and URLs here.
    decode: (bytes) => decodeCbor(bytes, { maxDepth: CBOR_DEPTH, ignoreGlobalTags: true }) ?? null,
    encode: (value) => encodeCbor(value),
  },
} as const satisfies Readonly<Record<string, Codec>>;

export type ContentEncoding = keyof typeof codecs;

/** Throws HSK-2303 when `scale` or `offset` stand beside an encoding other than integers. */
export function makeContentType(description: ContentDescription): ContentType {
  const { type, name, unit, encoding } = description;
  const codec = scaled(description, codecs[encoding]);
  return {
    type,
    name,
    unit,
    length: codec.length,
    takes: codec.takes,
    isText: encoding === 'utf8' || encoding === 'bytes',
    isOpen: encoding === 'cbor',
    decode(bytes) {
      if (codec.length !== undefined && bytes.length !== codec.length) {
        throw unfit(name, encoding, `${bytes.length} bytes instead of ${codec.length}`);
      }
      let value: unknown;
      try {
        value = codec.decode(bytes);
      } catch (error) {
        throw unfit(name, encoding, describeError(error), error);
      }
      if (value === undefined) throw unfit(name, encoding, `0x${hex(bytes)} stands for nothing`);
      return value;
    },
    encode(value) {
      let bytes: Uint8Array | undefined;
      try {
        bytes = codec.encode(value);
      } catch (error) {
        throw new HashikeError('HSK-2302', `${name} takes ${codec.takes}`, { name, encoding }, error);
      }
      if (!bytes) throw new HashikeError('HSK-2302', `${name} takes ${codec.takes}`, { name, encoding });
      return bytes;
    },
  };
}

function unfit(name: string, encoding: ContentEncoding, why: string, cause?: unknown): HashikeError {
  return new HashikeError('HSK-2301', `${name} is no ${encoding}: ${why}`, { name, encoding }, cause);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A big-endian integer of `length` bytes: a number as long as that is exact, a bigint beyond. */
function integer(length: number, signed: boolean): Codec {
  const bits = BigInt(length * 8);
  const least = signed ? -(1n << (bits - 1n)) : 0n;
  const most = least + (1n << bits) - 1n;
  return {
    length,
    takes: `an integer from ${least} to ${most}`,
    decode(bytes) {
      let unsigned = 0n;
      for (const byte of bytes) unsigned = (unsigned << 8n) | BigInt(byte);
      return collapse(signed ? BigInt.asIntN(Number(bits), unsigned) : unsigned);
    },
    encode(value) {
      const whole = toInteger(value);
      if (whole === undefined || whole < least || whole > most) return undefined;
      const bytes = new Uint8Array(8);
      viewOf(bytes).setBigInt64(0, BigInt.asIntN(64, whole));
      return bytes.subarray(8 - length);
    },
  };
}

function collapse(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function toInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

/** Fixed-point over an integer codec, where the description asks for it. */
function scaled(description: ContentDescription, codec: Codec): Codec {
  const { name, encoding, scale = 1, offset = 0 } = description;
  if (description.scale === undefined && description.offset === undefined) return codec;
  if (!/^[ui]/.test(encoding) || encoding === 'utf8' || scale === 0) {
    throw new HashikeError('HSK-2303', `${name} has a scale or offset that its encoding can't take`, {
      name,
      encoding,
      scale,
    });
  }
  const decimals = Math.max(decimalsOf(scale), decimalsOf(offset));
  const decode = (bytes: Uint8Array): number =>
    rounded(Number(codec.decode(bytes)) * scale + offset, decimals);
  return {
    length: codec.length,
    takes: `a number that is ${codec.takes}, times ${scale}, plus ${offset}`,
    decode,
    encode(value) {
      const number = toNumber(value);
      if (number === undefined) return undefined;
      const whole = Math.round((number - offset) / scale);
      return Number.isFinite(whole) ? codec.encode(BigInt(whole)) : undefined;
    },
  };
}

/** Decimals of the shortest decimal number that is `value`. */
function decimalsOf(value: number): number {
  const [mantissa = '', exponent = '0'] = value.toString().split('e');
  const fraction = mantissa.split('.')[1] ?? '';
  return Math.max(0, fraction.length - Number(exponent));
}

/** Takes off the noise that binary arithmetic adds: 0.1 x 3 reads 0.3. */
function rounded(value: number, decimals: number): number {
  return decimals <= 20 ? Number(value.toFixed(decimals)) : value;
}

/** The shortest decimal number that is this single-precision one: 21.1 instead of 21.100000381469727. */
function shortestSingle(value: number): number {
  for (let digits = 6; digits <= 8; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

const namedNumbers: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return namedNumbers.get(value);
}

function withNumber(
  value: unknown,
  length: number,
  write: (view: DataView, number: number) => void,
): Uint8Array | undefined {
  const number = toNumber(value);
  if (number === undefined) return undefined;
  const bytes = new Uint8Array(length);
  write(viewOf(bytes), number);
  return bytes;
}

function fromBase64(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) return undefined;
  return new Uint8Array(Buffer.from(value, 'base64'));
}
