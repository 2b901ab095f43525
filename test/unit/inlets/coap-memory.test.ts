import { describe, expect, test } from 'vitest';
import { Exchanges } from '../../../src/inlets/coap-exchanges.ts';
import { NumberedRequests } from '../../../src/inlets/coap-numbered.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('exchanges', () => {
  const clock = new VirtualClock();
  const make = (): Exchanges => new Exchanges({ capacity: 3, lifetimeMs: 1000, clock });

  test('are found by peer and number, for their lifetime', () => {
    const exchanges = make();
    const exchange = exchanges.open('a', 1, true);
    expect(exchanges.find('a', 1)).toBe(exchange);
    expect([exchanges.find('a', 2), exchanges.find('b', 1)]).toEqual([undefined, undefined]);
    clock.advance(999);
    expect(exchanges.find('a', 1)).toBe(exchange);
    clock.advance(1);
    expect(exchanges.find('a', 1)).toBeUndefined();
  });

  test('are bounded: the oldest is forgotten', () => {
    const exchanges = make();
    for (let number = 1; number <= 4; number += 1) exchanges.open('a', number, true);
    expect([1, 2, 3, 4].map((number) => exchanges.find('a', number) !== undefined)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  test('count as pending until they are settled, once', () => {
    const exchanges = make();
    const [first] = [exchanges.open('a', 1, true), exchanges.open('a', 2, true)];
    exchanges.settle(first);
    exchanges.settle(first);
    expect(exchanges.pending).toBe(1);
  });
});

describe('numbered requests', () => {
  test('are done once for each client, and repetitions wait for the first', async () => {
    const numbered = new NumberedRequests(10);
    const disk = Promise.withResolvers<void>();
    let runs = 0;
    const action = (): Promise<void> => {
      runs += 1;
      return disk.promise;
    };
    const both = Promise.all([numbered.once('a', 1, action), numbered.once('a', 1, action)]);
    void numbered.once('b', 1, action);
    disk.resolve();
    await both;
    await numbered.once('a', 1, action);
    expect(runs).toBe(2);
  });

  test('that failed are done again', async () => {
    const numbered = new NumberedRequests(10);
    await expect(numbered.once('a', 1, () => Promise.reject(new Error('disk')))).rejects.toThrow('disk');
    let done = false;
    await numbered.once('a', 1, () => {
      done = true;
      return Promise.resolve();
    });
    expect(done).toBe(true);
  });

  test('are remembered up to a bound', async () => {
    const numbered = new NumberedRequests(2);
    let runs = 0;
    const action = (): Promise<void> => {
      runs += 1;
      return Promise.resolve();
    };
    for (const id of [1, 2, 3, 3, 1]) await numbered.once('a', id, action);
    expect(runs).toBe(4);
  });
});
