import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Counters } from '../../src/base/counters.ts';
import type { HashikeError } from '../../src/base/errors.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Link } from '../../src/links/link.ts';
import { SerialSource } from '../../src/links/serial.ts';
import { encodeSerialFrame, SerialDeframer } from '../../src/wire/serial-frame.ts';
import { PtyLine } from '../support/pty-line.ts';
import { RecordingLog } from '../support/recording-log.ts';

/** The gateway's end of the line: every link that the source made, with what came over it. */
class GatewayEnd {
  readonly links: Link[] = [];
  readonly frames: Uint8Array[] = [];
  readonly closed: (HashikeError | undefined)[] = [];
  onFrame: (frame: Uint8Array, link: Link) => void = () => undefined;
  drained = 0;

  take(link: Link): void {
    this.links.push(link);
    link.start({
      frame: (frame) => {
        this.frames.push(frame);
        this.onFrame(frame, link);
      },
      drained: () => {
        this.drained += 1;
      },
      closed: (cause) => this.closed.push(cause),
    });
  }

  get link(): Link {
    const link = this.links.at(-1);
    if (!link) throw new Error('no link yet');
    return link;
  }
}

/** Deframes what the gateway sends. */
function framesOf(line: PtyLine): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const deframer = new SerialDeframer({
    maxFrameBytes: 1024,
    handler: { frame: (frame) => void frames.push(frame), discarded: () => undefined },
  });
  line.onBytes = (bytes) => deframer.feed(bytes);
  return frames;
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

const reading = (number: number): Uint8Array => Uint8Array.of(0x80, number >> 8, number, 0, 7);

describe('a serial port on a pseudo-terminal', () => {
  let line: PtyLine;
  let gateway: GatewayEnd;
  let counters: Counters;
  let log: RecordingLog;
  let source: SerialSource | undefined;

  beforeEach(() => {
    line = new PtyLine();
    gateway = new GatewayEnd();
    counters = new Counters();
    log = new RecordingLog();
  });

  afterEach(async () => {
    await source?.close();
    source = undefined;
    line.remove();
  });

  function sourceOf(config: { readonly path?: string; readonly baud?: number } = {}): SerialSource {
    return new SerialSource({
      config: {
        path: config.path ?? line.path,
        baud: config.baud ?? 115_200,
        name: 'garden',
        maxFrameBytes: 1024,
        reopenMs: 250,
      },
      clock: systemClock,
      random: systemRandom,
      counters,
      log,
    });
  }

  async function open(config: { readonly baud?: number } = {}): Promise<SerialSource> {
    source = sourceOf(config);
    await source.open((link) => gateway.take(link));
    return source;
  }

  /** Data flows: a frame goes up and the answer comes down. */
  async function exchanged(number: number): Promise<void> {
    const down = framesOf(line);
    gateway.onFrame = (frame, link) => link.send(frame);
    await line.send(encodeSerialFrame(reading(number)));
    await vi.waitFor(() => expect(down).toContainEqual(reading(number)), { interval: 2, timeout: 5000 });
  }

  test.each([115_200, 9600, 250_000, 123_456, 3_000_000])(
    'carries frames both ways at %i baud',
    async (baud) => {
      line.plug();
      await open({ baud });
      await exchanged(1);
      expect(gateway.link.capabilities).toEqual({
        reliable: false,
        shortForm: true,
        mtu: 1024,
        bitRate: baud,
        place: line.path,
      });
      expect(source?.describe()).toMatchObject({
        name: 'serial garden',
        state: 'open',
        bytesIn: 9,
        bytesOut: 9,
      });
    },
  );

  test('carries frames cut at each byte', async () => {
    line.plug();
    await open();
    const whole = encodeSerialFrame(reading(0x1234));
    for (let cut = 1; cut < whole.length; cut += 1) {
      await line.send(whole.subarray(0, cut));
      await pause(3);
      await line.send(whole.subarray(cut));
      await vi.waitFor(() => expect(gateway.frames).toHaveLength(cut), { interval: 2 });
    }
    expect(gateway.frames.every((frame) => Buffer.compare(frame, reading(0x1234)) === 0)).toBe(true);
  });

  test('keeps what came before it was started, and while it was paused', async () => {
    line.plug();
    source = sourceOf();
    let opened: Link | undefined;
    await source.open((link) => {
      opened = link;
    });
    await line.send(encodeSerialFrame(reading(1)));
    await pause(20);
    if (opened) gateway.take(opened);
    await vi.waitFor(() => expect(gateway.frames).toEqual([reading(1)]));
    gateway.link.pause();
    await line.send(encodeSerialFrame(reading(2)));
    await pause(30);
    expect(gateway.frames).toHaveLength(1);
    gateway.link.resume();
    await vi.waitFor(() => expect(gateway.frames).toEqual([reading(1), reading(2)]));
  });

  test('a frame over the MTU throws HSK-1103', async () => {
    line.plug();
    await open();
    expect(() => gateway.link.send(new Uint8Array(1025))).toThrow(
      expect.objectContaining({ code: 'HSK-1103' }),
    );
  });

  test('a link whose device went before it was started says so once it is', async () => {
    line.plug();
    source = sourceOf();
    let opened: Link | undefined;
    await source.open((link) => {
      opened ??= link;
    });
    line.unplug();
    await vi.waitFor(() => expect(source?.describe().state).toBe('absent'));
    expect(gateway.closed).toEqual([]);
    if (opened) gateway.take(opened);
    expect(gateway.closed.map((cause) => cause?.code)).toEqual(['HSK-2154']);
  });

  test('skips and counts junk between frames, and logs it once', async () => {
    line.plug();
    await open();
    await line.send(encodeSerialFrame(reading(0)));
    for (let number = 1; number <= 20; number += 1) {
      await line.send(Uint8Array.of(0x07, 0xff, number, 0x13, 0x00));
      await line.send(encodeSerialFrame(reading(number)));
    }
    await vi.waitFor(() => expect(gateway.frames).toHaveLength(21));
    const dropped = counters.read().filter(({ name }) => name === 'dropped');
    expect(dropped.reduce((sum, { value }) => sum + value, 0)).toBe(20);
    expect(dropped.every(({ labels }) => labels['place'] === 'serial garden')).toBe(true);
    expect(log.texts('warn').filter((text) => text.includes('junk'))).toHaveLength(1);
  });

  test('a device that is missing at the start is a warning, and is taken up when it comes', async () => {
    await open();
    await vi.waitFor(() => expect(log.texts('warn').join()).toContain('HSK-2150'));
    expect(source?.describe().state).toBe('absent');
    expect(source?.describe().error).toContain('HSK-2150');
    line.plug();
    await vi.waitFor(() => expect(gateway.links).toHaveLength(1));
    await exchanged(1);
  });

  test('notices an unplugged device, says so once, and carries data again 0.5 s after it is back', async () => {
    line.plug();
    await open();
    await exchanged(0);
    const took: number[] = [];
    for (let round = 1; round <= 5; round += 1) {
      line.unplug();
      await vi.waitFor(() => expect(gateway.closed).toHaveLength(round), { interval: 2 });
      await pause(60 * round);
      line.plug();
      const pluggedAt = performance.now();
      await vi.waitFor(() => expect(gateway.links).toHaveLength(round + 1), { interval: 2 });
      await exchanged(round);
      took.push(performance.now() - pluggedAt);
    }
    expect(gateway.closed.map((cause) => cause?.code)).toEqual(Array(5).fill('HSK-2154'));
    expect(log.texts('warn').filter((text) => text.includes('HSK-2154'))).toHaveLength(5);
    expect(counters.counter('link_lost', { link: 'serial garden' }).value).toBe(5);
    expect(Math.max(...took)).toBeLessThan(500);
  });

  test('notices an unplugged device while writes wait and while reading is paused', async () => {
    line.plug({ reading: false });
    await open({ baud: 3_000_000 });
    for (let count = 0; count < 40; count += 1) gateway.link.send(new Uint8Array(1000));
    gateway.link.pause();
    await pause(50);
    line.unplug();
    await vi.waitFor(() => expect(gateway.closed).toHaveLength(1));
    expect(gateway.closed[0]?.code).toBe('HSK-2154');
    line.plug();
    await vi.waitFor(() => expect(gateway.links).toHaveLength(2));
    await exchanged(7);
    expect(gateway.closed).toHaveLength(1);
  });

  test('a stable name that comes to mean another device is followed', async () => {
    const other = new PtyLine();
    try {
      line.plug();
      other.plug();
      await open();
      await exchanged(1);
      line.rename(other);
      await vi.waitFor(() => expect(gateway.links).toHaveLength(2));
      await exchanged(2);
    } finally {
      other.remove();
    }
  });

  test('a peer that reads nothing costs bounded memory, drops with a count, and does not hold up the gateway', async () => {
    line.plug({ reading: false });
    await open({ baud: 3_000_000 });
    let longestTurn = 0;
    for (let count = 0; count < 300; count += 1) {
      const before = performance.now();
      gateway.link.send(new Uint8Array(1000));
      await pause(1);
      longestTurn = Math.max(longestTurn, performance.now() - before);
    }
    expect(gateway.link.send(new Uint8Array(1000))).toBe(false);
    expect(gateway.link.queuedBytes).toBeLessThan(20 * 1024);
    expect(counters.drops('serial garden', 'queue-full').value).toBeGreaterThan(200);
    expect(longestTurn).toBeLessThan(200);
    const before = performance.now();
    await source?.close();
    source = undefined;
    expect(performance.now() - before).toBeLessThan(1500);
    expect(gateway.closed).toEqual([undefined]);
  });

  test('a port that another program holds is a coded warning, and is taken up when it is free', async () => {
    line.plug();
    const first = await open();
    const second = sourceOf();
    const waiting = new GatewayEnd();
    await second.open((link) => waiting.take(link));
    await vi.waitFor(() => expect(log.texts('warn').join()).toContain('HSK-2152'));
    expect(second.describe().state).toBe('failed');
    await first.close();
    source = second;
    await vi.waitFor(() => expect(waiting.links).toHaveLength(1));
  });

  test('a path that is no serial device is a coded warning', async () => {
    const path = join(line.folder, 'plain');
    writeFileSync(path, '');
    source = sourceOf({ path });
    await source.open((link) => gateway.take(link));
    await vi.waitFor(() => expect(log.texts('warn').join()).toContain('HSK-2153'));
  });

  test('closing sends what is queued first', async () => {
    line.plug();
    const down = framesOf(line);
    await open({ baud: 250_000 });
    for (let number = 0; number < 10; number += 1) gateway.link.send(reading(number));
    await source?.close();
    await vi.waitFor(() => expect(down).toHaveLength(10));
    expect(gateway.closed).toEqual([undefined]);
    expect(source?.describe().state).toBe('closed');
  });

  test('a link that its user closes comes again as a new one', async () => {
    line.plug();
    await open();
    gateway.link.close();
    await vi.waitFor(() => expect(gateway.links).toHaveLength(2));
    await exchanged(3);
    expect(gateway.closed).toEqual([undefined]);
  });

  test('unplugging again and again leaks no file descriptors', async () => {
    line.plug();
    await open();
    await exchanged(0);
    const before = descriptors();
    for (let round = 1; round <= 8; round += 1) {
      line.unplug();
      await vi.waitFor(() => expect(gateway.closed).toHaveLength(round), { interval: 2 });
      line.plug();
      await vi.waitFor(() => expect(gateway.links).toHaveLength(round + 1), { interval: 2 });
      await exchanged(round);
    }
    await vi.waitFor(() => expect(descriptors()).toBeLessThanOrEqual(before));
  });

  test('the loop tells the watchdog that it comes on', async () => {
    line.plug();
    const opened = await open();
    expect(opened.progress()).toBe('advanced');
    expect(opened.progress()).toBe('idle');
    await vi.waitFor(() => expect(opened.progress()).toBe('advanced'));
  });
});
