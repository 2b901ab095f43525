import { describe, expect, test } from 'vitest';
import { SerialWriter } from '../../../src/links/serial-writer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function line(options: { readonly bitRate?: number; readonly stuck?: boolean } = {}) {
  const clock = new VirtualClock();
  const written: { readonly at: number; readonly length: number }[] = [];
  const seen = { drained: 0 };
  const writer = new SerialWriter({
    clock,
    bitRate: options.bitRate ?? 10_000,
    highWaterBytes: 100,
    maxBytes: 200,
    write(bytes, taken) {
      written.push({ at: clock.now(), length: bytes.length });
      if (!options.stuck) queueMicrotask(taken);
    },
    drained: () => {
      seen.drained += 1;
    },
  });
  return { clock, written, writer, seen };
}

/** Lets time and what was taken come on, by milliseconds. */
async function run(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1) {
    clock.advance(1);
    await Promise.resolve();
  }
}

describe('SerialWriter', () => {
  test('hands bytes over no faster than the line carries them, but for 20 ms', async () => {
    const { clock, written, writer } = line();
    for (let count = 0; count < 10; count += 1) writer.push(new Uint8Array(10));
    await run(clock, 35);
    // One byte takes 1 ms, counted from when the first ones were taken: three writes run ahead, then one goes every 10 ms.
    expect(written.map(({ at }) => at)).toEqual([0, 1, 2, 11, 21, 31]);
    await run(clock, 100);
    expect(written).toHaveLength(10);
  });

  test('counts what the operating system still holds as queued', async () => {
    const { clock, writer } = line();
    writer.push(new Uint8Array(50));
    await run(clock, 1);
    expect(writer.queuedBytes).toBe(50);
    await run(clock, 30);
    expect(writer.queuedBytes).toBe(20);
    await run(clock, 20);
    expect(writer.queuedBytes).toBe(0);
  });

  test('says full over the high-water mark and drained once half of it is gone', async () => {
    const { clock, writer, seen } = line();
    expect(writer.push(new Uint8Array(100))).toBe('taken');
    expect(writer.push(new Uint8Array(1))).toBe('full');
    await run(clock, 1);
    expect(seen.drained).toBe(1);
    expect(writer.push(new Uint8Array(1))).toBe('taken');
  });

  test('takes nothing over the bound from somebody who does not wait', () => {
    const { writer } = line({ stuck: true });
    writer.push(new Uint8Array(190));
    expect(writer.push(new Uint8Array(11))).toBe('refused');
    expect(writer.queuedBytes).toBe(190);
  });

  test('calls back once everything was taken, at once where nothing waits', async () => {
    const { clock, writer } = line();
    const order: string[] = [];
    writer.push(new Uint8Array(10));
    writer.whenEmpty(() => order.push('empty'));
    expect(order).toEqual([]);
    await run(clock, 1);
    expect(order).toEqual(['empty']);
  });

  test('writes nothing and calls nobody once stopped', async () => {
    const { clock, written, writer, seen } = line();
    for (let count = 0; count < 15; count += 1) writer.push(new Uint8Array(10));
    writer.stop();
    await run(clock, 1000);
    expect(written).toHaveLength(1);
    expect(seen.drained).toBe(0);
    expect(writer.push(new Uint8Array(1))).toBe('refused');
    expect(clock.nextIn).toBeUndefined();
  });
});
