import { Tag } from 'cbor2';

/** What JSON can say. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * The JSON form of a value. What a JSON number can't hold exactly is a string: integers beyond 2^53 as digits, and `NaN`,
 * `Infinity`, `-Infinity`. Bytes are base64. Of a CBOR tag the content is taken.
 */
export function toJson(value: unknown): JsonValue {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : objectToJson(value);
    case 'undefined':
    case 'function':
    case 'symbol':
      return null;
  }
}

function objectToJson(value: object): JsonValue {
  if (value instanceof Uint8Array) return base64(value);
  if (value instanceof Tag) return toJson(value.contents);
  if (Array.isArray(value)) return value.map(toJson);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, member]) => [keyText(key), toJson(member)]));
}

function keyText(key: unknown): string {
  return typeof key === 'string' ? key : JSON.stringify(toJson(key));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
