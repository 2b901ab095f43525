import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { HashikeError } from '../../src/base/errors.ts';
import type { Link } from '../../src/links/link.ts';
import { encodeMessage } from '../../src/wire/long-form.ts';
import { MessageType } from '../../src/wire/numbers.ts';

/** Two ends of one connection, not started. */
export interface LinkPair extends AsyncDisposable {
  readonly near: Link;
  readonly far: Link;
}

/** Notes what a link says. */
class Listener {
  readonly frames: Uint8Array[] = [];
  drained = 0;
  readonly closed: (HashikeError | undefined)[] = [];
  framesAfterClose = 0;

  constructor(link: Link) {
    link.start({
      frame: (bytes) => {
        this.frames.push(bytes);
        if (this.closed.length > 0) this.framesAfterClose += 1;
      },
      drained: () => {
        this.drained += 1;
      },
      closed: (cause) => this.closed.push(cause),
    });
  }
}

/** A PING whose echo is `id`, with its payload as long as a frame of any link may be. */
function frameOf(id: number): Uint8Array {
  return encodeMessage({ type: MessageType.PING, timestamp: id, echo: id });
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 10_000; !condition();) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await delay(1);
  }
}

/** What every link that loses nothing must do. */
export function linkContract(name: string, makePair: () => Promise<LinkPair>): void {
  describe(`${name} as a link`, () => {
    test('frames arrive whole and in order, both ways', async () => {
      await using pair = await makePair();
      const near = new Listener(pair.near);
      const far = new Listener(pair.far);
      const frames = Array.from({ length: 200 }, (_, id) => frameOf(id));
      for (const frame of frames) {
        pair.near.send(frame);
        pair.far.send(frame);
      }
      await until(() => near.frames.length >= 200 && far.frames.length >= 200, '200 frames each way');
      expect(near.frames.map((bytes) => [...bytes])).toEqual(frames.map((bytes) => [...bytes]));
      expect(far.frames.map((bytes) => [...bytes])).toEqual(frames.map((bytes) => [...bytes]));
    });

    test('nothing is lost that was sent before the other side started', async () => {
      await using pair = await makePair();
      pair.near.send(frameOf(7));
      await delay(20);
      const far = new Listener(pair.far);
      await until(() => far.frames.length === 1, 'the early frame');
      expect([...(far.frames[0] ?? [])]).toEqual([...frameOf(7)]);
    });

    test('a frame over the MTU throws HSK-1103', async () => {
      await using pair = await makePair();
      const { mtu } = pair.near.capabilities;
      expect(() => pair.near.send(new Uint8Array(mtu + 4))).toThrow(
        expect.objectContaining({ code: 'HSK-1103' }),
      );
    });

    test('a paused link gives no frames, and all of them once it is resumed', async () => {
      await using pair = await makePair();
      const far = new Listener(pair.far);
      pair.far.pause();
      for (let id = 0; id < 50; id += 1) pair.near.send(frameOf(id));
      await delay(30);
      expect(far.frames).toEqual([]);
      pair.far.resume();
      await until(() => far.frames.length === 50, 'the frames that waited');
    });

    test('send answers false when too much waits, drained tells when there is room, and nothing is lost', async () => {
      await using pair = await makePair();
      const near = new Listener(pair.near);
      const far = new Listener(pair.far);
      pair.far.pause();
      let sent = 0;
      // The operating system may take some megabytes before it stops.
      while (pair.near.send(frameOf(sent)) && sent < 4_000_000) {
        sent += 1;
        if (sent % 1000 === 0) await delay(0);
      }
      expect(pair.near.queuedBytes).toBeGreaterThan(0);
      expect(near.drained).toBe(0);
      pair.far.resume();
      await until(() => near.drained > 0, 'drained');
      await until(() => far.frames.length === sent + 1, 'every frame');
      await until(() => pair.near.queuedBytes === 0, 'an empty queue');
    });

    test('close sends what is queued; both sides hear of it once, without a cause, and nothing after it', async () => {
      await using pair = await makePair();
      const near = new Listener(pair.near);
      const far = new Listener(pair.far);
      for (let id = 0; id < 20; id += 1) pair.near.send(frameOf(id));
      pair.near.close();
      pair.near.close();
      await until(() => near.closed.length > 0 && far.closed.length > 0, 'closed on both sides');
      pair.near.send(frameOf(99));
      await delay(20);
      expect(far.frames).toHaveLength(20);
      expect(near.closed).toEqual([undefined]);
      expect(far.closed).toEqual([undefined]);
      expect(near.framesAfterClose + far.framesAfterClose).toBe(0);
    });

    test('a link that was closed before it is started says so', async () => {
      await using pair = await makePair();
      const near = new Listener(pair.near);
      pair.near.close();
      await until(() => near.closed.length > 0, 'closed on this side');
      await delay(20);
      const far = new Listener(pair.far);
      await until(() => far.closed.length > 0, 'closed on the other side');
    });
  });
}
