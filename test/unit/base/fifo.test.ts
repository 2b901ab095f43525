import { describe, expect, test } from 'vitest';
import { Fifo } from '../../../src/base/fifo.ts';

describe('Fifo', () => {
  test('keeps order over many rounds and gives access by index', () => {
    const fifo = new Fifo<number>();
    let next = 0;
    let expected = 0;
    for (let round = 0; round < 200; round += 1) {
      for (let n = 0; n < 7; n += 1) fifo.push(next++);
      expect(fifo.at(0)).toBe(expected);
      expect(fifo.at(fifo.length - 1)).toBe(next - 1);
      for (let n = 0; n < 6; n += 1) expect(fifo.shift()).toBe(expected++);
    }
    expect(fifo.length).toBe(200);
    expect([fifo.at(-1), fifo.at(200)]).toEqual([undefined, undefined]);
    fifo.clear();
    expect([fifo.length, fifo.shift(), fifo.at(0)]).toEqual([0, undefined, undefined]);
  });
});
