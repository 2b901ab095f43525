import { randomBytes } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import {
  type ClientSubscription,
  contentSections,
  encodeContent,
  type HashikeClient,
} from '../../src/client/index.ts';
import { connectTcp } from '../../src/links/tcp-client.ts';
import { decodeMessage, encodeMessage } from '../../src/wire/long-form.ts';
import type { ConnackSuccess, Message } from '../../src/wire/message.ts';
import { MessageType, Reason } from '../../src/wire/numbers.ts';
import { clientConfig, demolish, type House, type HouseOptions, openHouse } from '../support/broker-house.ts';
import { connectResume, connectToken, publish, subscribe } from '../support/peer.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { readAll } from '../support/temp-spool.ts';

const clients = [clientConfig('a'), clientConfig('b'), clientConfig('c')];
const cleanUp: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

async function house(options: Partial<HouseOptions> = {}): Promise<House> {
  const made = await openHouse({ clients, ...options });
  cleanUp.push(() => demolish(made));
  cleanUp.push(() => made.stop());
  return made;
}

async function client(
  at: House,
  name: string,
  options: Parameters<House['client']>[1] = {},
): Promise<HashikeClient> {
  const made = await at.client(name, options);
  cleanUp.push(() => made.close());
  return made;
}

const number = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return encodeContent([{ contentType: 0x8001, value: bytes }]);
};

const valueOf = (content: Uint8Array): number => {
  const [section] = contentSections(content);
  return section ? new DataView(section.value.buffer, section.value.byteOffset).getUint32(0) : Number.NaN;
};

async function take(subscription: ClientSubscription, count: number): Promise<number[]> {
  const values: number[] = [];
  while (values.length < count) {
    const { value } = await subscription.next();
    if (!value) break;
    values.push(valueOf(value.content));
  }
  return values;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** A connection without a client: says what the test wants. */
async function bare(
  port: number,
  first: Message,
): Promise<{ messages: Message[]; say(message: Message): void; cut(): void }> {
  const socket = connectSocket(port, '127.0.0.1');
  cleanUp.push(() => void socket.destroy());
  socket.on('error', () => undefined);
  const messages: Message[] = [];
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 8 && rest.length >= 8 + rest.readUInt16BE(2)) {
      const length = 8 + rest.readUInt16BE(2);
      messages.push(decodeMessage(new Uint8Array(rest.subarray(0, length))));
      rest = rest.subarray(length);
    }
  });
  socket.write(encodeMessage(first));
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), { timeout: 5000 });
  return {
    messages,
    say: (message) => void socket.write(encodeMessage(message)),
    cut: () => void socket.resetAndDestroy(),
  };
}

describe('clients over TCP', () => {
  test('a publish reaches those whose filters match, and nobody else', async () => {
    const at = await house();
    const a = await client(at, 'a');
    const b = await client(at, 'b');
    const garden = await b.subscribe('garden/+/temperature');
    const all = await a.subscribe('#');
    await a.publish('garden/north/temperature', number(1));
    await a.publish('cellar/temperature', number(2));
    await a.publish('garden/south/temperature', number(3), { reliable: false });
    expect(await take(garden, 2)).toEqual([1, 3]);
    expect(await take(all, 3)).toEqual([1, 2, 3]);
  });

  test('a wrong token is refused after the delay, and so is a topic that is not allowed', async () => {
    const at = await house({
      clients: [clientConfig('a', { publish: ['a/#'], subscribe: [] })],
      limits: { wrongTokenDelayMs: 50 },
    });
    await expect(client(at, 'nobody')).rejects.toMatchObject({ code: 'HSK-3101' });
    const a = await client(at, 'a');
    await a.publish('a/1', number(1));
    await expect(a.publish('b/1', number(1))).rejects.toMatchObject({ code: 'HSK-3103' });
    await expect(a.subscribe('a/#')).rejects.toMatchObject({ code: 'HSK-3103' });
    await a.publish('a/2', number(2));
  });

  test('what was published right before close still arrives', async () => {
    const at = await house();
    const reader = await client(at, 'b');
    const subscription = await reader.subscribe('t');
    for (let value = 0; value < 20; value += 1) {
      const hasty = await at.client('a');
      await hasty.publish('t', number(value), { reliable: false });
      await hasty.close();
      expect(hasty.connected).toBe(false);
    }
    expect(await take(subscription, 20)).toEqual(upTo(20));
  });

  test('connecting where nothing listens is a clear error', async () => {
    const at = await house();
    await at.stop();
    await expect(client(at, 'a')).rejects.toMatchObject({ code: 'HSK-2103' });
  });

  test('a reliable publish resolves when it is on disk', async () => {
    const at = await house({ forward: ['up/#'] });
    const a = await client(at, 'a');
    await a.publish('up/1', number(1));
    const records = await readAll(at.spool.consumer('bridge'));
    expect(records.map(({ publication }) => valueOf(publication.content))).toEqual([1]);
  });

  test('cut at any byte, in either direction: every reliable message arrives once and in order', async () => {
    const at = await house({ forward: ['up/#'] });
    const cut = fc.record({ up: fc.integer({ min: 1, max: 2500 }), down: fc.integer({ min: 1, max: 2500 }) });
    let run = 0;
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 3 }), async (places) => {
        run += 1;
        const topic = `up/${run}`;
        // The first connection is made before anything is cut, so that `connect` succeeds.
        const first = { up: (places[0]?.up ?? 0) + 200, down: (places[0]?.down ?? 0) + 200 };
        const proxy = await TcpProxy.open(at.port, [first, ...places.slice(1)]);
        const publisher = await at.client('a', { port: proxy.port });
        const reader = await at.client('b');
        try {
          const subscription = await reader.subscribe(topic);
          const own = await publisher.subscribe(topic);
          const sent = upTo(60).map((value) => publisher.publish(topic, number(value)));
          await Promise.all(sent);
          expect(await take(subscription, 60)).toEqual(upTo(60));
          expect(await take(own, 60)).toEqual(upTo(60));
        } finally {
          await publisher.close();
          await reader.close();
          cuts += proxy.cuts;
          await proxy.close();
        }
        const kept = (await readAll(at.spool.consumer('bridge')))
          .filter(({ publication }) => publication.topic === topic)
          .map(({ publication }) => valueOf(publication.content));
        expect(kept).toEqual(upTo(60));
      }),
      { numRuns: 12, endOnFailure: true, timeout: 10_000 },
    );
    expect(cuts).toBeGreaterThan(6);
  });

  test('the broker is restarted on its disk: what had arrived is not sent again, the rest is', async () => {
    const before = await openHouse({ clients, forward: ['up/#'] });
    const proxy = await TcpProxy.open(before.port);
    const raw = await bare(proxy.port, connectToken('a'));
    const connack = raw.messages[0] as ConnackSuccess;
    for (let id = 1; id <= 5; id += 1) raw.say(publish('up/1', id));
    await vi.waitFor(() =>
      expect(raw.messages.at(-1)).toMatchObject({ type: MessageType.ACK, messageId: 5 }),
    );
    await proxy.close();
    await before.stop();
    const at = await house({ forward: ['up/#'], directory: before.directory });
    const again = await bare(at.port, connectResume(connack));
    expect(again.messages).toMatchObject([
      { type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 5 },
    ]);
  });

  test('a client goes on over a restart of the broker, on the same port', async () => {
    const before = await openHouse({ clients, forward: ['up/#'] });
    let port = before.port;
    const a = await before.client('a', {
      dial: () =>
        connectTcp({ host: '127.0.0.1', port, messageBytes: 65_532, timeoutMs: 1000, clock: systemClock }),
    });
    cleanUp.push(() => a.close());
    const subscription = await a.subscribe('up/#');
    await a.publish('up/1', number(0));
    await before.stop();
    const waiting = [1, 2, 3].map((value) => a.publish('up/1', number(value)));
    const at = await house({ forward: ['up/#'], directory: before.directory });
    port = at.port;
    await Promise.all(waiting);
    expect(await take(subscription, 4)).toEqual([0, 1, 2, 3]);
    const kept = await readAll(at.spool.consumer('bridge'));
    expect(kept.map(({ publication }) => valueOf(publication.content))).toEqual([0, 1, 2, 3]);
  });

  test('a connection that resumes takes the session over', async () => {
    const at = await house();
    const first = await bare(at.port, connectToken('a'));
    first.say(subscribe(1, ['t']));
    const second = await bare(at.port, connectResume(first.messages[0] as ConnackSuccess));
    expect(second.messages[0]).toMatchObject({ type: MessageType.CONNACK_RESUMED, messageId: 1 });
    await vi.waitFor(() =>
      expect(first.messages.at(-1)).toMatchObject({
        type: MessageType.DISCONNECT,
        reason: { code: Reason.TAKEN_OVER },
      }),
    );
  });

  test('a slow consumer is sent away, and does not slow another', async () => {
    const at = await house({ limits: { sendQueueBytes: 65_536 } });
    const slow = await bare(at.port, connectToken('a'));
    slow.say(subscribe(1, ['t']));
    await vi.waitFor(() => expect(slow.messages.at(-1)?.type).toBe(MessageType.ACK));
    const quick = await client(at, 'b');
    const publisher = await client(at, 'c');
    const subscription = await quick.subscribe('t');
    const content = encodeContent([{ contentType: 0x8001, value: new Uint8Array(1000) }]);
    // It never acknowledges.
    const reading = (async () => {
      let count = 0;
      for await (const _ of subscription) if ((count += 1) === 200) return count;
      return count;
    })();
    for (let index = 0; index < 200; index += 1) await publisher.publish('t', content);
    expect(await reading).toBe(200);
    expect(slow.messages.at(-1)).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.SLOW_CONSUMER },
    });
    expect(at.counters.counter('slow_consumers').value).toBe(1);
  });

  test('a reader that does not read holds its server back, and loses nothing reliable', async () => {
    const at = await house();
    const reader = await client(at, 'a', { receiveQueue: 8 });
    const publisher = await client(at, 'b');
    const subscription = await reader.subscribe('t');
    for (let value = 0; value < 100; value += 1) await publisher.publish('t', number(value));
    await delay(50);
    expect(await take(subscription, 100)).toEqual(upTo(100));
  });

  test('random bytes on the port: a clear log line, and everybody else goes on', async () => {
    const log = new RecordingLog();
    const at = await house({ log });
    const a = await client(at, 'a');
    const subscription = await a.subscribe('t');
    for (let round = 0; round < 40; round += 1) {
      const socket = connectSocket(at.port, '127.0.0.1');
      socket.on('error', () => undefined);
      // Half of them begin like a message.
      const head = round % 2 === 0 ? [] : [0, 1 + (round % 3), 0, 4 * (round % 7), 0, 0, 0, 0];
      socket.end(Buffer.concat([Buffer.from(head), randomBytes(1 + round * 3)]));
    }
    for (let value = 0; value < 20; value += 1) await a.publish('t', number(value));
    expect(await take(subscription, 20)).toEqual(upTo(20));
    await vi.waitFor(() => expect(at.connections.describe()).toHaveLength(1));
    const warned = log.texts('warn');
    expect(warned).toContain('peers sent what is no message of the protocol');
    expect(log.texts('error')).toEqual([]);
  });

  test('stopping tells the clients, and a client that closes ends its session', async () => {
    const at = await house();
    const raw = await bare(at.port, connectToken('a'));
    const b = await client(at, 'b');
    await b.close();
    await vi.waitFor(() => expect(at.connections.describe()).toMatchObject([{ client: 'a' }]));
    await at.stop();
    await vi.waitFor(() =>
      expect(raw.messages.at(-1)).toMatchObject({
        type: MessageType.DISCONNECT,
        reason: { code: Reason.SHUTTING_DOWN },
      }),
    );
  });
});
