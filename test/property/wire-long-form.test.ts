import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, hex } from '../../src/base/bytes.ts';
import { contentSections, encodeContent } from '../../src/wire/content.ts';
import { decodeMessage, encodeMessage, LongFormDelimiter } from '../../src/wire/long-form.ts';
import { encodePublishContents, publishFrame } from '../../src/wire/publish.ts';
import { chunksOf, contentList, damaged, message, publish } from '../support/wire-arbitraries.ts';
import { codeThrownBy } from '../support/wire-vectors.ts';

/** What a decoder may say about bytes: nothing, or whose fault they are. */
const verdicts = [undefined, 'HSK-1101', 'HSK-1102', 'HSK-1103'];

describe('long form', () => {
  test('a message is read as it was written', () => {
    fc.assert(
      fc.property(message, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 5000 },
    );
  });

  test('a PUBLISH written for many receivers equals one written alone', () => {
    fc.assert(
      fc.property(publish, (publish) => {
        const frame = publishFrame(encodePublishContents(publish), publish.timestamp, publish.messageId);
        expect(hex(frame)).toBe(hex(encodeMessage(publish)));
      }),
      { numRuns: 500 },
    );
  });

  test('content sections are read as they were written', () => {
    fc.assert(
      fc.property(contentList, (sections) => {
        expect(contentSections(encodeContent(sections))).toEqual(sections);
      }),
    );
  });

  test('damaged messages are refused with a typed error, or say something that can be written again', () => {
    fc.assert(
      fc.property(damaged(message.map(encodeMessage)), (frame) => {
        const code = codeThrownBy(() => decodeMessage(frame));
        expect(verdicts).toContain(code);
        if (code !== undefined) return;
        const read = decodeMessage(frame);
        expect(decodeMessage(encodeMessage(read))).toEqual(read);
      }),
      { numRuns: 5000 },
    );
  });

  test('random sections after a good header are refused with a typed error, or read', () => {
    const words = fc.array(
      fc.oneof(
        fc.integer({ min: 0x0100_0000, max: 0x0120_0010 }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: 0, max: 12 }).map((length) => 0x0106_0000 + length),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x80 }), words, (type, words) => {
        const frame = new DataView(new ArrayBuffer(8 + 4 * words.length));
        frame.setUint16(0, type);
        frame.setUint16(2, 4 * words.length);
        for (const [index, word] of words.entries()) frame.setUint32(8 + 4 * index, word);
        expect(verdicts).toContain(codeThrownBy(() => decodeMessage(new Uint8Array(frame.buffer))));
      }),
      { numRuns: 5000 },
    );
  });

  test('random bytes are refused with a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(verdicts).toContain(codeThrownBy(() => decodeMessage(bytes)));
        expect(verdicts).toContain(codeThrownBy(() => contentSections(bytes)));
      }),
      { numRuns: 3000 },
    );
  });
});

/** The frames found in `chunks`, and the code of the error that ended them. */
function delimit(chunks: readonly Uint8Array[]): unknown {
  const found: string[] = [];
  const delimiter = new LongFormDelimiter({
    maxFrameBytes: 64,
    onFrame: (frame) => found.push(hex(frame)),
  });
  const code = codeThrownBy(() => {
    for (const chunk of chunks) delimiter.feed(chunk);
  });
  expect(verdicts).toContain(code);
  return [found, code];
}

describe('byte stream', () => {
  const stream = fc.array(message.map(encodeMessage), { maxLength: 6 });

  test('any chunks give the messages that were sent', () => {
    fc.assert(
      fc.property(
        stream.chain((frames) => fc.tuple(fc.constant(frames), chunksOf(fc.constant(concat(frames))))),
        ([frames, chunks]) => {
          const found: string[] = [];
          const delimiter = new LongFormDelimiter({ onFrame: (frame) => found.push(hex(frame)) });
          for (const chunk of chunks) delimiter.feed(chunk);
          expect(found).toEqual(frames.map(hex));
          expect(delimiter.pendingBytes).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('single bytes give the messages that were sent', () => {
    fc.assert(
      fc.property(stream, (frames) => {
        const found: string[] = [];
        const delimiter = new LongFormDelimiter({ onFrame: (frame) => found.push(hex(frame)) });
        for (const byte of concat(frames)) delimiter.feed(Uint8Array.of(byte));
        expect(found).toEqual(frames.map(hex));
      }),
      { numRuns: 200 },
    );
  });

  test('random bytes in any chunks give frames or a typed error, the same as in one piece', () => {
    const bytes = fc
      .array(fc.oneof(fc.uint8Array({ maxLength: 9 }), fc.constant(Uint8Array.of(0, 0x42, 0, 0, 0, 0, 0, 0))))
      .map(concat);
    fc.assert(
      fc.property(chunksOf(bytes), (chunks) => {
        expect(delimit(chunks)).toEqual(delimit([concat(chunks)]));
      }),
      { numRuns: 3000 },
    );
  });
});
