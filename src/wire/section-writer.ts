import { utf8, type ByteWriter } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import type { ReasonValue } from './message.ts';
import { SECTION_HEADER_BYTES, SectionType } from './numbers.ts';
import { range, sectionName, valueLengths } from './sections.ts';

/** Writes sections, each with its padding. Throws HSK-1105 when a value is out of range. */
export class SectionWriter {
  readonly #out: ByteWriter;

  /** @param out must stand at a multiple of 4. */
  constructor(out: ByteWriter) {
    this.#out = out;
  }

  /** Sections that were encoded before. */
  raw(sections: Uint8Array): this {
    if (sections.length % 4 !== 0) {
      throw new HashikeError('HSK-1105', 'raw sections are not padded to 4 bytes', {
        length: sections.length,
      });
    }
    this.#out.bytes(sections);
    return this;
  }

  bytes(type: SectionType, value: Uint8Array): this {
    this.#head(type, value.length).bytes(value).pad4();
    return this;
  }

  text(type: SectionType, value: string): this {
    return this.bytes(type, encodeText(type, value));
  }

  flag(type: SectionType, set: boolean): this {
    if (set) this.#head(type, 0);
    return this;
  }

  u8(type: SectionType, value: number): this {
    this.#head(type, 1)
      .u8(inRange(type, value, 0xff))
      .pad4();
    return this;
  }

  u16(type: SectionType, value: number): this {
    this.#head(type, 2)
      .u16(inRange(type, value, 0xffff))
      .pad4();
    return this;
  }

  u32(type: SectionType, value: number): this {
    this.#head(type, 4).u32(inRange(type, value, 0xffff_ffff));
    return this;
  }

  u64(type: SectionType, value: number): this {
    this.#head(type, 8).u64(inRange(type, value, Number.MAX_SAFE_INTEGER));
    return this;
  }

  /** REASON: u16 code, then text. */
  reason({ code, text }: ReasonValue): this {
    const bytes = encodeText(SectionType.REASON, text);
    this.#head(SectionType.REASON, 2 + bytes.length)
      .u16(inRange(SectionType.REASON, code, 0xffff))
      .bytes(bytes)
      .pad4();
    return this;
  }

  /** A section whose value is sections. */
  nested(type: SectionType, write: (inner: SectionWriter) => void): this {
    const at = this.#out.length;
    this.#head(type, 0);
    write(this);
    const length = this.#out.length - at - SECTION_HEADER_BYTES;
    checkWritable(type, length);
    this.#out.patchU16(at + 2, length);
    return this;
  }

  #head(type: SectionType, length: number): ByteWriter {
    checkWritable(type, length);
    return this.#out.u16(type).u16(length);
  }
}

/** UTF-8 of `value`. Throws HSK-1105 when it holds half of a surrogate pair, which UTF-8 can't say. */
function encodeText(type: SectionType, value: string): Uint8Array {
  if (!value.isWellFormed()) {
    throw new HashikeError('HSK-1105', `the text of ${sectionName(type)} is not well-formed Unicode`);
  }
  return utf8(value);
}

/** `value` when it is an integer from 0 to `most`; else throws HSK-1105. */
function inRange(type: SectionType, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new HashikeError('HSK-1105', `${sectionName(type)} takes an integer from 0 to ${most}`, { value });
}

function checkWritable(type: SectionType, length: number): void {
  const [least, most] = valueLengths[type];
  if (length >= least && length <= most) return;
  throw new HashikeError('HSK-1105', `${sectionName(type)} takes ${range(least, most)} bytes`, { length });
}
