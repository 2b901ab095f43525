import { describe, expect, test } from 'vitest';
import { Watchdog } from '../../../src/admin/watchdog.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Progress } from '../../../src/base/progress.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function watchdog(...loops: (() => Progress | Promise<Progress>)[]) {
  const clock = new VirtualClock();
  const fed: number[] = [];
  const dog = new Watchdog({
    clock,
    log: silentLog,
    watched: loops.map((progress, index) => ({ name: `loop ${index}`, progress })),
    roundMs: 10_000,
    alive: () => fed.push(clock.now()),
  });
  return { clock, dog, fed };
}

/** Lets the promises of one round settle: virtual time does not wait for them. */
async function rounds(clock: VirtualClock, count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    clock.advance(10_000);
    await new Promise(setImmediate);
  }
}

describe('the watchdog', () => {
  test('is fed each round while every loop advances or is idle', async () => {
    const { clock, dog, fed } = watchdog(
      () => 'idle',
      () => Promise.resolve('advanced'),
    );
    dog.start();
    await rounds(clock, 3);
    expect(fed).toEqual([10_000, 20_000, 30_000]);
  });

  test('starves as long as one loop is stuck, and no longer', async () => {
    let state: Progress = 'idle';
    const { clock, dog, fed } = watchdog(
      () => 'advanced',
      () => state,
    );
    dog.start();
    await rounds(clock, 1);
    state = 'stuck';
    await rounds(clock, 2);
    expect(fed).toEqual([10_000]);
    state = 'advanced';
    await rounds(clock, 1);
    expect(fed).toEqual([10_000, 40_000]);
  });

  test('starves when a probe fails or never answers', async () => {
    const failing = watchdog(() => Promise.reject(new Error('disk')));
    failing.dog.start();
    const hanging = watchdog(() => new Promise<Progress>(() => undefined));
    hanging.dog.start();
    await rounds(failing.clock, 2);
    await rounds(hanging.clock, 2);
    expect(failing.fed).toEqual([]);
    expect(hanging.fed).toEqual([]);
  });

  test('is silent after stop, also when stopped in the middle of a round', async () => {
    const { clock, dog, fed } = watchdog(() => 'idle');
    dog.start();
    await rounds(clock, 1);
    clock.advance(10_000);
    dog.stop();
    await new Promise(setImmediate);
    await rounds(clock, 2);
    expect(fed.length).toBeLessThanOrEqual(2);
    expect(clock.nextIn).toBeUndefined();
  });
});
