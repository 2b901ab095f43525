import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Malformed } from '../../../firmware-sim/codec/bytes.ts';
import { crc16, Deframer, stuff, unstuff, wrap } from '../../../firmware-sim/codec/framing.ts';
import { type Layout, split } from '../../../firmware-sim/codec/layout.ts';
import { decodeLong, encodeLong, encodeSections } from '../../../firmware-sim/codec/long-form.ts';
import {
  decodeReadings,
  decodeShort,
  encodeReadings,
  encodeShort,
  widen,
} from '../../../firmware-sim/codec/short-form.ts';

interface Vector {
  readonly name: string;
  readonly clause: string;
  readonly error?: unknown;
  readonly canonical?: boolean;
}

function vectors<T>(file: string): [string, Vector & T][] {
  const path = new URL(`../../vectors/${file}.json`, import.meta.url);
  const rows = JSON.parse(readFileSync(path, 'utf8')) as (Vector & T)[];
  return rows.map((row) => [`${row.clause} ${row.name}`, row]);
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const plain = (value: string): string => value.replaceAll(' ', '');

interface WireLayout {
  readonly layout?: readonly { readonly contentType: number; readonly length: number }[];
}
const layoutOf = ({ layout = [] }: WireLayout): Layout =>
  layout.map(({ contentType, length }) => ({ type: contentType, length }));

describe('the codec of the nodes agrees with the vectors', () => {
  interface Long {
    readonly hex: string;
    readonly then?: { readonly byte: string; readonly count: number };
  }
  test.each(vectors<Long>('long-form'))('long form: %s', (_, vector) => {
    const whole = plain(vector.hex) + (vector.then?.byte.repeat(vector.then.count) ?? '');
    const decode = () => decodeLong(bytes(whole));
    if (vector.error !== undefined) expect(decode).toThrow(Malformed);
    else if (vector.canonical === false) expect(decode().type).toBe(bytes(whole)[1]);
    else expect(hex(encodeLong(decode()))).toBe(whole);
  });

  interface Short extends WireLayout {
    readonly hex: string;
    readonly fields?: Record<string, unknown>;
    readonly batch?: readonly { readonly age: number; readonly content: string }[];
  }
  test.each(vectors<Short>('short-form'))('short form: %s', (_, vector) => {
    const decode = () => {
      const frame = decodeShort(bytes(vector.hex));
      const readings =
        frame.kind === 'batch' && vector.layout
          ? decodeReadings(layoutOf(vector), frame.count, frame.readings)
          : undefined;
      return { frame, readings };
    };
    if (vector.error !== undefined) {
      expect(decode).toThrow(Malformed);
      return;
    }
    const { frame, readings } = decode();
    for (const field of ['alias', 'id8', 'count', 'echo', 'credit', 'confirmed', 'last', 'index'] as const) {
      if (field in frame && (frame as Record<string, unknown>)[field] !== undefined)
        expect([field, (frame as Record<string, unknown>)[field]]).toEqual([field, vector.fields?.[field]]);
    }
    if (vector.canonical !== false) expect(hex(encodeShort(frame))).toBe(plain(vector.hex));
    if (readings) {
      expect(readings.map(({ age, content }) => ({ age, content: hex(content) }))).toEqual(vector.batch);
      expect(hex(encodeReadings(layoutOf(vector), readings))).toBe(vector.fields?.['readings']);
    }
  });

  test.each(vectors<{ content: string | null; sections: string } & WireLayout>('layout'))(
    'layout: %s',
    (_, vector) => {
      const { content } = vector;
      // A node never makes short content of sections, so the rows about sections that fit no layout do not concern it.
      if (content === null) return expect(vector.layout).toBeDefined();
      const sections = () => encodeSections(split(layoutOf(vector), bytes(content)));
      if (vector.error !== undefined) return expect(sections).toThrow(Malformed);
      return expect(hex(sections())).toBe(plain(vector.sections));
    },
  );

  test.each(vectors<{ id8: number; expected: number; messageId: number }>('id8'))('id8: %s', (_, vector) => {
    expect(widen(vector.id8, vector.expected)).toBe(vector.messageId);
  });

  test.each(vectors<{ bytes: string; crc: string }>('crc16'))('CRC: %s', (_, vector) => {
    expect(crc16(bytes(vector.bytes))).toBe(Number.parseInt(vector.crc, 16));
  });

  test.each(vectors<{ bytes?: string; stuffed: string }>('cobs'))('COBS: %s', (_, vector) => {
    const stuffed = bytes(vector.stuffed);
    if (vector.error !== undefined) return expect(() => unstuff(stuffed)).toThrow(Malformed);
    if (vector.canonical !== false) expect(hex(stuff(bytes(vector.bytes ?? '')))).toBe(vector.stuffed);
    return expect(hex(unstuff(stuffed))).toBe(vector.bytes);
  });

  test.each(vectors<{ line: string; frame?: string; discard?: string }>('serial'))(
    'serial framing: %s',
    (_, vector) => {
      const deframer = new Deframer();
      const frames = [...bytes(vector.line)].flatMap((byte) => deframer.push(Uint8Array.of(byte)));
      if (vector.frame !== undefined) {
        expect(frames.map(hex)).toEqual([vector.frame]);
        if (vector.canonical !== false) expect(hex(wrap(bytes(vector.frame)))).toBe(vector.line);
      } else {
        expect(frames).toEqual([]);
        expect(
          deframer
            .push(wrap(bytes('c055')))
            .map(hex)
            .at(-1),
        ).toBe('c055');
      }
    },
  );
});
