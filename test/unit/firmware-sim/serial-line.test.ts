import { describe, expect, test } from 'vitest';
import { Deframer, wrap } from '../../../firmware-sim/codec/framing.ts';
import { type LineFaults, SerialLine } from '../../../firmware-sim/line/serial-line.ts';
import { Random } from '../../../firmware-sim/random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function setUp(baud: number, faults: LineFaults = {}, seed = 1) {
  const clock = new VirtualClock();
  const line = new SerialLine({ clock, random: new Random(seed), baud, faults });
  const arrived: { at: number; bytes: number[] }[] = [];
  line.gateway.onData((bytes) => arrived.push({ at: clock.now(), bytes: [...bytes] }));
  return { clock, line, arrived, all: () => arrived.flatMap(({ bytes }) => bytes) };
}

const ramp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 256);

function runWithFaults(seed: number): number[] {
  const { clock, line, all } = setUp(115_200, { flip: 0.01, drop: 0.01, corrupt: 0.1 }, seed);
  for (let count = 0; count < 100; count++) line.node.write(wrap(ramp(20)));
  clock.advance(10_000);
  return all();
}

describe('a serial line', () => {
  test.each([300, 9600, 115_200, 3_000_000])('takes ten bits for a byte at %i baud', (baud) => {
    const { clock, line, arrived, all } = setUp(baud);
    line.node.write(ramp(600));
    const whole = (600 * 10_000) / baud;
    clock.advance(whole / 2);
    expect(Math.abs(all().length - 300)).toBeLessThanOrEqual(Math.ceil(baud / 10_000) + 1);
    clock.advance(whole / 2 + 0.001);
    expect(Uint8Array.from(all())).toEqual(ramp(600));
    expect(arrived.at(-1)?.at).toBeCloseTo(whole, 3);
  });

  test('lets a byte wait for those before it', () => {
    const { clock, line, arrived } = setUp(9600);
    line.node.write(ramp(96));
    clock.advance(50);
    line.node.write(ramp(96));
    clock.advance(1000);
    expect(arrived.at(-1)?.at).toBeCloseTo(200, 3);
  });

  test('carries both directions at once', () => {
    const { clock, line, all } = setUp(9600);
    const back: number[] = [];
    line.node.onData((bytes) => back.push(...bytes));
    line.node.write(ramp(96));
    line.gateway.write(ramp(96));
    clock.advance(100.01);
    expect([all().length, back.length]).toEqual([96, 96]);
  });

  test('damages the wanted part of the frames, one byte in each, and never their end', () => {
    const { clock, line, all } = setUp(1_000_000, { corrupt: 0.1 });
    const frame = wrap(Uint8Array.of(0xd0));
    for (let count = 0; count < 5000; count++) {
      line.node.write(frame);
      clock.advance(1);
    }
    const { frames, corrupted } = line.counts.toGateway;
    expect(frames).toBe(5000);
    expect(corrupted).toBeGreaterThan(430);
    expect(corrupted).toBeLessThan(570);
    const deframer = new Deframer();
    const whole = deframer.push(Uint8Array.from(all()));
    expect(whole.length + deframer.dropped).toBe(5000);
    expect(deframer.dropped).toBe(corrupted);
  });

  test('turns and loses bytes at the wanted rate', () => {
    const { clock, line, all } = setUp(3_000_000, { flip: 0.01, drop: 0.02 });
    line.node.write(ramp(100_000));
    clock.advance(10_000);
    const { flipped, dropped } = line.counts.toGateway;
    expect(Math.abs(flipped - 1000)).toBeLessThan(150);
    expect(Math.abs(dropped - 2000)).toBeLessThan(200);
    expect(all()).toHaveLength(100_000 - dropped);
  });

  test('does the same again with the same seed, and something else with another', () => {
    expect(runWithFaults(1)).toEqual(runWithFaults(1));
    expect(runWithFaults(1)).not.toEqual(runWithFaults(2));
  });

  test('loses everything while it is cut, also what was on its way', () => {
    const { clock, line, all } = setUp(9600);
    line.node.write(ramp(96));
    clock.advance(50.01);
    line.cut();
    line.node.write(ramp(96));
    clock.advance(1000);
    expect(all()).toHaveLength(48);
    line.restore();
    line.node.write(Uint8Array.of(7));
    clock.advance(10);
    expect(all().at(-1)).toBe(7);
    expect(line.counts.toGateway.cut).toBe(144);
  });

  test('makes the writer wait while more than a driver buffers is on its way', () => {
    const { clock, line } = setUp(9600);
    const held: boolean[] = [];
    line.gateway.onHold((state) => held.push(state));
    line.gateway.write(ramp(5000));
    expect(held).toEqual([true]);
    clock.advance(4000);
    expect(held).toEqual([true, false]);
  });
});
