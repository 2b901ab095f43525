import { join, Malformed, Reader, uint } from './bytes.ts';

/** One value of an alias's content: its section type and its bytes; 0 bytes: the rest, last entry only (4.1 LAYOUT). */
export interface LayoutEntry {
  readonly type: number;
  readonly length: number;
}

export type Layout = readonly LayoutEntry[];

/** An alias without a layout carries one content section of type 0x8000 (6.1.3). */
const OPAQUE: Layout = [{ type: 0x8000, length: 0 }];

export function encodeLayout(layout: Layout): Uint8Array {
  return join(...layout.flatMap(({ type, length }) => [uint(type, 2), uint(length, 1)]));
}

export function readLayout(bytes: Uint8Array): Layout {
  const reader = new Reader(bytes);
  const layout: LayoutEntry[] = [];
  while (reader.left > 0) {
    if (layout.at(-1)?.length === 0) throw new Malformed('4.1: a layout goes on after the rest');
    const entry = { type: reader.uint(2), length: reader.uint(1) };
    if (entry.type < 0x8000) throw new Malformed('3.2.1: a layout of something that is no content');
    layout.push(entry);
  }
  return layout;
}

/** Bytes of one reading's content; undefined where readings of this layout differ in length (6.1.4). */
export function fixedLength(layout: Layout): number | undefined {
  if (layout.length === 0 || layout.at(-1)?.length === 0) return undefined;
  return layout.reduce((sum, { length }) => sum + length, 0);
}

/** Content sections of the concatenated values of `layout`. */
export function split(layout: Layout, content: Uint8Array): { type: number; value: Uint8Array }[] {
  const reader = new Reader(content);
  const sections = (layout.length > 0 ? layout : OPAQUE).map(({ type, length }) => ({
    type,
    value: length > 0 ? reader.take(length) : reader.rest(),
  }));
  reader.end('6.1.3');
  return sections;
}
