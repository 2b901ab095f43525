import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../../src/base/clock.ts';
import { Counters } from '../../../src/base/counters.ts';
import type { HashikeError } from '../../../src/base/errors.ts';
import { systemRandom } from '../../../src/base/random.ts';
import type { Link } from '../../../src/links/link.ts';
import { connectWebSocket } from '../../../src/links/websocket-client.ts';
import { WebSocketSource, type WebSocketSourceOptions } from '../../../src/links/websocket.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { RecordingLog } from '../../support/recording-log.ts';

const PROTOCOL = 'hashike.tlv.1';
const cleanUp: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

interface ServedLink {
  readonly link: Link;
  readonly frames: Uint8Array[];
  readonly closed: (HashikeError | undefined)[];
}

/** A source, and what became of it. */
interface Served {
  readonly port: number;
  readonly links: ServedLink[];
  readonly log: RecordingLog;
  /** How many connections were dropped for this reason. */
  drops(reason: string): number;
  /** A client that is open. */
  open(options?: object): Promise<WebSocket>;
  close(): Promise<void>;
}

async function serve(options: Partial<WebSocketSourceOptions> = {}): Promise<Served> {
  const counters = new Counters();
  const log = new RecordingLog();
  const source = new WebSocketSource({
    host: '127.0.0.1',
    port: 0,
    origins: [],
    messageBytes: 1024,
    handshakeMs: 10_000,
    unfinishedHandshakes: 8,
    clock: systemClock,
    counters,
    log,
    ...options,
  });
  const links: ServedLink[] = [];
  await source.open((link) => {
    const served: ServedLink = { link, frames: [], closed: [] };
    links.push(served);
    link.start({
      frame: (bytes) => void served.frames.push(bytes),
      drained: () => undefined,
      closed: (cause) => void served.closed.push(cause),
    });
  });
  cleanUp.push(() => source.close());
  const port = source.address?.port ?? 0;
  return {
    port,
    links,
    log,
    drops: (reason) => counters.drops('websocket', reason).value,
    open: async (more = {}) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/tlv`, PROTOCOL, more);
      cleanUp.push(() => socket.terminate());
      await once(socket, 'open');
      return socket;
    },
    close: () => source.close(),
  };
}

const ping = (echo: number): Uint8Array => encodeMessage({ type: MessageType.PING, timestamp: 0, echo });

/** The WebSocket messages that a client gets, and its close code. */
function listen(socket: WebSocket): { readonly messages: Uint8Array[]; readonly code: Promise<number> } {
  const messages: Uint8Array[] = [];
  socket.on('message', (data) => {
    if (data instanceof Uint8Array) messages.push(data);
  });
  const code = new Promise<number>((resolve) => {
    socket.once('close', resolve);
  });
  return { messages, code };
}

/** The status of the answer to a request, with these lines beside the usual ones. */
async function statusOf(port: number, path: string, ...lines: string[]): Promise<string> {
  const socket = raw(port);
  socket.write(upgradeRequest(port, path, ...lines));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString('latin1').slice(9, 12);
}

function upgradeRequest(port: number, path: string, ...lines: readonly string[]): string {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const key = `Sec-WebSocket-Key: ${Buffer.from(systemRandom.bytes(16)).toString('base64')}`;
  const host = `Host: 127.0.0.1:${port}`;
  return `GET ${path} HTTP/1.1\r\n${[host, ...upgrade, key, ...lines].join('\r\n')}\r\n\r\n`;
}

function raw(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  cleanUp.push(() => void socket.destroy());
  return socket.on('error', () => undefined);
}

const offer = `Sec-WebSocket-Protocol: ${PROTOCOL}`;

describe('an upgrade to WebSocket', () => {
  test('3.5.1: path and sub-protocol make one, compression is not taken', async () => {
    const served = await serve();
    const socket = await served.open({ perMessageDeflate: true });
    expect([socket.protocol, socket.extensions]).toEqual([PROTOCOL, '']);
    expect(served.links).toHaveLength(1);
  });

  test('3.5.1: the sub-protocol may be one of several that are offered', async () => {
    const served = await serve();
    expect(await statusOf(served.port, '/tlv', `Sec-WebSocket-Protocol: mqtt, ${PROTOCOL}`)).toBe('101');
    expect(await statusOf(served.port, '/tlv?from=here', offer)).toBe('101');
  });

  test.each([
    ['another path', '404', 'wrong-path', '/mqtt', [offer]],
    ['no sub-protocol', '400', 'sub-protocol', '/tlv', []],
    ['another sub-protocol', '400', 'sub-protocol', '/tlv', ['Sec-WebSocket-Protocol: hashike.tlv.2']],
    ['a page of elsewhere', '403', 'origin', '/tlv', [offer, 'Origin: https://example.org']],
    ['a page without an origin', '403', 'origin', '/tlv', [offer, 'Origin: null']],
    ['another version of WebSocket', '400', 'no-websocket', '/tlv', [offer, 'Sec-WebSocket-Version: 7']],
  ])('%s gets %s and is counted', async (_name, status, reason, path, lines) => {
    const served = await serve();
    expect(await statusOf(served.port, path, ...lines)).toBe(status);
    await vi.waitFor(() => expect(served.drops(reason)).toBe(1));
    expect(served.links).toEqual([]);
    expect(served.log.texts('warn')).toEqual(['connections ended before they were WebSockets']);
  });

  test('origins: pages of the same host, and those that are named, may connect', async () => {
    const served = await serve({ origins: ['https://example.org'] });
    expect(await statusOf(served.port, '/tlv', offer, `Origin: http://127.0.0.1:${served.port}`)).toBe('101');
    expect(await statusOf(served.port, '/tlv', offer, 'Origin: https://example.org')).toBe('101');
    expect(await statusOf(served.port, '/tlv', offer, 'Origin: https://example.org:8443')).toBe('403');
    const open = await serve({ origins: ['*'] });
    expect(await statusOf(open.port, '/tlv', offer, 'Origin: null')).toBe('101');
  });

  test('requests that ask for no upgrade are answered and end', async () => {
    const served = await serve();
    expect((await fetch(`http://127.0.0.1:${served.port}/tlv`)).status).toBe(426);
    expect((await fetch(`http://127.0.0.1:${served.port}/`)).status).toBe(404);
    await vi.waitFor(() => expect(served.drops('no-websocket')).toBe(2));
  });

  test('a request that never ends is cut off in time', async () => {
    const served = await serve({ handshakeMs: 50 });
    const socket = raw(served.port).resume();
    socket.write('GET /tlv HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    await once(socket, 'close');
    await vi.waitFor(() => expect(served.drops('timeout')).toBe(1));
  });

  test('unfinished requests are bounded, and end makes room', async () => {
    const served = await serve({ unfinishedHandshakes: 2 });
    const waiting = [raw(served.port), raw(served.port)];
    await delay(50);
    await once(raw(served.port).resume(), 'close');
    expect(served.drops('too-many-handshakes')).toBe(1);
    for (const socket of waiting) socket.destroy();
    await vi.waitFor(() => expect(served.drops('no-websocket')).toBe(2));
    await served.open();
  });

  test('random bytes end each connection, and leave nothing behind', async () => {
    const served = await serve({ unfinishedHandshakes: 4 });
    for (let round = 0; round < 60; round += 1) {
      const socket = raw(served.port).resume();
      socket.end(systemRandom.bytes(1 + round * 7));
      await once(socket, 'close');
    }
    await served.open();
    expect(served.drops('no-websocket')).toBe(60);
    expect(served.log.texts('warn')).toHaveLength(1);
  });

  test('closing waits for no unfinished request', async () => {
    const served = await serve();
    const socket = raw(served.port).resume();
    await once(socket, 'connect');
    await delay(20);
    const before = performance.now();
    await served.close();
    expect(performance.now() - before).toBeLessThan(1500);
  });
});

describe('a WebSocket link', () => {
  test('3.5.2: a WebSocket message carries one message or several', async () => {
    const served = await serve();
    const socket = await served.open();
    socket.send(ping(1));
    socket.send(Buffer.concat([ping(2), ping(3), ping(4)]));
    await vi.waitFor(() => expect(served.links[0]?.frames).toHaveLength(4));
    const echoes = served.links[0]?.frames.map((bytes) => decodeMessage(bytes));
    expect(echoes).toMatchObject([{ echo: 1 }, { echo: 2 }, { echo: 3 }, { echo: 4 }]);
  });

  test('what is sent in one turn leaves in one WebSocket message, up to its limit', async () => {
    const served = await serve({ messageBytes: 65_532 });
    const socket = await served.open();
    const { messages } = listen(socket);
    const content = new Uint8Array(29_996);
    const big = encodeMessage({
      type: MessageType.CONNECT_TOKEN,
      timestamp: 0,
      token: new Uint8Array(1),
      confirm: false,
      will: { topic: 'w', retain: false, content: Uint8Array.of(0x80, 0, 0x75, 0x2c, ...content) },
      aliases: [],
    });
    const link = served.links[0]?.link;
    for (let count = 0; count < 3; count += 1) link?.send(big);
    await vi.waitFor(() => expect(messages).toHaveLength(2));
    expect(messages.map(({ length }) => length)).toEqual([2 * big.length, big.length]);
  });

  test.each([
    ['a text message', 'text', 1003, 'HSK-1102', Reason.PROTOCOL_ERROR],
    ['part of a message', ping(1).subarray(0, 15), 1002, 'HSK-1101', Reason.PROTOCOL_ERROR],
    ['what is no message', Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0), 1002, 'HSK-1102', Reason.PROTOCOL_ERROR],
    [
      'the head of one that is too long',
      Uint8Array.of(0, 0x22, 8, 0, 0, 0, 0, 0),
      1009,
      'HSK-1103',
      Reason.LIMIT,
    ],
  ])('3.5.3: %s is refused with its code, as the peer’s fault', async (_name, bytes, code, error, reason) => {
    const served = await serve();
    const socket = await served.open();
    const { messages, code: closeCode } = listen(socket);
    socket.send(bytes);
    expect(await closeCode).toBe(code);
    expect(messages.map((message) => decodeMessage(message))).toMatchObject([
      { type: MessageType.DISCONNECT, reason: { code: reason } },
    ]);
    await vi.waitFor(() => expect(served.links[0]?.closed).toMatchObject([{ code: error, fault: 'peer' }]));
  });

  test('3.5.2: a WebSocket message over the limit is not taken in', async () => {
    const served = await serve();
    const socket = await served.open();
    const { code } = listen(socket);
    socket.send(new Uint8Array(65_541));
    expect(await code).toBe(1009);
    await vi.waitFor(() => expect(served.links[0]?.closed).toMatchObject([{ code: 'HSK-1103' }]));
  });

  test('3.5.4: pings are answered', async () => {
    const served = await serve();
    const socket = await served.open();
    socket.ping('hello');
    const [data] = (await once(socket, 'pong')) as [Buffer];
    expect(data.toString()).toBe('hello');
  });

  test('a client that floods it with pings and reads nothing is cut off before it fills the memory', async () => {
    const served = await serve();
    const socket = await served.open();
    socket.pause();
    const payload = Buffer.alloc(125);
    while (served.links[0]?.closed.length === 0) {
      for (let count = 0; count < 500; count += 1) socket.ping(payload);
      await delay(0);
      expect(served.links[0].link.queuedBytes).toBeLessThan(100_000);
    }
    expect(served.links[0]?.closed).toMatchObject([{ code: 'HSK-2101' }]);
  });

  test('a peer that takes nothing is told of, and does not keep a closed link for ever', async () => {
    const served = await serve();
    const socket = await served.open();
    socket.pause();
    const link = served.links[0]?.link;
    let room = true;
    while (room) {
      room = link?.send(ping(1)) ?? false;
      if (room) await delay(0);
      for (let count = 0; room && count < 5000; count += 1) room = link?.send(ping(1)) ?? false;
    }
    expect(link?.queuedBytes).toBeGreaterThan(65_536);
    link?.close();
    await vi.waitFor(() => expect(served.links[0]?.closed).toEqual([undefined]), { timeout: 5000 });
  });

  test('3.5.4: a connection that is cut without a word ends the link with HSK-2101; one that is closed does not', async () => {
    const served = await serve();
    (await served.open()).terminate();
    (await served.open()).close(1001);
    (await served.open()).close();
    const causes = (): unknown => served.links.map(({ closed }) => closed.map((cause) => cause?.code));
    await vi.waitFor(() => expect(causes()).toEqual([['HSK-2101'], [undefined], [undefined]]));
  });

  test('whatever comes after the upgrade, the link ends, and only typed errors come of it', async () => {
    const served = await serve();
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 125 });
    const first = fc.constantFrom(0x82, 0x81, 0x02, 0x80, 0x00, 0x88, 0x89, 0x8a, 0xc2);
    const start = fc.constantFrom(ping(1), ping(1).subarray(0, 4), new Uint8Array(0));
    // A frame of the client is masked, here with zeros.
    const frame = fc.tuple(first, start, bytes).map(([type, head, rest]) => {
      const payload = Buffer.concat([head, rest]).subarray(0, 125);
      return Buffer.concat([Uint8Array.of(type, 0x80 | payload.length, 0, 0, 0, 0), payload]);
    });
    const soon = { timeout: 5000, interval: 2 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(bytes, frame), { maxLength: 5 }), async (chunks) => {
        const socket = raw(served.port).resume();
        socket.write(upgradeRequest(served.port, '/tlv', offer));
        const before = served.links.length;
        await vi.waitFor(() => expect(served.links).toHaveLength(before + 1), soon);
        for (const chunk of chunks) socket.write(chunk);
        socket.end();
        await vi.waitFor(() => expect(served.links.at(-1)?.closed).toHaveLength(1), soon);
        const [cause] = served.links.at(-1)?.closed ?? [];
        expect(['HSK-1101', 'HSK-1102', 'HSK-1103', 'HSK-2101', undefined]).toContain(cause?.code);
      }),
      { numRuns: 200 },
    );
    await served.open();
  });
});

const dial = (port: number, path = '/tlv'): Promise<Link> =>
  connectWebSocket({
    url: `ws://127.0.0.1:${port}${path}`,
    host: '127.0.0.1',
    port,
    messageBytes: 1024,
    timeoutMs: 300,
    clock: systemClock,
  });

describe('dialling', () => {
  test('a server that has something else there is a clear error', async () => {
    const served = await serve();
    const dialling = dial(served.port, '/mqtt');
    await expect(dialling).rejects.toMatchObject({ code: 'HSK-2106' });
    await expect(dialling).rejects.toThrow('404');
  });

  test('a server that does not answer is given up in time', async () => {
    const served = await serve();
    await served.close();
    await expect(dial(served.port)).rejects.toMatchObject({ code: 'HSK-2103' });
    const mute = createServer((socket) => void socket.on('error', () => undefined).resume());
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    cleanUp.push(() => void mute.close());
    const address = mute.address();
    const port = address && typeof address === 'object' ? address.port : 0;
    await expect(dial(port)).rejects.toMatchObject({ code: 'HSK-2106' });
  });
});
