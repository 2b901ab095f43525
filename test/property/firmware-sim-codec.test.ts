import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Malformed } from '../../firmware-sim/codec/bytes.ts';
import { Defragmenter, fragment } from '../../firmware-sim/codec/fragments.ts';
import { Deframer, stuff, unstuff, wrap } from '../../firmware-sim/codec/framing.ts';
import type { Layout } from '../../firmware-sim/codec/layout.ts';
import { decodeLong, encodeLong, make, message } from '../../firmware-sim/codec/long-form.ts';
import {
  decodeReadings,
  decodeShort,
  encodeReadings,
  encodeShort,
  type ShortFrame,
  widen,
} from '../../firmware-sim/codec/short-form.ts';

const byte = fc.integer({ min: 0, max: 255 });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

const shortFrame: fc.Arbitrary<ShortFrame> = fc.oneof(
  fc.record({ kind: fc.constant('publish' as const), alias: byte, content: bytes(50) }),
  fc.record({ kind: fc.constant('reliable' as const), alias: byte, id8: byte, content: bytes(50) }),
  fc.record({
    kind: fc.constant('batch' as const),
    alias: byte,
    id8: byte,
    count: fc.integer({ min: 1, max: 255 }),
    readings: bytes(50),
  }),
  fc.record({ kind: fc.constant('ack' as const), confirmed: fc.boolean(), id8: byte }),
  fc.record({ kind: fc.constant('ack' as const), confirmed: fc.boolean(), id8: byte, credit: byte }),
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), echo: byte }),
  fc.constant({ kind: 'reset' as const }),
  fc.record({
    kind: fc.constant('resume' as const),
    answer: fc.boolean(),
    tail: fc.integer({ min: 0, max: 65_535 }),
    id8: byte,
  }),
  fc.record({
    kind: fc.constant('fragment' as const),
    last: fc.boolean(),
    id8: byte,
    index: byte,
    bytes: bytes(50),
  }),
);

const layout: fc.Arbitrary<Layout> = fc
  .tuple(
    fc.array(
      fc.record({
        type: fc.integer({ min: 0x8000, max: 0xffff }),
        length: fc.integer({ min: 1, max: 9 }),
      }),
      { maxLength: 4 },
    ),
    fc.boolean(),
  )
  .map(([entries, rest]) => (rest ? [...entries, { type: 0x8001, length: 0 }] : entries));

function onlyMalformed(decode: () => void): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(Malformed);
  }
}

describe('the codec of the nodes', () => {
  test('the short form: what it writes it reads', () => {
    fc.assert(
      fc.property(shortFrame, (frame) => {
        expect(decodeShort(encodeShort(frame))).toEqual(frame);
      }),
    );
  });

  test('batches: what it writes it reads', () => {
    const batch = layout.chain((entries) => {
      const length = entries.reduce((sum, entry) => sum + entry.length, 0);
      const open = entries.length === 0 || entries.at(-1)?.length === 0;
      const content = fc.uint8Array(
        open ? { minLength: length, maxLength: length + 200 } : { minLength: length, maxLength: length },
      );
      const age = fc.integer({ min: 0, max: 0xffff_ffff });
      return fc.tuple(
        fc.constant(entries),
        fc.array(fc.record({ age, content }), { minLength: 1, maxLength: 9 }),
      );
    });
    fc.assert(
      fc.property(batch, ([entries, readings]) => {
        const encoded = encodeReadings(entries, readings);
        expect(decodeReadings(entries, readings.length, encoded)).toEqual(readings);
      }),
    );
  });

  test('the long form: a PUBLISH that it writes it reads', () => {
    const content = fc.array(
      fc.record({ type: fc.integer({ min: 0x8000, max: 0xffff }), value: bytes(40) }),
      { maxLength: 5 },
    );
    const id = fc.integer({ min: 1, max: 0xffff_ffff });
    const topic = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
    fc.assert(
      fc.property(id, topic, content, id, (number, name, sections, timestamp) => {
        const long = {
          type: message.publish,
          timestamp,
          sections: [make('messageId', [number, 4]), make('topic', name), ...sections],
        };
        expect(decodeLong(encodeLong(long))).toEqual(long);
      }),
    );
  });

  test('no bytes make a decoder throw anything but Malformed', () => {
    fc.assert(
      fc.property(bytes(60), layout, byte, (input, entries, count) => {
        onlyMalformed(() => decodeShort(input));
        onlyMalformed(() => decodeLong(input));
        onlyMalformed(() => decodeReadings(entries, count, input));
        onlyMalformed(() => unstuff(input));
      }),
      { numRuns: 2000 },
    );
  });

  test('no damage to a message makes the decoder throw anything but Malformed', () => {
    const nested = encodeLong({
      type: message.connectToken,
      timestamp: 0,
      sections: [
        make('token', 'abc'),
        make('will', Uint8Array.from([1, 6, 0, 1, 97, 0, 0, 0])),
        make('aliasEntry', Uint8Array.from([1, 22, 0, 1, 4, 0, 0, 0, 1, 6, 0, 1, 97, 0, 0, 0])),
      ],
    });
    fc.assert(
      fc.property(fc.nat(nested.length - 1), byte, fc.nat(nested.length), (at, value, length) => {
        const damaged = nested.slice();
        damaged[at] = value;
        onlyMalformed(() => decodeLong(damaged));
        onlyMalformed(() => decodeLong(damaged.slice(0, length)));
      }),
      { numRuns: 2000 },
    );
  });

  test('COBS leaves no zero, costs a byte in 254, and is undone', () => {
    const long = fc.uint8Array({ maxLength: 1100 });
    const mostlyPlain = long.map((input) => input.map((one, index) => (index % 300 === 0 ? 0 : one | 1)));
    fc.assert(
      fc.property(fc.oneof(long, mostlyPlain), (input) => {
        const stuffed = stuff(input);
        expect(stuffed.includes(0)).toBe(false);
        expect(stuffed.length).toBeLessThanOrEqual(input.length + 1 + Math.ceil(input.length / 254));
        expect(unstuff(stuffed)).toEqual(input);
      }),
    );
  });

  test('frames are found among junk, in whatever pieces the bytes come', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(frames, bytes(100), fc.integer({ min: 1, max: 50 }), (sent, junk, piece) => {
        const line = Uint8Array.from([...junk, 0, ...sent.flatMap((frame) => [...wrap(frame)])]);
        const deframer = new Deframer();
        const heard: Uint8Array[] = [];
        for (let at = 0; at < line.length; at += piece)
          heard.push(...deframer.push(line.slice(at, at + piece)));
        expect(heard.slice(-sent.length)).toEqual(sent);
      }),
    );
  });

  test('fragments join to what was cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 2000 }),
        fc.integer({ min: 32, max: 300 }),
        byte,
        (frame, mtu, id8) => {
          const pieces = fragment(frame, id8, mtu);
          const joiner = new Defragmenter();
          const whole = pieces.map((piece) => {
            expect(piece.length).toBeLessThanOrEqual(mtu);
            const short = pieces.length > 1 ? decodeShort(piece) : undefined;
            return short?.kind === 'fragment' ? joiner.push(short) : piece;
          });
          expect(whole.at(-1)).toEqual(frame);
          expect(whole.slice(0, -1).every((one) => one === undefined)).toBe(true);
        },
      ),
    );
  });

  test('an id8 within 127 of the expected number is widened to the number it came from', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: -127, max: 127 }), (expected, offset) => {
        fc.pre(expected + offset >= 0);
        fc.pre(expected >= 128);
        expect(widen((expected + offset) % 256, expected)).toBe(expected + offset);
      }),
    );
  });
});
