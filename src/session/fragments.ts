import { concat } from '../base/bytes.ts';
import { MAX_PAYLOAD_BYTES, MESSAGE_HEADER_BYTES, ShortKind } from '../wire/numbers.ts';
import { encodeShort, type ShortFragment } from '../wire/short-form.ts';

/** First byte, id8 and index (clause 6.1). */
const HEADER_BYTES = 3;
const MAX_FRAGMENTS = 256;
const MAX_JOINED_BYTES = MESSAGE_HEADER_BYTES + MAX_PAYLOAD_BYTES;

/** The longest frame that fragments of `mtu` bytes can carry. */
export function mostBytesInFragments(mtu: number): number {
  return Math.max(0, mtu - HEADER_BYTES) * MAX_FRAGMENTS;
}

/** Cuts a frame into FRAGMENT frames of at most `mtu` bytes (clause 6.6.1); undefined when an index byte does not count that far. */
export function fragment(frame: Uint8Array, mtu: number, id8: number): Uint8Array[] | undefined {
  const size = mtu - HEADER_BYTES;
  if (frame.length > mostBytesInFragments(mtu)) return undefined;
  const count = Math.ceil(frame.length / size);
  return Array.from({ length: count }, (_, index) =>
    encodeShort({
      kind: ShortKind.FRAGMENT,
      last: index === count - 1,
      id8,
      index,
      bytes: frame.subarray(index * size, (index + 1) * size),
    }),
  );
}

/** Joins the fragments of one frame, which come in order or not at all (clause 6.6.1). Holds at most one message. */
export class FragmentJoiner {
  readonly #lost: () => void;
  #id8 = 0;
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** @param lost is called when a piece is discarded. */
  constructor(lost: () => void) {
    this.#lost = lost;
  }

  /** The whole frame once its last fragment has come. */
  add({ id8, index, last, bytes }: ShortFragment): Uint8Array | undefined {
    if (index === 0) this.clear();
    const continues = index === this.#pieces.length && (index === 0 || id8 === this.#id8);
    if (!continues || this.#length + bytes.length > MAX_JOINED_BYTES) {
      this.#discard();
      return undefined;
    }
    this.#id8 = id8;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (!last) return undefined;
    const frame = concat(this.#pieces);
    this.#drop();
    return frame;
  }

  /** Discards what was begun. */
  clear(): void {
    if (this.#pieces.length > 0) this.#discard();
  }

  #discard(): void {
    this.#drop();
    this.#lost();
  }

  #drop(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}
