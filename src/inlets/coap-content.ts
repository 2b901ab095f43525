import { decode as decodeCbor, encode as encodeCbor } from 'cbor2';
import { textOf, utf8 } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { toJson } from '../profiles/json-value.ts';
import {
  encodeByName,
  encodeValues,
  joinedValues,
  opaqueContent,
  readValues,
  splitValues,
} from '../profiles/named-values.ts';
import type { ClientProfile } from '../profiles/profiles.ts';

/** Content-Formats (clause 10.4). */
export const ContentFormat = { TEXT: 0, OCTETS: 42, JSON: 50, CBOR: 60 } as const;

/** Nesting of CBOR that is followed. */
const CBOR_DEPTH = 32;

/**
 * Raw content sections of what a device published. Throws HSK-2302 and HSK-4004 when it does not fit the profile, HSK-4006 when the
 * format is not offered.
 */
export function readContent(
  profile: ClientProfile,
  topic: string,
  format: number | undefined,
  payload: Uint8Array,
): Uint8Array {
  const layout = profile.layoutOf(topic);
  switch (format ?? ContentFormat.OCTETS) {
    case ContentFormat.OCTETS: {
      if (!layout) return opaqueContent(payload);
      const content = splitValues(layout, payload);
      if (!content)
        throw unfit(
          `${payload.length} bytes do not fit the layout ${layout.map(({ name }) => name).join(', ')}`,
        );
      return content;
    }
    case ContentFormat.TEXT: {
      const [content, ...others] = layout ?? [];
      if (!layout || !content || others.length > 0)
        throw unfit('text/plain needs a topic whose layout has one value');
      const text = textOf(payload);
      return encodeValues(layout, content.isText ? text : scalarOf(text));
    }
    case ContentFormat.JSON:
    case ContentFormat.CBOR: {
      const value = format === ContentFormat.JSON ? fromJson(payload) : fromCbor(payload);
      return layout ? encodeValues(layout, value) : encodeByName(profile, value);
    }
    default:
      throw new HashikeError('HSK-4006', `content format ${format} is not offered`, { format });
  }
}

/** A number or a truth value out of text; the text itself where it is neither, or a number that would lose digits. */
function scalarOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number))) return text;
  return number;
}

function fromJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(payload));
  } catch (error) {
    throw new HashikeError('HSK-4004', 'the payload is no JSON', {}, error);
  }
}

function fromCbor(payload: Uint8Array): unknown {
  try {
    return decodeCbor(payload, { maxDepth: CBOR_DEPTH, ignoreGlobalTags: true });
  } catch (error) {
    throw new HashikeError('HSK-4004', 'the payload is no CBOR', {}, error);
  }
}

function unfit(detail: string): HashikeError {
  return new HashikeError('HSK-4004', detail);
}

export interface Representation {
  readonly contentFormat: number;
  readonly payload: Uint8Array;
}

/**
 * `content` in the format that a client accepts; the values' bytes where it does not say. `profile` is the publisher's.
 * Throws HSK-4007 when the format is not offered or can't hold it.
 */
export function represent(
  profile: ClientProfile,
  content: Uint8Array,
  accept: number | undefined,
): Representation {
  switch (accept ?? ContentFormat.OCTETS) {
    case ContentFormat.OCTETS:
      return { contentFormat: ContentFormat.OCTETS, payload: joinedValues(content) };
    case ContentFormat.TEXT: {
      const [value, ...others] = readValues(profile, content);
      if (!value || others.length > 0 || value.value instanceof Uint8Array) throw unavailable('text/plain');
      const json = toJson(value.value);
      return {
        contentFormat: ContentFormat.TEXT,
        payload: utf8(typeof json === 'string' ? json : JSON.stringify(json)),
      };
    }
    case ContentFormat.JSON: {
      const members = readValues(profile, content).map(({ name, value }) => [name, toJson(value)]);
      return {
        contentFormat: ContentFormat.JSON,
        payload: utf8(JSON.stringify(Object.fromEntries(members))),
      };
    }
    case ContentFormat.CBOR: {
      const members = readValues(profile, content).map(({ name, value }) => [name, value] as const);
      return { contentFormat: ContentFormat.CBOR, payload: encodeCbor(new Map(members)) };
    }
    default:
      throw unavailable(`content format ${accept}`);
  }
}

function unavailable(what: string): HashikeError {
  return new HashikeError('HSK-4007', `${what} can't be given`);
}
