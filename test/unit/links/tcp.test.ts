import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { HashikeError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Link } from '../../../src/links/link.ts';
import { connectTcp } from '../../../src/links/tcp-client.ts';
import { TcpSource } from '../../../src/links/tcp.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';

const common = { clock: systemClock, messageBytes: 1024, log: silentLog };
const cleanUp: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

interface Served {
  readonly link: Link;
  readonly socket: Socket;
  readonly frames: Uint8Array[];
  readonly closed: Promise<HashikeError | undefined>;
  /** Everything that the socket got, once the server has closed it. */
  readonly answer: Promise<Buffer>;
}

/** A link of the source, and the bare socket at its other end. */
async function served(): Promise<Served> {
  const source = new TcpSource({ ...common, host: '127.0.0.1', port: 0 });
  const accepted = Promise.withResolvers<Link>();
  await source.open(accepted.resolve);
  cleanUp.push(() => source.close());
  const socket = connect(source.address?.port ?? 0, '127.0.0.1');
  cleanUp.push(() => void socket.destroy());
  const chunks: Buffer[] = [];
  const answer = new Promise<Buffer>((resolve) => {
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
  const link = await accepted.promise;
  const frames: Uint8Array[] = [];
  const closed = new Promise<HashikeError | undefined>((resolve) => {
    link.start({ frame: (bytes) => void frames.push(bytes), drained: () => undefined, closed: resolve });
  });
  return { link, socket, frames, closed, answer };
}

const ping = (echo: number): Uint8Array => encodeMessage({ type: MessageType.PING, timestamp: 0, echo });

describe('a TCP link', () => {
  test('frames that come byte by byte are put together', async () => {
    const { socket, frames } = await served();
    socket.setNoDelay(true);
    for (const byte of [...ping(1), ...ping(2)]) {
      socket.write(Uint8Array.of(byte));
      await delay(0);
    }
    await vi.waitFor(() => expect(frames).toHaveLength(2));
    expect(frames.map((bytes) => decodeMessage(bytes))).toMatchObject([{ echo: 1 }, { echo: 2 }]);
  });

  test('bytes that are no message get DISCONNECT and end the link as the peer’s fault', async () => {
    const { socket, closed, answer, frames } = await served();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    expect((await closed)?.code).toBe('HSK-1102');
    expect(decodeMessage(await answer)).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.PROTOCOL_ERROR },
    });
    expect(frames).toEqual([]);
  });

  test('9: a message that is too long is refused as soon as its length is known', async () => {
    const { socket, closed, answer } = await served();
    socket.write(Uint8Array.of(0, 0x22, 0x08, 0x00, 0, 0, 0, 0));
    expect((await closed)?.code).toBe('HSK-1103');
    expect(decodeMessage(await answer)).toMatchObject({ reason: { code: Reason.LIMIT } });
  });

  test('a connection that ends within a message is a broken one', async () => {
    const { socket, closed } = await served();
    socket.end(ping(1).subarray(0, 9));
    expect((await closed)?.code).toBe('HSK-2101');
  });

  test('a connection that is reset is a broken one', async () => {
    const { socket, closed } = await served();
    socket.resetAndDestroy();
    expect((await closed)?.code).toBe('HSK-2101');
  });

  test('names its peer though nobody asked before it broke', async () => {
    const { socket, closed } = await served();
    const peer = `127.0.0.1:${socket.localPort}`;
    socket.resetAndDestroy();
    expect(await closed).toMatchObject({ facts: { peer } });
  });

  test('the frames of one turn leave in one write', async () => {
    const sizes: number[] = [];
    const server = createServer((socket) => socket.on('data', (chunk) => sizes.push(chunk.length)));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    cleanUp.push(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const link = await connectTcp({ ...common, host: '127.0.0.1', port, timeoutMs: 5000 });
    cleanUp.push(() => link.close());
    for (let id = 0; id < 50; id += 1) link.send(ping(id));
    await Promise.resolve();
    link.send(ping(50));
    await vi.waitFor(() => expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(51 * 16));
    expect(sizes).toHaveLength(1);
  });

  test('a peer that takes nothing does not keep a closed link for ever', async () => {
    const { link, socket, closed } = await served();
    socket.pause();
    const frame = encodeMessage({
      type: MessageType.DISCONNECT,
      timestamp: 0,
      reason: { code: 0, text: 'x'.repeat(1000) },
    });
    while (link.queuedBytes < 10_000_000 && (link.send(frame) || link.queuedBytes < 5_000_000));
    const start = performance.now();
    link.close();
    await closed;
    expect(performance.now() - start).toBeLessThan(4000);
  });
});

describe('a TCP source', () => {
  test('an address that is taken is a clear error', async () => {
    const first = new TcpSource({ ...common, host: '127.0.0.1', port: 0 });
    await first.open(() => undefined);
    cleanUp.push(() => first.close());
    const second = new TcpSource({ ...common, host: '127.0.0.1', port: first.address?.port ?? 0 });
    await expect(second.open(() => undefined)).rejects.toMatchObject({ code: 'HSK-2102' });
    await second.close();
  });

  test('closing it closes its links', async () => {
    const source = new TcpSource({ ...common, host: '127.0.0.1', port: 0 });
    await source.open((link) =>
      link.start({ frame: () => undefined, drained: () => undefined, closed: () => undefined }),
    );
    const socket = connect(source.address?.port ?? 0, '127.0.0.1');
    await new Promise((resolve) => {
      socket.once('connect', resolve);
    });
    const ended = new Promise((resolve) => {
      socket.resume().once('close', resolve);
    });
    await source.close();
    await ended;
    expect(source.address).toBeUndefined();
  });
});

test('connecting where nobody listens is a clear error', async () => {
  const source = new TcpSource({ ...common, host: '127.0.0.1', port: 0 });
  await source.open(() => undefined);
  const port = source.address?.port ?? 0;
  await source.close();
  const connecting = connectTcp({ ...common, host: '127.0.0.1', port, timeoutMs: 5000 });
  await expect(connecting).rejects.toMatchObject({ code: 'HSK-2103' });
});
