import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { fixedLength } from './layout.ts';
import type { LayoutEntry } from './message.ts';
import type { ShortBatch } from './short-form.ts';

/** One reading of a batch. */
export interface BatchReading {
  /** Milliseconds since it was taken, when the frame was made; 32 bits. */
  readonly age: number;
  /** The values of the layout: see `expandContent`. */
  readonly content: Uint8Array;
}

/** What a batch's count byte can say. */
const MAX_READINGS = 255;

/**
 * The readings of a batch, oldest first, once the layout of its alias is known (clause 6.1.4):
 *
 *     age varint | [length varint, where the layout has no fixed length] | content
 *
 * Throws HSK-1101 when they are cut short and HSK-1102 when bytes are left.
 */
export function readBatch(layout: readonly LayoutEntry[], batch: ShortBatch): BatchReading[] {
  const reader = new ByteReader(batch.readings);
  const fixed = fixedLength(layout);
  const readings: BatchReading[] = [];
  for (let index = 0; index < batch.count; index += 1) {
    readings.push({ age: reader.varint(), content: reader.bytes(fixed ?? reader.varint()) });
  }
  if (reader.remaining > 0) {
    throw new HashikeError('HSK-1102', 'bytes stand after the readings of a batch', {
      excess: reader.remaining,
    });
  }
  return readings;
}

/**
 * The `count` and `readings` of a batch for an alias with `layout`. Throws HSK-1105 unless there are 1-255 readings, each of the
 * layout's length and with an age of 32 bits.
 */
export function writeBatch(
  layout: readonly LayoutEntry[],
  readings: readonly BatchReading[],
): Pick<ShortBatch, 'count' | 'readings'> {
  if (readings.length === 0 || readings.length > MAX_READINGS) {
    throw new HashikeError('HSK-1105', `a batch takes 1 to ${MAX_READINGS} readings`, {
      count: readings.length,
    });
  }
  const fixed = fixedLength(layout);
  const out = new ByteWriter();
  for (const { age, content } of readings) {
    if (!Number.isInteger(age) || age < 0 || age > 0xffff_ffff) {
      throw new HashikeError('HSK-1105', 'the age of a reading is an integer of 32 bits', { age });
    }
    if (fixed !== undefined && content.length !== fixed) {
      throw new HashikeError('HSK-1105', 'a reading has another length than its layout', {
        length: content.length,
        layout: fixed,
      });
    }
    out.varint(age);
    if (fixed === undefined) out.varint(content.length);
    out.bytes(content);
  }
  return { count: readings.length, readings: out.finish() };
}
