import { beforeEach, describe, expect, test } from 'vitest';
import { Backoff } from '../../../src/base/backoff.ts';
import { PathProber } from '../../../src/session/path-prober.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let clock: VirtualClock;
/** `open` and `probe`, with the time at which each was asked for. */
let asked: [string, number][];
let prober: PathProber;

beforeEach(() => {
  clock = new VirtualClock();
  asked = [];
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
  prober = new PathProber({
    clock,
    backoff: new Backoff({ initialMs: 5000, maxMs: 20_000, random }),
    probeMs: 5000,
    retryMs: 1000,
    open: () => asked.push(['open', clock.now()]),
    probe: () => asked.push(['probe', clock.now()]),
  });
  prober.start();
});

describe('the prober of a UDP path', () => {
  test('8.3.2: asks for a ticket, probes, and is up with the first UDP_CONFIRM', () => {
    prober.ticketed();
    expect(asked).toEqual([
      ['open', 0],
      ['probe', 0],
    ]);
    expect(prober.up).toBe(false);
    prober.confirmed();
    expect(prober.up).toBe(true);
  });

  test('8.4.1: probes a path that works once in an interval', () => {
    prober.ticketed();
    prober.confirmed();
    asked = [];
    for (let times = 0; times < 3; times += 1) {
      clock.advance(5000);
      prober.confirmed();
    }
    expect(asked).toEqual([
      ['probe', 5000],
      ['probe', 10_000],
      ['probe', 15_000],
    ]);
  });

  test('8.4.1, 8.4.2: three probes without answer: down, and a new ticket at once', () => {
    prober.ticketed();
    prober.confirmed();
    asked = [];
    clock.advance(7999);
    expect(prober.up).toBe(true);
    clock.advance(1);
    expect(prober.up).toBe(false);
    expect(asked).toEqual([
      ['probe', 5000],
      ['probe', 6000],
      ['probe', 7000],
      ['open', 8000],
    ]);
  });

  test('8.4.1: a late answer to one of three probes keeps it up', () => {
    prober.ticketed();
    prober.confirmed();
    clock.advance(7900);
    prober.confirmed();
    clock.advance(4999);
    expect(prober.up).toBe(true);
  });

  test('8.4.2: where nothing is answered, the pauses between attempts grow to their bound', () => {
    for (let times = 0; times < 60; times += 1) {
      clock.advance(1000);
      if (asked.at(-1)?.[0] === 'open' && asked.at(-1)?.[1] === clock.now()) prober.ticketed();
    }
    const opened = asked.filter(([what]) => what === 'open').map(([, at]) => at);
    // No ticket for the first one: 3 s. Then three probes, a second each, and 5, 10, 20, 20 s.
    expect(opened).toEqual([0, 8, 21, 44].map((seconds) => seconds * 1000));
  });

  test('stopped, it rests', () => {
    prober.ticketed();
    prober.confirmed();
    prober.stop();
    expect(prober.up).toBe(false);
    expect(clock.nextIn).toBeUndefined();
  });
});
