import { ByteReader, concat } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { contentSections, encodeContent, type ContentSection } from './content.ts';
import type { LayoutEntry } from './message.ts';
import { FIRST_CONTENT_TYPE, OPAQUE_CONTENT_TYPE } from './numbers.ts';

/** An alias without a layout carries one value of any length (clause 6.1.3). */
const opaque: readonly LayoutEntry[] = [{ contentType: OPAQUE_CONTENT_TYPE, length: 0 }];

/** What is wrong with a layout, in words, or undefined. Lengths are 0-255 bytes; 0, the rest, may stand last only (clause 4.1). */
export function checkLayout(layout: readonly LayoutEntry[]): string | undefined {
  for (const [index, { contentType, length }] of layout.entries()) {
    if (!Number.isInteger(contentType) || contentType < FIRST_CONTENT_TYPE || contentType > 0xffff) {
      return `entry ${index} of a layout has a type outside 0x8000-0xFFFF`;
    }
    if (!Number.isInteger(length) || length < 0 || length > 0xff) {
      return `entry ${index} of a layout has a length outside 0-255`;
    }
    if (length === 0 && index < layout.length - 1) {
      return `entry ${index} of a layout takes the rest but is not the last`;
    }
  }
  return undefined;
}

/** Bytes of the values together; undefined when the layout ends in "the rest" or is empty. */
export function fixedLength(layout: readonly LayoutEntry[]): number | undefined {
  let total = 0;
  for (const { length } of layout) {
    if (length === 0) return undefined;
    total += length;
  }
  return layout.length === 0 ? undefined : total;
}

/**
 * Raw content sections of what the short form carries: the layout's values, with no types and no lengths (clause 6.1.3).
 * Throws HSK-1101 when there are too few bytes for the layout and HSK-1102 when there are too many.
 */
export function expandContent(layout: readonly LayoutEntry[], content: Uint8Array): Uint8Array {
  const sections: ContentSection[] = [];
  const reader = new ByteReader(content);
  for (const { contentType, length } of layout.length === 0 ? opaque : layout) {
    sections.push({ contentType, value: length === 0 ? reader.rest() : reader.bytes(length) });
  }
  if (reader.remaining > 0) {
    throw new HashikeError('HSK-1102', 'content is longer than its layout', { excess: reader.remaining });
  }
  return encodeContent(sections);
}

/**
 * The reverse of `expandContent`: what the short form carries for the raw content sections `raw`, or undefined when these are not
 * exactly the layout's types and lengths, so that only the long form can say them. Throws HSK-1101/1102 when `raw` is malformed.
 */
export function compactContent(layout: readonly LayoutEntry[], raw: Uint8Array): Uint8Array | undefined {
  const entries = layout.length === 0 ? opaque : layout;
  const sections = contentSections(raw);
  if (sections.length !== entries.length) return undefined;
  for (const [index, { contentType, value }] of sections.entries()) {
    const entry = entries[index];
    if (entry?.contentType !== contentType) return undefined;
    if (entry.length !== 0 && entry.length !== value.length) return undefined;
  }
  return concat(sections.map(({ value }) => value));
}
