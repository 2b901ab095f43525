import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/base/bytes.ts';
import { crc16 } from '../../../src/base/crc16.ts';
import { readBatch, writeBatch, type BatchReading } from '../../../src/wire/batch.ts';
import { cobsDecode, cobsEncode } from '../../../src/wire/cobs.ts';
import { compactContent, expandContent } from '../../../src/wire/layout.ts';
import { decodeMessage, encodeMessage, LongFormDelimiter, peekType } from '../../../src/wire/long-form.ts';
import type { LayoutEntry, Message } from '../../../src/wire/message.ts';
import { MessageType, SectionType, ShortKind } from '../../../src/wire/numbers.ts';
import { encodeSerialFrame, SerialDeframer } from '../../../src/wire/serial-frame.ts';
import {
  decodeShort,
  encodeShort,
  widenId8,
  type ShortBatch,
  type ShortFrame,
} from '../../../src/wire/short-form.ts';
import {
  bytesOf,
  codeThrownBy,
  fromPlain,
  plainHex,
  readVectors,
  toPlain,
  type Vector,
} from '../../support/wire-vectors.ts';

interface Coded extends Vector {
  readonly hex: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly canonical?: boolean;
  readonly then?: { readonly byte: string; readonly count: number };
}

interface CodedShort extends Coded {
  readonly layout?: readonly LayoutEntry[];
  readonly batch?: readonly unknown[];
}

function nameOf(numbers: Readonly<Record<string, number>>, number: number): string | undefined {
  return Object.entries(numbers).find(([, value]) => value === number)?.[0];
}

const long = (readVectors('long-form.json') as readonly Coded[]).map((vector) => {
  const tail = vector.then ? vector.then.byte.repeat(vector.then.count) : '';
  const content = vector.fields?.['content'];
  return {
    ...vector,
    hex: vector.hex + tail,
    ...(typeof content === 'string' && { fields: { ...vector.fields, content: content + tail } }),
  };
});

describe('long form', () => {
  const valid = long.filter(({ fields }) => fields !== undefined);

  test.each(valid)('$name is read', ({ hex, fields }) => {
    const message = decodeMessage(bytesOf(hex));
    expect(toPlain({ ...message, type: nameOf(MessageType, message.type) })).toEqual(fields);
    expect(peekType(bytesOf(hex))).toBe(message.type);
  });

  test.each(valid.filter(({ canonical }) => canonical !== false))(
    '$name is written',
    ({ hex: digits, fields }) => {
      const type = MessageType[fields?.['type'] as keyof typeof MessageType];
      const message = { ...(fromPlain(fields) as object), type } as Message;
      expect(hex(encodeMessage(message))).toBe(plainHex(digits));
    },
  );

  test.each(long.filter(({ error }) => error !== undefined))('$name is refused', ({ hex, error }) => {
    expect(codeThrownBy(() => decodeMessage(bytesOf(hex)))).toBe(error);
  });

  test('every message and every section has a vector', () => {
    const types = new Set(valid.map(({ fields }) => fields?.['type']));
    expect(Object.keys(MessageType).filter((name) => !types.has(name))).toEqual([]);
    const words = new Set(valid.flatMap(({ hex }) => plainHex(hex).match(/.{8}/g) ?? []));
    const begun = new Set([...words].map((word) => Number.parseInt(word.slice(0, 4), 16)));
    const absent = Object.values(SectionType).filter((type) => !begun.has(type));
    expect(absent).toEqual([]);
  });
});

describe('byte stream (3.4.1)', () => {
  interface Stream extends Vector {
    readonly hex: string;
    readonly frames: readonly string[];
    readonly error?: string;
    readonly maxFrameBytes?: number;
  }

  test.each(readVectors('stream.json') as readonly Stream[])(
    '$name',
    ({ hex: digits, frames, error, maxFrameBytes }) => {
      const found: string[] = [];
      const delimiter = new LongFormDelimiter({ maxFrameBytes, onFrame: (frame) => found.push(hex(frame)) });
      expect(codeThrownBy(() => delimiter.feed(bytesOf(digits)))).toBe(error);
      expect(found).toEqual(frames.map(plainHex));
    },
  );
});

function readShort(digits: string, layout?: readonly LayoutEntry[]): [ShortFrame, BatchReading[]?] {
  const frame = decodeShort(bytesOf(digits));
  return frame.kind === ShortKind.PUBLISH_BATCH && layout ? [frame, readBatch(layout, frame)] : [frame];
}

describe('short form', () => {
  const all = readVectors('short-form.json') as readonly CodedShort[];
  const valid = all.filter(({ fields }) => fields !== undefined);

  test.each(valid)('$name is read', ({ hex, fields, layout, batch }) => {
    const [frame, readings] = readShort(hex, layout);
    expect(toPlain({ ...frame, kind: nameOf(ShortKind, frame.kind) })).toEqual(fields);
    expect(toPlain(readings)).toEqual(batch);
  });

  test.each(valid.filter(({ canonical }) => canonical !== false))(
    '$name is written',
    ({ hex: digits, fields, layout, batch }) => {
      const kind = ShortKind[fields?.['kind'] as keyof typeof ShortKind];
      const readings = layout && batch && writeBatch(layout, fromPlain(batch) as BatchReading[]);
      const frame = { ...(fromPlain(fields) as object), ...readings, kind } as ShortFrame;
      expect(hex(encodeShort(frame))).toBe(plainHex(digits));
    },
  );

  test.each(all.filter(({ error }) => error !== undefined))('$name is refused', ({ hex, error, layout }) => {
    expect(codeThrownBy(() => readShort(hex, layout))).toBe(error);
  });

  test('every kind has a vector', () => {
    const kinds = new Set(valid.map(({ fields }) => fields?.['kind']));
    expect(Object.keys(ShortKind).filter((name) => !kinds.has(name))).toEqual([]);
  });

  test('the parts of a batch do not depend on its alias', () => {
    const batch: ShortBatch = {
      kind: ShortKind.PUBLISH_BATCH,
      alias: 200,
      id8: 1,
      ...writeBatch([], [{ age: 5, content: bytesOf('aabb') }]),
    };
    expect(hex(batch.readings)).toBe('0502aabb');
  });
});

describe('8-bit identifiers', () => {
  interface Id8 extends Vector {
    readonly id8: number;
    readonly expected: number;
    readonly messageId: number;
  }

  test.each(readVectors('id8.json') as readonly Id8[])('$name', ({ id8, expected, messageId }) => {
    expect(widenId8(id8, expected)).toBe(messageId);
  });
});

describe('layout', () => {
  interface Laid extends Vector {
    readonly layout: readonly LayoutEntry[];
    readonly content: string | null;
    readonly sections?: string;
    readonly error?: string;
  }
  const all = readVectors('layout.json') as readonly Laid[];

  test.each(all.filter(({ sections, content }) => sections !== undefined && content !== null))(
    '$name becomes sections',
    ({ layout, content, sections }) => {
      expect(hex(expandContent(layout, bytesOf(content ?? '')))).toBe(plainHex(sections ?? ''));
    },
  );

  test.each(all.filter(({ sections }) => sections !== undefined))(
    '$name: sections become content',
    ({ layout, content, sections }) => {
      const compact = compactContent(layout, bytesOf(sections ?? ''));
      expect(compact === undefined ? null : hex(compact)).toBe(content === null ? null : plainHex(content));
    },
  );

  test.each(all.filter(({ error }) => error !== undefined))(
    '$name is refused',
    ({ layout, content, error }) => {
      expect(codeThrownBy(() => expandContent(layout, bytesOf(content ?? '')))).toBe(error);
    },
  );
});

describe('serial line', () => {
  interface Crc extends Vector {
    readonly bytes: string;
    readonly crc: string;
  }
  interface Stuffed extends Vector {
    readonly bytes?: string;
    readonly stuffed: string;
    readonly error?: boolean;
    readonly canonical?: boolean;
  }
  interface Line extends Vector {
    readonly line: string;
    readonly frame?: string;
    readonly discard?: string;
    readonly bytes?: number;
  }

  test.each(readVectors('crc16.json') as readonly Crc[])('CRC of $name', ({ bytes, crc }) => {
    expect(crc16(bytesOf(bytes)).toString(16).padStart(4, '0')).toBe(crc);
  });

  const cobs = readVectors('cobs.json') as readonly Stuffed[];

  test.each(cobs)('COBS of $name is undone', ({ bytes, stuffed }) => {
    const undone = cobsDecode(bytesOf(stuffed));
    expect(undone && hex(undone)).toBe(bytes);
  });

  test.each(cobs.filter(({ error, canonical }) => !error && canonical !== false))(
    'COBS of $name',
    ({ bytes = '', stuffed }) => {
      expect(hex(cobsEncode(bytesOf(bytes)))).toBe(stuffed);
    },
  );

  const lines = readVectors('serial.json') as readonly Line[];

  test.each(lines)('$name is read', ({ line, frame, discard, bytes }) => {
    const events: unknown[] = [];
    const deframer = new SerialDeframer({
      maxFrameBytes: 1024,
      handler: {
        frame: (found) => events.push(hex(found)),
        discarded: (reason, length) => events.push([reason, length]),
      },
    });
    deframer.feed(new Uint8Array(1));
    deframer.feed(bytesOf(line));
    expect(events).toEqual([frame ?? [discard, bytes]]);
  });

  test.each(lines.filter(({ frame }) => frame !== undefined))('$name is written', ({ frame = '', line }) => {
    expect(hex(encodeSerialFrame(bytesOf(frame)))).toBe(line);
  });
});
