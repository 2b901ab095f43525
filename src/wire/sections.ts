import { padded } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import {
  FIRST_CONTENT_TYPE,
  MAX_CLIENT_NAME_BYTES,
  MAX_PAYLOAD_BYTES,
  MAX_TOKEN_BYTES,
  SECTION_HEADER_BYTES,
  SectionType,
} from './numbers.ts';

/** Largest value of a section: it and its header fill a message. */
const MAX_VALUE_BYTES = MAX_PAYLOAD_BYTES - SECTION_HEADER_BYTES;

const anyLength = [0, MAX_VALUE_BYTES] as const;
const empty = [0, 0] as const;
const u8 = [1, 1] as const;
const u16 = [2, 2] as const;
const u32 = [4, 4] as const;
const u64 = [8, 8] as const;

/**
 * Least and most bytes of each section's value (clause 4.1). The length of a topic is no matter of framing: a malformed topic
 * can be refused alone (clause 5.7.1).
 */
export const valueLengths: Readonly<Record<SectionType, readonly [least: number, most: number]>> = {
  [SectionType.TOKEN]: [1, MAX_TOKEN_BYTES],
  [SectionType.KEEP_ALIVE]: u32,
  [SectionType.CLIENT_ID]: anyLength,
  [SectionType.SESSION_ID]: [8, 8],
  [SectionType.MESSAGE_ID]: u32,
  [SectionType.TOPIC]: anyLength,
  [SectionType.REASON]: [2, MAX_VALUE_BYTES],
  [SectionType.RESUME_KEY]: [16, 16],
  [SectionType.RESUME_WINDOW]: u32,
  [SectionType.SERVER_TIME]: u64,
  [SectionType.REQUEST_ID]: u32,
  [SectionType.ECHO]: u32,
  [SectionType.CLIENT_NAME]: [1, MAX_CLIENT_NAME_BYTES],
  [SectionType.VERSION]: u16,
  [SectionType.RETRY_AFTER]: u32,
  [SectionType.WILL]: anyLength,
  [SectionType.RETAIN]: empty,
  [SectionType.EXPIRY]: u32,
  [SectionType.RESPONSE_TOPIC]: anyLength,
  [SectionType.CORRELATION]: anyLength,
  [SectionType.BEST_EFFORT]: empty,
  [SectionType.ALIAS_ID]: u8,
  [SectionType.LAYOUT]: anyLength,
  [SectionType.CONNECTION_ID]: [2, 8],
  [SectionType.KEY]: [24, 24],
  [SectionType.PORT]: u16,
  [SectionType.CONFIRM]: empty,
  [SectionType.ALIAS_ENTRY]: anyLength,
};

/** Name of a section for people: `TOPIC`, or `0x8001` where the protocol has none. */
export function sectionName(type: number): string {
  for (const [name, number] of Object.entries(SectionType)) if (number === type) return name;
  return `0x${type.toString(16).padStart(4, '0')}`;
}

/** Fails with HSK-1102, or HSK-1103 over a limit, unless a received value of `type` may have `length` bytes. */
export function checkValueLength(type: SectionType, length: number): void {
  const [least, most] = valueLengths[type];
  if (length >= least && length <= most) return;
  throw new HashikeError(
    least < most && length > most ? 'HSK-1103' : 'HSK-1102',
    `the value of ${sectionName(type)} has ${length} bytes where ${range(least, most)} are right`,
    { section: sectionName(type), length, least, most },
  );
}

/** `4`, or `1 to 1024`. */
export function range(least: number, most: number): string {
  return least === most ? `${least}` : `${least} to ${most}`;
}

/**
 * The raw step: walks over a list of sections and verifies each one's bounds and padding (clause 3.2). No section object is made.
 *
 *     for (const cursor = new SectionCursor(payload); cursor.next(); ) use(cursor.type, cursor.value);
 */
export class SectionCursor {
  readonly #bytes: Uint8Array;
  #next = 0;
  #length = 0;
  /** SectionType of the current section. */
  type = 0;
  /** Offset of the current section, its header included. */
  start = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A view on the current value, without padding. */
  get value(): Uint8Array {
    const at = this.start + SECTION_HEADER_BYTES;
    return this.#bytes.subarray(at, at + this.#length);
  }

  /** Moves to the next section; false at the end. Throws HSK-1101 when it is cut short and HSK-1102 when it is malformed. */
  next(): boolean {
    const bytes = this.#bytes;
    const start = this.#next;
    if (start === bytes.length) return false;
    const at = start + SECTION_HEADER_BYTES;
    if (at > bytes.length) throw cutShort('a section header', start);
    const length = u16At(bytes, start + 2);
    const end = at + padded(length);
    if (end > bytes.length) throw cutShort('a section', start);
    const type = u16At(bytes, start);
    if (type < 0x0100) {
      throw new HashikeError('HSK-1102', 'a section has a type that belongs to messages', {
        type,
        at: start,
      });
    }
    for (let pad = at + length; pad < end; pad += 1) {
      if (bytes[pad] !== 0) {
        throw new HashikeError('HSK-1102', 'the padding of a section is not zero', { at: pad });
      }
    }
    this.type = type;
    this.start = start;
    this.#length = length;
    this.#next = end;
    return true;
  }
}

function cutShort(what: string, at: number): HashikeError {
  return new HashikeError('HSK-1101', `${what} is cut short`, { at });
}

function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** The protocol's sections of one message, by type; unknown ones are left out as they come (clause 3.2.3). */
export class SectionMap {
  readonly #values = new Map<number, Uint8Array[]>();
  /** Type of the first section; undefined in an empty list. */
  readonly first: number | undefined;

  /** Throws HSK-1101 and HSK-1102. Content sections have no place here: PUBLISH and WILL are read by `publish.ts`. */
  constructor(bytes: Uint8Array) {
    const cursor = new SectionCursor(bytes);
    while (cursor.next()) {
      this.first ??= cursor.type;
      if (cursor.type >= FIRST_CONTENT_TYPE) {
        throw new HashikeError('HSK-1102', 'content stands in a message that carries none', {
          section: sectionName(cursor.type),
        });
      }
      const found = this.#values.get(cursor.type);
      if (found) found.push(cursor.value);
      else this.#values.set(cursor.type, [cursor.value]);
    }
  }

  has(type: SectionType): boolean {
    return this.#values.has(type);
  }

  /** The values of a section that may be repeated. Throws HSK-1102/1103 on a wrong length. */
  all(type: SectionType): readonly Uint8Array[] {
    const values = this.#values.get(type) ?? [];
    for (const value of values) checkValueLength(type, value.length);
    return values;
  }

  /** The values of a section that stands at least once. Throws HSK-1102 when it does not. */
  some(type: SectionType): readonly Uint8Array[] {
    const values = this.all(type);
    if (values.length === 0) throw missing(type);
    return values;
  }

  /** The value of an optional section. Throws HSK-1102 when it is repeated. */
  optional(type: SectionType): Uint8Array | undefined {
    const values = this.all(type);
    if (values.length > 1) throw repeated(type);
    return values[0];
  }

  /** The value of a section that stands exactly once. Throws HSK-1102 when it does not. */
  required(type: SectionType): Uint8Array {
    const value = this.optional(type);
    if (!value) throw missing(type);
    return value;
  }
}

export function missing(type: SectionType): HashikeError {
  return new HashikeError('HSK-1102', `${sectionName(type)} is missing`, { section: sectionName(type) });
}

export function repeated(type: SectionType): HashikeError {
  return new HashikeError('HSK-1102', `${sectionName(type)} stands twice`, { section: sectionName(type) });
}
