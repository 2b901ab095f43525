import { ByteReader, ByteWriter, textOf } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { checkLayout } from './layout.ts';
import type { AliasEntry, LayoutEntry } from './message.ts';
import { SectionType } from './numbers.ts';
import type { SectionWriter } from './section-writer.ts';
import { SectionMap } from './sections.ts';

const LAYOUT_ENTRY_BYTES = 3;

/**
 * ALIAS_ENTRY (clause 4.1):
 *
 *     ALIAS_ID u8 | TOPIC | [LAYOUT: repeated (content type u16, length u8)]
 */
export function writeAliasEntry(out: SectionWriter, entry: AliasEntry): void {
  out.nested(SectionType.ALIAS_ENTRY, (inner) => {
    inner.u8(SectionType.ALIAS_ID, entry.aliasId).text(SectionType.TOPIC, entry.topic);
    if (entry.layout.length > 0) inner.bytes(SectionType.LAYOUT, encodeLayout(entry.layout));
  });
}

/** Throws HSK-1101 and HSK-1102. */
export function readAliasEntry(value: Uint8Array): AliasEntry {
  const sections = new SectionMap(value);
  const layout = sections.optional(SectionType.LAYOUT);
  return {
    aliasId: new ByteReader(sections.required(SectionType.ALIAS_ID)).u8(),
    topic: textOf(sections.required(SectionType.TOPIC)),
    layout: layout ? decodeLayout(layout) : [],
  };
}

function encodeLayout(layout: readonly LayoutEntry[]): Uint8Array {
  const wrong = checkLayout(layout);
  if (wrong) throw new HashikeError('HSK-1105', wrong);
  const out = new ByteWriter(layout.length * LAYOUT_ENTRY_BYTES);
  for (const { contentType, length } of layout) out.u16(contentType).u8(length);
  return out.finish();
}

function decodeLayout(bytes: Uint8Array): LayoutEntry[] {
  const reader = new ByteReader(bytes);
  const layout: LayoutEntry[] = [];
  while (reader.remaining > 0) layout.push({ contentType: reader.u16(), length: reader.u8() });
  const wrong = checkLayout(layout);
  if (wrong) throw new HashikeError('HSK-1102', wrong);
  return layout;
}
