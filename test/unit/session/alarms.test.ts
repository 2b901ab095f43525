import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Alarms, NEVER, NOWHERE, type Sleeper } from '../../../src/session/alarms.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

interface Named extends Sleeper {
  readonly name: number;
}

function sleeper(name: number, wake: (name: number) => void): Named {
  return { name, wakeAt: NEVER, place: NOWHERE, wake: () => wake(name) };
}

describe('the alarms of many sessions', () => {
  test('ring once each, in the order of their times, by one timer', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const woken: number[] = [];
    const all = [30, 10, 20, 40].map((at) => sleeper(at, (name) => woken.push(name)));
    for (const each of all) alarms.set(each, each.name);
    expect(clock.nextIn).toBe(10);
    clock.advance(25);
    expect(woken).toEqual([10, 20]);
    clock.advance(100);
    expect(woken).toEqual([10, 20, 30, 40]);
    expect(clock.nextIn).toBeUndefined();
  });

  test('keep the order when one is cleared among later ones', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const woken: number[] = [];
    const all = [1, 10, 2, 11, 12, 3].map((at) => sleeper(at, (name) => woken.push(name)));
    for (const each of all) alarms.set(each, each.name);
    // The last one, 3, takes its place, below 10.
    alarms.clear(all[3] ?? sleeper(0, () => undefined));
    alarms.set(
      sleeper(20, (name) => woken.push(name)),
      20,
    );
    clock.advance(3);
    expect(woken).toEqual([1, 2, 3]);
    clock.advance(9);
    expect(woken).toEqual([1, 2, 3, 10, 12]);
  });

  test('let the process end when nobody has one', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const one = sleeper(1, () => undefined);
    alarms.clear(one);
    alarms.set(one, 5);
    alarms.clear(one);
    expect(clock.nextIn).toBeUndefined();
  });

  test('wait for the clock when they are set for now from within a call', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    let rings = 0;
    const again: Sleeper = sleeper(1, () => {
      rings += 1;
      if (rings < 3) alarms.set(again, clock.now());
    });
    alarms.set(again, 0);
    clock.advance(0);
    expect(rings).toBe(3);
  });

  test('ring on when one of them fails', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const woken: number[] = [];
    const bad = sleeper(1, () => {
      throw new Error('broken');
    });
    alarms.set(bad, 1);
    alarms.set(
      sleeper(2, (name) => woken.push(name)),
      2,
    );
    expect(() => clock.advance(1)).toThrow('broken');
    clock.advance(1);
    expect(woken).toEqual([2]);
  });

  test('ring on when one of several that are due fails', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const woken: number[] = [];
    const bad = sleeper(1, () => {
      throw new Error('broken');
    });
    const good = [2, 3].map((name) => sleeper(name, () => woken.push(name)));
    for (const each of [bad, ...good]) alarms.set(each, 1);
    expect(() => clock.advance(1)).toThrow('broken');
    clock.advance(1);
    expect(new Set(woken)).toEqual(new Set([2, 3]));
  });

  test('leave alone who is cleared, or set for later, by another that is due at the same time', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const woken: string[] = [];
    const cleared = sleeper(1, () => woken.push('cleared'));
    const later = sleeper(2, () => woken.push(`later at ${clock.now()}`));
    const first = sleeper(0, () => {
      alarms.clear(cleared);
      alarms.set(later, 5);
    });
    for (const each of [first, cleared, later]) alarms.set(each, 1);
    clock.advance(10);
    expect(woken).toEqual(['later at 5']);
    expect(clock.nextIn).toBeUndefined();
  });

  test('ring at the times that they were set to last, whatever was set and cleared before', () => {
    const change = fc.record({
      who: fc.nat(15),
      in: fc.option(fc.nat(50), { nil: undefined }),
      pass: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const clock = new VirtualClock();
        const alarms = new Alarms(clock);
        const rung: [number, number][] = [];
        const expected = new Map<number, number>();
        const all = Array.from({ length: 16 }, (_, index) =>
          sleeper(index, (name) => {
            rung.push([name, clock.now()]);
            expect(expected.get(name)).toBe(clock.now());
            expected.delete(name);
          }),
        );
        for (const { who, in: ms, pass } of changes) {
          const one = all[who];
          if (!one) continue;
          if (ms === undefined) {
            alarms.clear(one);
            expected.delete(who);
          } else {
            alarms.set(one, clock.now() + ms);
            expected.set(who, clock.now() + ms);
          }
          clock.advance(pass);
          expect([...expected.values()].every((at) => at > clock.now())).toBe(true);
        }
        clock.advance(100);
        expect(expected.size).toBe(0);
      }),
    );
  });
});
