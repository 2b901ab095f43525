import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Counters } from '../../../src/base/counters.ts';
import { Access } from '../../../src/broker/access.ts';
import { Broker } from '../../../src/broker/broker.ts';
import { ClientQueues } from '../../../src/broker/client-queues.ts';
import { FEED_WINDOW } from '../../../src/broker/durable-feed.ts';
import { QueueBound } from '../../../src/broker/queue-bound.ts';
import { clientConfig, demolish, openHouse } from '../../support/broker-house.ts';
import { MemoryConsumer } from '../../support/memory-consumer.ts';
import { publicationOf } from '../../support/publications.ts';
import { RecordingLog } from '../../support/recording-log.ts';
import { openTempSpool, readAll, type TempSpool } from '../../support/temp-spool.ts';

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function add(consumer: MemoryConsumer, count: number): void {
  consumer.append(...numbers(1, count).map((number) => publicationOf(number)));
}

function bound(consumer: MemoryConsumer, maxMessages: number) {
  const state = { dropped: 0, failures: [] as unknown[] };
  new QueueBound({
    consumer,
    maxMessages,
    dropped: (count) => (state.dropped += count),
    failed: (error) => state.failures.push(error),
  }).keep();
  return state;
}

describe('the queue of a client on disk is bounded', () => {
  test('in messages: the oldest go, but for those that may be on their way', async () => {
    const consumer = new MemoryConsumer();
    const state = bound(consumer, 100);
    add(consumer, 100);
    await turns();
    expect([state.dropped, consumer.depth.messages]).toEqual([0, 100]);
    add(consumer, 1);
    await turns();
    expect(state.dropped).toBe(32);
    expect(consumer.seqs).toEqual([...numbers(1, FEED_WINDOW), ...numbers(FEED_WINDOW + 33, 101)]);
  });

  test('in bytes: to half of the quota, so that there is always room', async () => {
    const consumer = new MemoryConsumer();
    consumer.maxBytes = 10_000;
    const state = bound(consumer, 1000);
    add(consumer, 51);
    await turns();
    expect([state.dropped, consumer.depth.bytes <= 5000]).toEqual([19, true]);
  });

  test('in bytes, where a few are that large: the newest goes, and one always stays', async () => {
    const consumer = new MemoryConsumer();
    consumer.maxBytes = 100;
    const state = bound(consumer, 1000);
    add(consumer, 3);
    await turns();
    expect([state.dropped, consumer.seqs]).toEqual([2, [1]]);
  });

  test('also what lies there from before', async () => {
    const consumer = new MemoryConsumer();
    add(consumer, 1000);
    const state = bound(consumer, 100);
    await turns();
    expect(state.dropped).toBe(928);
    expect(consumer.seqs).toContain(1000);
  });

  test('and a disk that fails is said, and tried again with the next message', async () => {
    const consumer = new MemoryConsumer();
    const state = bound(consumer, 100);
    consumer.failure = new Error('disk');
    add(consumer, 101);
    await turns();
    expect(state.failures).toEqual([consumer.failure]);
    consumer.failure = undefined;
    add(consumer, 1);
    await turns();
    expect(consumer.depth.messages).toBeLessThanOrEqual(100);
  });
});

describe('commands for two clients, one of which never comes', () => {
  const cloud = { clientId: 'cloud', mayPublish: () => true, maySubscribe: () => true };

  function open(temp: TempSpool, queuedPerClient: number) {
    const counters = new Counters();
    const log = new RecordingLog();
    const common = { spool: temp.spool, clock: systemClock, counters, log };
    const broker = new Broker({
      ...common,
      access: new Access([]),
      limits: { lastValues: 10, retainedMessages: 100, retainedBytes: 100_000 },
    });
    const queues = new ClientQueues({ ...common, broker, limits: { queuedPerClient } });
    for (const name of ['away', 'here']) queues.of(name, [`${name}/#`]);
    const command = (name: string, number: number): Promise<void> =>
      broker.publish(publicationOf(number, { topic: `${name}/set` }), cloud);
    return { command, counters, log };
  }

  test.each([
    ['messages', 100, 1_000_000],
    ['bytes', 10_000, 16_384],
  ])(
    '5.5.4: go on for the other when its queue is full in %s',
    async (_, queuedPerClient, maxBytesPerConsumer) => {
      await using temp = await openTempSpool({ limits: { maxBytesPerConsumer } });
      const { command, counters, log } = open(temp, queuedPerClient);
      for (let number = 1; number <= 1000; number += 1) {
        // As the upstream's commands come: some at once, and acknowledged in order.
        await Promise.all([command('away', number), number % 20 === 0 ? command('here', number) : undefined]);
      }
      const here = await readAll(temp.spool.consumer('client/here'));
      expect(here).toHaveLength(50);
      const away = (await readAll(temp.spool.consumer('client/away'))).map(
        ({ publication }) => publication.origin.messageId,
      );
      expect(away.slice(0, FEED_WINDOW)).toEqual(numbers(1, FEED_WINDOW));
      expect(away.at(-1)).toBe(1000);
      expect(counters.drops('client-queue', 'queue-full').value).toBe(1000 - away.length);
      expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    },
  );
});

test('the queue of a client is free while it has no session, and the client has what it acknowledged', async () => {
  const profiles = { node: { contents: [], aliases: [], commands: ['{client}/set'] } };
  const house = await openHouse({ clients: [clientConfig('node', { profile: 'node' })], profiles });
  try {
    const queue = house.connections.queueOf('node');
    expect([queue?.free, queue?.covers('node/set'), queue?.covers('node/other')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(house.connections.queueOf('nobody')).toBeUndefined();
    const client = await house.client('node');
    expect(queue?.free).toBe(false);
    const free = new Promise<void>((resolve) => queue?.onNews(resolve));
    await client.close();
    await free;
    expect(queue?.free).toBe(true);
  } finally {
    await house.stop();
    await demolish(house);
  }
});
