import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, hex } from '../../src/base/bytes.ts';
import { cobsDecode, cobsEncode, maxStuffedLength } from '../../src/wire/cobs.ts';
import { encodeSerialFrame, SerialDeframer } from '../../src/wire/serial-frame.ts';
import { chunksOf, damaged } from '../support/wire-arbitraries.ts';

const MTU = 300;

/** Bytes with runs long enough to cross the groups of COBS. */
const bytes = (minLength: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ minLength, maxLength: 40 }),
    fc.uint8Array({ minLength, maxLength: MTU, min: 1 }),
    fc.uint8Array({ minLength, maxLength: 20, max: 2 }),
    fc
      .tuple(fc.integer({ min: 250, max: 258 }), fc.uint8Array({ maxLength: 20, max: 3 }))
      .map(([run, rest]) => concat([new Uint8Array(run).fill(7), rest])),
  );

interface Outcome {
  readonly frames: string[];
  readonly discarded: [reason: string, bytes: number][];
}

function deframe(chunks: Iterable<Uint8Array>): Outcome {
  const outcome: Outcome = { frames: [], discarded: [] };
  const deframer = new SerialDeframer({
    maxFrameBytes: MTU,
    handler: {
      frame: (frame) => outcome.frames.push(hex(frame)),
      discarded: (reason, bytes) => outcome.discarded.push([reason, bytes]),
    },
  });
  for (const chunk of chunks) deframer.feed(chunk);
  return outcome;
}

describe('COBS', () => {
  test('stuffed bytes hold no zero, are not longer than told, and are undone', () => {
    fc.assert(
      fc.property(bytes(0), (bytes) => {
        const stuffed = cobsEncode(bytes);
        expect(stuffed.includes(0)).toBe(false);
        expect(stuffed.length).toBeLessThanOrEqual(maxStuffedLength(bytes.length));
        const undone = cobsDecode(stuffed);
        expect(undone && hex(undone)).toBe(hex(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  test('random bytes are undone or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40, max: 20 }), (stuffed) => {
        const undone = cobsDecode(stuffed);
        expect((undone?.length ?? 0) <= stuffed.length).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('serial line', () => {
  const frames = fc.array(bytes(1), { maxLength: 5 });

  test('any chunks and single bytes give the frames that were sent', () => {
    const sent = frames.chain((frames) =>
      fc.tuple(fc.constant(frames), chunksOf(fc.constant(concat(frames.map(encodeSerialFrame))))),
    );
    fc.assert(
      fc.property(sent, ([frames, chunks]) => {
        const expected = { frames: frames.map(hex), discarded: [] };
        expect(deframe(chunks)).toEqual(expected);
        expect(deframe([...concat(chunks)].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('the next good frame after junk and a delimiter is found, however the bytes are cut', () => {
    const line = fc.tuple(fc.uint8Array({ maxLength: 600 }), bytes(1));
    const cut = line.chain(([junk, frame]) =>
      fc.tuple(
        fc.constant(frame),
        chunksOf(fc.constant(concat([junk, Uint8Array.of(0), encodeSerialFrame(frame)]))),
      ),
    );
    fc.assert(
      fc.property(cut, ([frame, chunks]) => {
        expect(deframe(chunks).frames.at(-1)).toBe(hex(frame));
      }),
      { numRuns: 1000 },
    );
  });

  test('every byte of a damaged line is accounted for, and the frame after it arrives', () => {
    const good = Uint8Array.of(0xc0, 0x55);
    const line = fc.array(bytes(1).map(encodeSerialFrame), { minLength: 1, maxLength: 3 }).map(concat);
    fc.assert(
      fc.property(damaged(line), (line) => {
        const all = concat([line, Uint8Array.of(0), encodeSerialFrame(good)]);
        const { frames, discarded } = deframe([all]);
        expect(frames.at(-1)).toBe(hex(good));
        const kept = frames.reduce(
          (sum, frame) => sum + encodeSerialFrame(Uint8Array.from(Buffer.from(frame, 'hex'))).length,
          0,
        );
        const thrown = discarded.reduce((sum, [, bytes]) => sum + bytes, 0);
        const idle = all.filter((byte, at) => byte === 0 && (at === 0 || all[at - 1] === 0)).length;
        // A full last group that an empty one closes is a byte longer than we write it.
        const longer = all.length - (kept + thrown + idle);
        expect(longer >= 0 && longer <= frames.length).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test('random bytes raise events and nothing else, the same for any chunks', () => {
    fc.assert(
      fc.property(chunksOf(fc.uint8Array({ maxLength: 900, max: 40 })), (chunks) => {
        expect(deframe(chunks)).toEqual(deframe([concat(chunks)]));
      }),
      { numRuns: 5000 },
    );
  });
});
