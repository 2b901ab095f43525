import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeContent } from '../../src/wire/content.ts';
import { until } from '../support/coap-gateway.ts';

/** What became of a publish: taken, or refused for one of the reasons that every protocol has. */
export type Outcome = 'taken' | 'no-token' | 'not-allowed' | 'later' | 'failed';

/** A gateway with one inlet, and a device of that inlet's protocol that talks to it. */
export interface InletBench {
  publish(options: {
    readonly topic: string;
    readonly bytes: Uint8Array;
    readonly reliable: boolean;
    /** Default: the right one. */
    readonly token?: string;
  }): Promise<Outcome>;
  /** Subscribes to `node/set`; the list grows with the bytes of each command. */
  receiveCommands(): Promise<readonly Uint8Array[]>;
  /** Sends bytes that no protocol knows to the inlet. */
  sendGarbage(bytes: Uint8Array): void;
  /** A reliable command to `node/set` from upstream. */
  command(content: Uint8Array): Promise<void>;
  /** What is on disk. */
  readonly kept: readonly {
    readonly topic: string;
    readonly reliable: boolean;
    readonly content: Uint8Array;
  }[];
  /** Awaited before each commit. */
  disk: () => Promise<void>;
  /** Whether the spool has no room. */
  full: boolean;
  close(): Promise<void>;
}

/** What every inlet owes its devices, whatever it speaks. */
export function inletContract(name: string, open: () => Promise<InletBench>): void {
  describe(`${name}: what every inlet owes`, () => {
    let bench: InletBench;

    beforeEach(async () => {
      bench = await open();
    });

    afterEach(() => bench.close());

    const topic = 'node/reading';
    const bytes = Uint8Array.of(1, 2, 3);

    test('a reliable publish is taken after it is on disk, and not before', async () => {
      const disk = Promise.withResolvers<void>();
      bench.disk = () => disk.promise;
      const outcome = bench.publish({ topic, bytes, reliable: true });
      const early = await Promise.race([
        outcome,
        new Promise((resolve) => setTimeout(resolve, 100, 'waits')),
      ]);
      expect([early, bench.kept.length]).toEqual(['waits', 0]);
      disk.resolve();
      expect(await outcome).toBe('taken');
      const content = encodeContent([{ contentType: 0x8000, value: bytes }]);
      expect(bench.kept).toMatchObject([{ topic, reliable: true, content }]);
    });

    test('a best-effort publish is passed on as such', async () => {
      await bench.publish({ topic, bytes, reliable: false });
      await until(() => bench.kept.length === 1);
      expect(bench.kept).toMatchObject([{ topic, reliable: false }]);
    });

    test('a disk that fails and a spool that is full are told, and the inlet goes on', async () => {
      bench.disk = () => Promise.reject(new Error('disk'));
      expect(await bench.publish({ topic, bytes, reliable: true })).toBe('failed');
      bench.disk = () => Promise.resolve();
      bench.full = true;
      expect(await bench.publish({ topic, bytes, reliable: true })).toBe('later');
      bench.full = false;
      expect(await bench.publish({ topic, bytes, reliable: true })).toBe('taken');
      expect(bench.kept).toHaveLength(1);
    });

    test('nothing passes without the right token, nor beyond what it allows', async () => {
      expect(await bench.publish({ topic, bytes, reliable: true, token: 'guess' })).toBe('no-token');
      expect(await bench.publish({ topic, bytes, reliable: true, token: '' })).toBe('no-token');
      expect(await bench.publish({ topic: 'other/x', bytes, reliable: true })).toBe('not-allowed');
      expect(bench.kept).toHaveLength(0);
    });

    test('commands reach a subscribed device once and in order', async () => {
      const commands = await bench.receiveCommands();
      for (const value of [1, 2, 3]) {
        await bench.command(encodeContent([{ contentType: 0x8000, value: Uint8Array.of(value) }]));
      }
      await until(() => commands.length === 3);
      expect(commands.map(([first]) => first)).toEqual([1, 2, 3]);
    });

    test('garbage changes nothing', async () => {
      for (let length = 0; length < 200; length += 1) {
        bench.sendGarbage(Uint8Array.from({ length }, (_, index) => (index * 89 + length * 57) % 256));
      }
      expect(await bench.publish({ topic, bytes, reliable: true })).toBe('taken');
    });
  });
}
