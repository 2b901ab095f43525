import { describe, expect, test } from 'vitest';

import { WaitingLine, type Waiter } from '../../../src/spool/waiting-line.ts';

interface Named extends Waiter {
  readonly name: string;
}

function lineWith(full: Set<string>) {
  return new WaitingLine<Named>((consumer) => !full.has(consumer));
}

function waiter(name: string, needs: readonly string[], order?: string): Named {
  return { name, needs: new Set(needs), order };
}

function released(line: WaitingLine<Named>): readonly string[] {
  const names: string[] = [];
  line.release(({ name }) => names.push(name));
  return names;
}

describe('the line before a full consumer', () => {
  test('lets those pass whose consumers have room', () => {
    const line = lineWith(new Set(['full']));
    expect(line.enter(waiter('a', ['free']))).toBe(true);
    expect(line.enter(waiter('b', ['free', 'full']))).toBe(false);
  });

  test('holds up whoever is of the same order as one that waits, and nobody else', () => {
    const line = lineWith(new Set(['full']));
    expect(line.enter(waiter('a', ['full', 'free'], 'session-1'))).toBe(false);
    expect(line.enter(waiter('b', ['free'], 'session-1'))).toBe(false);
    expect(line.enter(waiter('c', [], 'session-1'))).toBe(false);
    expect(line.enter(waiter('d', ['free'], 'session-2'))).toBe(true);
    expect(line.enter(waiter('e', ['free']))).toBe(true);
    expect(released(line)).toEqual([]);
  });

  test('releases in order of arrival as far as there is room', () => {
    const full = new Set(['x', 'y']);
    const line = lineWith(full);
    for (const [name, consumer] of Object.entries({ a: 'x', b: 'y', c: 'x', d: 'x' })) {
      line.enter(waiter(name, [consumer]));
    }
    full.delete('x');
    const passed: string[] = [];
    line.release(({ name }) => {
      passed.push(name);
      if (name === 'c') full.add('x');
    });
    expect(passed).toEqual(['a', 'c']);
    full.clear();
    expect(released(line)).toEqual(['b', 'd']);
  });

  test('is empty once cleared, and gives back those who stood in it', () => {
    const line = lineWith(new Set(['x']));
    line.enter(waiter('a', ['x'], 'session-1'));
    expect(line.clear().map(({ name }) => name)).toEqual(['a']);
    expect(released(line)).toEqual([]);
    expect(line.enter(waiter('b', [], 'session-1'))).toBe(true);
  });
});
