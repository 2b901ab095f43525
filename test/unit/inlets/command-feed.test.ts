import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { ClientQueue } from '../../../src/broker/client-queues.ts';
import { CommandFeed } from '../../../src/inlets/command-feed.ts';
import { CommandDevice, commandOf, turns } from '../../support/command-devices.ts';
import { MemoryConsumer } from '../../support/memory-consumer.ts';
import { RecordingLog } from '../../support/recording-log.ts';

const noFilters = { add: () => undefined, remove: () => undefined, cancel: () => undefined };

let consumer: MemoryConsumer;
let queue: ClientQueue;
let feed: CommandFeed;

beforeEach(() => {
  consumer = new MemoryConsumer();
  queue = new ClientQueue(consumer, noFilters, ['node/#']);
  feed = new CommandFeed({ queue, log: silentLog });
});

async function append(...numbers: readonly number[]): Promise<void> {
  consumer.append(...numbers.map((number) => commandOf(number)));
  await turns();
}

describe('commands that wait on disk', () => {
  test('go one at a time and in order, and each is deleted when it was acknowledged', async () => {
    await append(1, 2);
    const device = new CommandDevice().attach(feed);
    await append(3);
    expect([device.sent, consumer.seqs]).toEqual([[1], [1, 2, 3]]);
    await device.settle();
    expect([device.sent, consumer.seqs]).toEqual([
      [1, 2],
      [2, 3],
    ]);
    await device.settle();
    await device.settle();
    await append(4);
    expect([device.sent, consumer.seqs]).toEqual([[1, 2, 3, 4], [4]]);
  });

  test('that were not acknowledged come again at the next registration, and no others', async () => {
    await append(1, 2, 3);
    const device = new CommandDevice().attach(feed);
    await turns();
    await device.settle();
    await device.leave();
    expect(consumer.seqs).toEqual([2, 3]);
    device.attach(feed);
    await turns();
    await device.settle();
    await device.settle();
    expect([device.sent, consumer.seqs]).toEqual([[1, 2, 2, 3], []]);
  });

  test('that are deleted while an earlier one, read together with them, is on its way do not go again', async () => {
    consumer.append(commandOf(1, 'node/mode'));
    const device = new CommandDevice().attach(feed);
    await append(2);
    // Its command lies before the one that is on its way: the queue is read from the start again.
    const other = new CommandDevice('node/mode').attach(feed);
    const disk = Promise.withResolvers<undefined>();
    consumer.beforeDiscard = () => disk.promise;
    await device.settle();
    expect(other.pending).toBe(1);
    disk.resolve(undefined);
    await turns();
    await other.settle();
    expect([device.sent, other.sent, consumer.seqs]).toEqual([[2], [1], []]);
  });

  test('that can never be sent to this device hold up nothing', async () => {
    await append(1, 2);
    const device = new CommandDevice().attach(feed);
    await turns();
    await device.settle('undeliverable');
    expect([device.pending, consumer.seqs]).toEqual([2, [2]]);
  });

  test('of topics that nobody observes stay, and hold up nothing', async () => {
    for (let number = 1; number <= 300; number += 2) {
      consumer.append(commandOf(number, 'node/other'), commandOf(number + 1));
    }
    const device = new CommandDevice().attach(feed);
    for (let index = 0; index < 150; index += 1) {
      await turns();
      await device.settle();
    }
    expect(device.sent).toEqual(Array.from({ length: 150 }, (_, index) => 2 * index + 2));
    expect(consumer.depth.messages).toBe(150);
    const other = new CommandDevice('node/other').attach(feed);
    await turns();
    expect(other.sent).toEqual([1]);
  });

  test('keep their order over the topics of one client', async () => {
    const [set, mode] = [new CommandDevice().attach(feed), new CommandDevice('node/mode').attach(feed)];
    consumer.append(commandOf(1), commandOf(2, 'node/mode'), commandOf(3));
    await turns();
    expect([set.sent, mode.sent]).toEqual([[1], []]);
    await set.settle();
    expect([set.sent, mode.sent]).toEqual([[1], [2]]);
    await mode.settle();
    expect([set.sent, mode.sent]).toEqual([[1, 3], [2]]);
  });

  test('are not sent again while their deletion is on its way', async () => {
    const disk = Promise.withResolvers<void>();
    consumer.beforeDiscard = () => disk.promise;
    await append(1);
    const device = new CommandDevice().attach(feed);
    await turns();
    await device.settle();
    await device.leave();
    device.attach(feed);
    await turns();
    expect([device.sent, consumer.seqs]).toEqual([[1], [1]]);
    disk.resolve();
    await turns();
    expect(consumer.seqs).toEqual([]);
  });

  test('whose deletion failed are deleted with the next one, and never sent again', async () => {
    const log = new RecordingLog();
    feed = new CommandFeed({ queue, log });
    await append(1, 2);
    const device = new CommandDevice().attach(feed);
    await turns();
    consumer.failure = new Error('disk');
    await device.settle();
    expect(log.lines.map(({ level }) => level)).toEqual(['error']);
    consumer.failure = undefined;
    await device.leave();
    device.attach(feed);
    await turns();
    await device.settle();
    expect([device.sent, consumer.seqs]).toEqual([[1, 2, 2], []]);
  });

  test('are read again when reading failed', async () => {
    consumer.failure = new Error('disk');
    await append(1);
    const device = new CommandDevice().attach(feed);
    await turns();
    consumer.failure = undefined;
    feed.pump();
    await turns();
    expect(device.sent).toEqual([1]);
  });
});

describe('several devices that observe one topic of a client', () => {
  test('the newest has the commands, and after it the one before', async () => {
    const [first, second] = [new CommandDevice().attach(feed), new CommandDevice().attach(feed)];
    await append(1, 2);
    await second.settle();
    await second.leave();
    expect([first.sent, second.sent]).toEqual([[2], [1, 2]]);
  });

  test('what a device was sent before it came back at another address is not waited for', async () => {
    const before = new CommandDevice('node/set', 'a').attach(feed);
    await append(1);
    const after = new CommandDevice('node/set', 'b').attach(feed);
    await turns();
    await after.settle();
    await before.settle();
    expect([before.sent, after.sent, consumer.seqs]).toEqual([[1], [1], []]);
  });

  test('at the same address the first is waited for, as it answers in any case', async () => {
    const first = new CommandDevice().attach(feed);
    await append(1);
    const second = new CommandDevice().attach(feed);
    await turns();
    expect(second.sent).toEqual([]);
    await first.settle();
    expect([second.sent, consumer.seqs]).toEqual([[], []]);
  });
});

describe('a client with a session', () => {
  const session = {};

  test('gets its commands there, and by the feed when the session is over', async () => {
    queue.take(session);
    const device = new CommandDevice().attach(feed);
    await append(1, 2);
    expect(device.sent).toEqual([]);
    // What the session acknowledged is deleted before the queue is free.
    const deleted = Promise.withResolvers<void>();
    queue.released = deleted.promise;
    const left = queue.leave(session);
    await turns();
    expect(device.sent).toEqual([]);
    await consumer.acknowledge(1);
    deleted.resolve();
    await left;
    await turns();
    expect(device.sent).toEqual([2]);
  });

  test('that begins stops the feed after the command that is on its way', async () => {
    const device = new CommandDevice().attach(feed);
    await append(1, 2);
    queue.take(session);
    await device.settle();
    expect([device.sent, consumer.seqs]).toEqual([[1], [2]]);
  });

  test('that is replaced by a new one does not free the queue', async () => {
    queue.take(session);
    const left = queue.leave(session);
    queue.take({});
    await left;
    expect(queue.free).toBe(false);
  });
});

test('closing sends nothing more and waits for what is on its way', async () => {
  const device = new CommandDevice().attach(feed);
  await append(1, 2);
  let closed = false;
  const closing = feed.close().then(() => (closed = true));
  await turns();
  expect(closed).toBe(false);
  await device.settle();
  await closing;
  expect([device.sent, consumer.seqs]).toEqual([[1], [2]]);
  await feed.close();
});
