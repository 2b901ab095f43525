import { describe, expect, test } from 'vitest';
import { Counters } from '../../../src/base/counters.ts';
import { HashikeError } from '../../../src/base/errors.ts';
import type { Link } from '../../../src/links/link.ts';
import type { SerialDevice, SerialDeviceHandler } from '../../../src/links/serial-device.ts';
import { SerialSource } from '../../../src/links/serial.ts';
import { RecordingLog } from '../../support/recording-log.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const forbidden = new HashikeError('HSK-2151', '/dev/ttyX may not be opened by this user');
const absent = new HashikeError('HSK-2150', 'there is no device /dev/ttyX');

/** A device without a kernel behind it. */
class FakeDevice implements SerialDevice {
  handler: SerialDeviceHandler | undefined;

  start(handler: SerialDeviceHandler): void {
    this.handler = handler;
  }

  fail(): void {
    this.handler?.gone(new HashikeError('HSK-2154', '/dev/ttyX went away'));
  }

  write(): void {
    // Nobody reads.
  }

  pause(): void {
    // Nothing comes.
  }

  resume(): void {
    // Nothing comes.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  stillThere(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

/** A port whose openings end as `outcome` says. */
function port() {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const state: {
    outcome: HashikeError | 'opens' | 'hangs';
    openings: number;
    device: FakeDevice | undefined;
  } = {
    outcome: 'opens',
    openings: 0,
    device: undefined,
  };
  const source = new SerialSource({
    config: { path: '/dev/ttyX', baud: 9600, name: 'x', maxFrameBytes: 1024, reopenMs: 250 },
    clock,
    random: { bytes: (length) => new Uint8Array(length), fraction: () => 0 },
    counters: new Counters(),
    log,
    loadDriver: () =>
      Promise.resolve(() => {
        state.openings += 1;
        if (state.outcome === 'hangs') return new Promise(() => undefined);
        if (state.outcome !== 'opens') return Promise.reject(state.outcome);
        state.device = new FakeDevice();
        return Promise.resolve(state.device);
      }),
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
  };
  const open = (): Promise<void> => source.open(startLink);
  return { clock, log, state, source, pass, open };
}

function startLink(link: Link): void {
  link.start({ frame: () => undefined, drained: () => undefined, closed: () => undefined });
}

describe('SerialSource', () => {
  test('an error that shows only once, as while udev sets permissions, is no warning', async () => {
    const { log, state, source, pass, open } = port();
    state.outcome = forbidden;
    await open();
    state.outcome = 'opens';
    await pass(250);
    expect(source.describe().state).toBe('open');
    expect(log.texts('warn')).toEqual([]);
  });

  test('an error that stays is one warning with its cure, and each other error one more', async () => {
    const { log, state, source, pass, open } = port();
    state.outcome = forbidden;
    await open();
    await pass(2000);
    expect(log.texts('warn')).toHaveLength(1);
    expect(log.lines[0]?.fields['cure']).toContain('dialout');
    expect(source.describe()).toMatchObject({ state: 'failed', error: forbidden.message });
    state.outcome = absent;
    await pass(2000);
    expect(log.texts('warn')).toHaveLength(2);
    expect(source.describe().state).toBe('absent');
  });

  test('a device that opens and fails at once is tried ever less often', async () => {
    const { state, pass, open } = port();
    await open();
    for (let round = 0; round < 600; round += 1) {
      state.device?.fail();
      await pass(100);
    }
    // In a minute: at 250, 500, 1000 … 10,000 ms, not 240 times.
    expect(state.openings).toBeGreaterThan(8);
    expect(state.openings).toBeLessThan(16);
  });

  test('a device that has worked is tried at once when it fails', async () => {
    const { state, pass, open } = port();
    await open();
    for (let round = 0; round < 20; round += 1) {
      state.device?.handler?.data(Uint8Array.of(0));
      state.device?.fail();
      await pass(250);
    }
    expect(state.openings).toBe(21);
  });

  test('an opening that never ends shows as stuck', async () => {
    const { state, source, pass, open } = port();
    state.outcome = 'hangs';
    void open();
    await pass(100);
    expect(source.progress()).toBe('advanced');
    await pass(20_000);
    expect(source.progress()).toBe('idle');
    await pass(20_000);
    expect(source.progress()).toBe('stuck');
  });

  test('junk without end fills no log', async () => {
    const { log, state, pass, open } = port();
    await open();
    for (let second = 0; second < 60; second += 1) {
      for (let index = 0; index < 50; index += 1) state.device?.handler?.data(Uint8Array.of(9, 9, 9, 0));
      await pass(1000);
    }
    expect(log.texts('warn').filter((text) => text.includes('junk')).length).toBeLessThanOrEqual(2);
  });
});
