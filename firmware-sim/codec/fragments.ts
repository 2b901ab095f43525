import { join } from './bytes.ts';
import { encodeShort, type ShortFrame } from './short-form.ts';

type Fragment = Extract<ShortFrame, { kind: 'fragment' }>;

const HEADER = 3;

/** The frames that carry `frame` over a link of this MTU: itself where it fits, else fragments under `id8` (6.6). */
export function fragment(frame: Uint8Array, id8: number, mtu: number): Uint8Array[] {
  if (frame.length <= mtu) return [frame];
  const room = mtu - HEADER;
  const count = Math.ceil(frame.length / room);
  return Array.from({ length: count }, (_, index) =>
    encodeShort({
      kind: 'fragment',
      last: index === count - 1,
      id8,
      index,
      bytes: frame.slice(index * room, (index + 1) * room),
    }),
  );
}

/** Joins fragments that come in order; a gap or another id8 discards what was gathered (6.6.1). */
export class Defragmenter {
  #parts: Uint8Array[] = [];
  #id8 = 0;

  /** The whole frame with its last fragment, else undefined. */
  push({ id8, index, last, bytes }: Fragment): Uint8Array | undefined {
    if (index === 0) this.#parts = [];
    else if (id8 !== this.#id8 || index !== this.#parts.length) {
      this.#parts = [];
      return undefined;
    }
    this.#id8 = id8;
    this.#parts.push(bytes);
    if (!last) return undefined;
    const frame = join(...this.#parts);
    this.#parts = [];
    return frame;
  }
}
