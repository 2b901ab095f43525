import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/base/bytes.ts';
import { readBatch, writeBatch, type BatchReading } from '../../src/wire/batch.ts';
import { contentSections, encodeContent } from '../../src/wire/content.ts';
import { compactContent, expandContent, fixedLength } from '../../src/wire/layout.ts';
import type { LayoutEntry } from '../../src/wire/message.ts';
import { MAX_SHORT_IN_FLIGHT, ShortKind } from '../../src/wire/numbers.ts';
import { decodeShort, encodeShort, isShortForm, widenId8 } from '../../src/wire/short-form.ts';
import { contentList, damaged, layout, shortFrame } from '../support/wire-arbitraries.ts';
import { codeThrownBy } from '../support/wire-vectors.ts';

const verdicts = [undefined, 'HSK-1101', 'HSK-1102'];

/** Content of a right length for `layout`. */
function contentFor(layout: readonly LayoutEntry[]): fc.Arbitrary<Uint8Array> {
  const fixed = fixedLength(layout);
  const least = layout.reduce((sum, { length }) => sum + length, 0);
  return fc.uint8Array({ minLength: least, maxLength: fixed ?? least + 9 });
}

describe('short form', () => {
  test('a frame is read as it was written', () => {
    fc.assert(
      fc.property(shortFrame, (frame) => {
        const bytes = encodeShort(frame);
        expect(isShortForm(bytes[0] ?? 0)).toBe(true);
        expect(decodeShort(bytes)).toEqual(frame);
      }),
      { numRuns: 2000 },
    );
  });

  test('damaged and random frames are refused with a typed error, or read', () => {
    const bytes = fc.oneof(damaged(shortFrame.map(encodeShort)), fc.uint8Array({ maxLength: 24 }));
    fc.assert(
      fc.property(bytes, layout, (bytes, layout) => {
        const code = codeThrownBy(() => {
          const frame = decodeShort(bytes);
          if (frame.kind === ShortKind.PUBLISH_BATCH) readBatch(layout, frame);
        });
        expect(verdicts).toContain(code);
      }),
      { numRuns: 5000 },
    );
  });

  test('a batch is read as it was written', () => {
    const batches = layout.chain((layout) =>
      fc.tuple(
        fc.constant(layout),
        fc.array(
          fc.record<BatchReading>({
            age: fc.integer({ min: 0, max: 0xffff_ffff }),
            content: contentFor(layout),
          }),
          { minLength: 1, maxLength: 8 },
        ),
      ),
    );
    fc.assert(
      fc.property(batches, ([layout, readings]) => {
        const batch = {
          kind: ShortKind.PUBLISH_BATCH,
          alias: 0,
          id8: 0,
          ...writeBatch(layout, readings),
        };
        expect(readBatch(layout, batch)).toEqual(readings);
      }),
      { numRuns: 500 },
    );
  });

  test('random readings are refused with a typed error, or read', () => {
    fc.assert(
      fc.property(
        layout,
        fc.integer({ min: 1, max: 255 }),
        fc.uint8Array({ maxLength: 40 }),
        (layout, count, readings) => {
          const batch = { kind: ShortKind.PUBLISH_BATCH, alias: 0, id8: 0, count, readings };
          expect(verdicts).toContain(codeThrownBy(() => readBatch(layout, batch)));
        },
      ),
      { numRuns: 5000 },
    );
  });

  test('the low byte of a number is widened to it from up to 127 away', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: -MAX_SHORT_IN_FLIGHT, max: MAX_SHORT_IN_FLIGHT }),
        (expected, distance) => {
          const messageId = Math.max(0, expected + distance);
          expect(widenId8(messageId % 256, expected)).toBe(messageId);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('layout', () => {
  test('content of a right length becomes sections and content again', () => {
    fc.assert(
      fc.property(
        layout.chain((layout) => fc.tuple(fc.constant(layout), contentFor(layout))),
        ([layout, content]) => {
          const compact = compactContent(layout, expandContent(layout, content));
          expect(compact && hex(compact)).toBe(hex(content));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('sections either do not fit the layout or come back as they were', () => {
    const fitting = layout.chain((layout) =>
      contentFor(layout).map((content) => ({ layout, raw: expandContent(layout, content) })),
    );
    const arbitrary = fc.record({ layout, raw: contentList.map(encodeContent) });
    fc.assert(
      fc.property(fc.oneof(fitting, arbitrary), ({ layout, raw }) => {
        const compact = compactContent(layout, raw);
        const again = compact ? expandContent(layout, compact) : raw;
        expect(contentSections(again)).toEqual(contentSections(raw));
      }),
      { numRuns: 2000 },
    );
  });

  test('random content is refused with a typed error, or expanded', () => {
    fc.assert(
      fc.property(layout, fc.uint8Array({ maxLength: 40 }), (layout, content) => {
        expect(verdicts).toContain(codeThrownBy(() => expandContent(layout, content)));
        expect(verdicts).toContain(codeThrownBy(() => compactContent(layout, content)));
      }),
      { numRuns: 5000 },
    );
  });
});
