import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  FIRST_CONTENT_TYPE,
  MessageType,
  Reason,
  SectionType,
  ShortKind,
} from '../../../src/wire/numbers.ts';

const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

/** The first table after a heading: number and name of each row. */
function tableAfter(heading: string): Record<string, number> {
  const after = page.slice(page.indexOf(`\n${heading}\n`));
  const chapter = after.slice(heading.length).split(/^##/m)[0] ?? '';
  const rows = [...chapter.matchAll(/^\| (0x[0-9A-F]{4}|\d+) +\| ([A-Z_]+)/gm)];
  return Object.fromEntries(rows.map(([, number, name]): [string, number] => [name ?? '', Number(number)]));
}

describe('the numbers are those of the page', () => {
  test('3.3: messages', () => expect(tableAfter('### 3.3 Messages')).toEqual(MessageType));
  test('4.1: sections', () => expect(tableAfter('### 4.1 Values')).toEqual(SectionType));
  test('4.3: reasons', () => expect(tableAfter('### 4.3 Reasons')).toEqual(Reason));

  test('6.1: kinds of the short form', () => {
    const names = Object.entries(tableAfter('### 6.1 First byte and aliases'));
    expect(names.map(([, number]) => number)).toEqual(expect.arrayContaining([3, 4, 5, 6, 7]));
    for (const [name, number] of names.filter(([, number]) => number > 2)) {
      expect([name, ShortKind[name as keyof typeof ShortKind]]).toEqual([name, number]);
    }
    // The three kinds of PUBLISH have one name on the page.
    expect(Object.values(ShortKind)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

test('3.2.1: messages, sections of the protocol and content share one space of numbers without a clash', () => {
  for (const type of Object.values(MessageType)) {
    expect(type).toBeGreaterThan(0);
    expect(type).toBeLessThan(0x0100);
  }
  for (const type of Object.values(SectionType)) {
    expect(type).toBeGreaterThanOrEqual(0x0100);
    expect(type).toBeLessThan(FIRST_CONTENT_TYPE);
  }
  expect(FIRST_CONTENT_TYPE).toBe(0x8000);
});
