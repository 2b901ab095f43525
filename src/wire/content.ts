import { ByteWriter, padded } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { FIRST_CONTENT_TYPE, MAX_PAYLOAD_BYTES, SECTION_HEADER_BYTES } from './numbers.ts';
import { SectionCursor, sectionName } from './sections.ts';

/** One content section: a type of the application, 0x8000-0xFFFF, and its bytes. */
export interface ContentSection {
  readonly contentType: number;
  readonly value: Uint8Array;
}

/** The content sections in `raw`, as views. Throws HSK-1101 and HSK-1102 when these are not padded content sections. */
export function contentSections(raw: Uint8Array): ContentSection[] {
  const sections: ContentSection[] = [];
  const cursor = new SectionCursor(raw);
  while (cursor.next()) {
    if (cursor.type < FIRST_CONTENT_TYPE) {
      throw new HashikeError('HSK-1102', 'a section of the protocol stands in content', {
        section: sectionName(cursor.type),
      });
    }
    sections.push({ contentType: cursor.type, value: cursor.value });
  }
  return sections;
}

/** Raw content: `sections` one after the other, padded. Throws HSK-1105 when a type is out of range or a value too long. */
export function encodeContent(sections: readonly ContentSection[]): Uint8Array {
  let length = 0;
  for (const { value } of sections) length += SECTION_HEADER_BYTES + padded(value.length);
  const out = new ByteWriter(length);
  for (const { contentType, value } of sections) {
    if (!Number.isInteger(contentType) || contentType < FIRST_CONTENT_TYPE || contentType > 0xffff) {
      throw new HashikeError('HSK-1105', 'a content type is an integer from 0x8000 to 0xFFFF', {
        contentType,
      });
    }
    if (value.length > MAX_PAYLOAD_BYTES - SECTION_HEADER_BYTES) {
      throw new HashikeError('HSK-1105', 'content is longer than a message', { length: value.length });
    }
    out.u16(contentType).u16(value.length).bytes(value).pad4();
  }
  return out.finish();
}
