import { describe, expect, test } from 'vitest';
import { writeBatch, type BatchReading } from '../../../src/wire/batch.ts';
import { checkLayout, fixedLength } from '../../../src/wire/layout.ts';
import type { LayoutEntry } from '../../../src/wire/message.ts';
import { ShortKind } from '../../../src/wire/numbers.ts';
import { encodeShort, isShortForm, type ShortFrame } from '../../../src/wire/short-form.ts';
import { codeThrownBy } from '../../support/wire-vectors.ts';

const none = new Uint8Array();

test('the top bit of the first byte tells the forms apart', () => {
  expect([0x00, 0x7f, 0x80, 0xff].map(isShortForm)).toEqual([false, false, true, true]);
});

describe('what no short frame can say is not written', () => {
  const broken: [what: string, frame: ShortFrame][] = [
    ['an alias above 255', { kind: ShortKind.PUBLISH, alias: 256, content: none }],
    ['a negative alias', { kind: ShortKind.PUBLISH, alias: -1, content: none }],
    ['a whole MESSAGE_ID for id8', { kind: ShortKind.PUBLISH_RELIABLE, alias: 0, id8: 256, content: none }],
    ['a batch of none', { kind: ShortKind.PUBLISH_BATCH, alias: 0, id8: 0, count: 0, readings: none }],
    ['a credit above 255', { kind: ShortKind.ACK, confirmed: false, id8: 0, credit: 256 }],
    ['a session of 3 bytes', { kind: ShortKind.RESUME, answer: false, session16: 0x1_0000, id8: 0 }],
  ];

  test.each(broken)('%s', (_, frame) => {
    expect(codeThrownBy(() => encodeShort(frame))).toBe('HSK-1105');
  });
});

describe('what no batch can say is not written', () => {
  const layout: readonly LayoutEntry[] = [{ contentType: 0x8001, length: 1 }];
  const reading: BatchReading = { age: 0, content: new Uint8Array(1) };
  const broken: [what: string, readings: BatchReading[]][] = [
    ['no reading', []],
    ['256 readings', Array.from({ length: 256 }, () => reading)],
    ['a negative age', [{ ...reading, age: -1 }]],
    ['an age above 32 bits', [{ ...reading, age: 0x1_0000_0000 }]],
    ['a reading of another length than the layout', [{ ...reading, content: none }]],
  ];

  test.each(broken)('%s', (_, readings) => {
    expect(codeThrownBy(() => writeBatch(layout, readings))).toBe('HSK-1105');
  });
});

function entry(contentType: number, length: number): LayoutEntry {
  return { contentType, length };
}

describe('layout', () => {
  test('has a fixed length unless it is empty or ends in the rest', () => {
    expect(fixedLength([entry(0x8001, 4), entry(0x8002, 2)])).toBe(6);
    expect(fixedLength([entry(0x8001, 4), entry(0x8002, 0)])).toBeUndefined();
    expect(fixedLength([])).toBeUndefined();
  });

  test('is checked for types, lengths and the place of the rest', () => {
    expect(checkLayout([])).toBeUndefined();
    expect(checkLayout([entry(0x8001, 255), entry(0xffff, 0)])).toBeUndefined();
    expect(checkLayout([entry(0x7fff, 1)])).toMatch(/type/);
    expect(checkLayout([entry(0x8001, 256)])).toMatch(/length/);
    expect(checkLayout([entry(0x8001, 0), entry(0x8002, 1)])).toMatch(/not the last/);
  });
});
