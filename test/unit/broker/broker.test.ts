import { describe, expect, test } from 'vitest';
import { Counters } from '../../../src/base/counters.ts';
import { Access, trusted } from '../../../src/broker/access.ts';
import { Broker } from '../../../src/broker/broker.ts';
import type { Delivery, Subscriber } from '../../../src/broker/ports.ts';
import type { Publication } from '../../../src/wire/publication.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { MemorySpool } from '../../support/memory-spool.ts';
import { publicationOf } from '../../support/publications.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const by = trusted('tests');

class Listener implements Subscriber {
  readonly clientId: string;
  readonly queue: string | undefined;
  readonly got: Delivery[] = [];

  constructor(clientId: string, queue?: string) {
    this.clientId = clientId;
    this.queue = queue;
  }

  deliver(delivery: Delivery): void {
    this.got.push(delivery);
  }
}

function setUp(lastValues = 100) {
  const spool = new MemorySpool();
  const clock = new VirtualClock();
  const access = new Access([clientConfig('pump'), clientConfig('fleet', { shared: true })]);
  const counters = new Counters();
  const broker = new Broker({
    access,
    spool,
    clock,
    counters,
    limits: { lastValues, retainedMessages: 100, retainedBytes: 100_000 },
  });
  return { spool, clock, broker, counters };
}

const on = (topic: string, more: Partial<Publication> = {}): Publication =>
  publicationOf(1, { topic, ...more });

describe('the broker', () => {
  test('5.5.2: a subscriber gets a message once, reliably if one of its matching filters is', async () => {
    const { broker } = setUp();
    const listener = new Listener('a');
    broker.subscribe('t/#', listener, by, { reliable: false });
    broker.subscribe('t/+', listener, by, { reliable: true });
    await broker.publish(on('t/1'), by);
    await broker.publish(on('t/1', { reliable: false }), by);
    await broker.publish(on('t/1/2'), by);
    expect(listener.got.map(({ reliable }) => reliable)).toEqual([true, false, false]);
  });

  test('a cancelled subscription gets nothing more, also of a topic that was routed before', async () => {
    const { broker } = setUp();
    const listener = new Listener('a');
    const subscription = broker.subscribe('t', listener, by, { reliable: true });
    await broker.publish(on('t'), by);
    subscription.cancel();
    subscription.cancel();
    await broker.publish(on('t'), by);
    expect(listener.got).toHaveLength(1);
  });

  test('a bridge does not get back what it brought, and another one does', async () => {
    const { broker, spool } = setUp();
    broker.addDurable({ consumer: 'mqtt', except: 'mqtt' }).add('#');
    broker.addDurable({ consumer: 'other', except: 'other' }).add('#');
    await broker.publish(on('t', { origin: { clientId: 'mqtt' } }), by);
    expect([spool.kept('mqtt').length, spool.kept('other').length]).toEqual([0, 1]);
  });

  test('overlapping filters of a durable consumer keep a message once', async () => {
    const { broker, spool } = setUp();
    const queue = broker.addDurable({ consumer: 'mqtt' });
    queue.add('#');
    queue.add('t/+');
    await broker.publish(on('t/1'), by);
    expect(spool.kept('mqtt')).toHaveLength(1);
    queue.remove('#');
    await broker.publish(on('u'), by);
    queue.cancel();
    await broker.publish(on('t/1'), by);
    expect(spool.kept('mqtt')).toHaveLength(1);
  });

  test('a client’s queue takes what is reliable in place of its session; best effort goes to the session', async () => {
    const { broker, spool } = setUp();
    const session = new Listener('node', 'client/node');
    const observer = new Listener('node');
    broker.addDurable({ consumer: 'client/node', reliableOnly: true }).add('set');
    for (const each of [session, observer]) broker.subscribe('set', each, by, { reliable: true });
    await broker.publish(on('set'), by);
    await broker.publish(on('set', { reliable: false }), by);
    expect(session.got.map(({ reliable }) => reliable)).toEqual([false]);
    expect(observer.got.map(({ reliable }) => reliable)).toEqual([true, false]);
    expect(spool.kept('client/node')).toHaveLength(1);
  });

  test('publications of one MESSAGE_ID are one transaction with one mark, in order', async () => {
    const { broker, spool } = setUp();
    broker.addDurable({ consumer: 'mqtt' }).add('#');
    const appended: unknown[] = [];
    const append = spool.append.bind(spool);
    spool.append = (records, mark) => {
      appended.push([records.length, mark?.received]);
      return append(records, mark);
    };
    const origin = { clientId: 'node', sessionId: '0102030405060708', messageId: 9 };
    await broker.publishAll(
      [0, 1, 2].map((part) => on(`t/${part}`, { origin: { ...origin, part } })),
      by,
    );
    expect(appended).toEqual([[3, 9]]);
    expect(spool.kept('mqtt').map(({ publication }) => publication.topic)).toEqual(['t/0', 't/1', 't/2']);
  });

  test('if one of them is not allowed none is published', async () => {
    const { broker } = setUp();
    const listener = new Listener('a');
    broker.subscribe('#', listener, by, { reliable: true });
    const some = { clientId: 'x', mayPublish: (topic: string) => topic !== 'no', maySubscribe: () => false };
    await expect(broker.publishAll([on('yes'), on('no')], some)).rejects.toMatchObject({ code: 'HSK-3001' });
    expect(listener.got).toEqual([]);
    expect(() => broker.subscribe('#', listener, some, { reliable: true })).toThrow(
      expect.objectContaining({ code: 'HSK-3001' }),
    );
    expect(() => broker.lastValue('yes', some)).toThrow(expect.objectContaining({ code: 'HSK-3001' }));
  });

  test('malformed topics and filters are refused, whatever was asked of them before', async () => {
    const { broker } = setUp();
    expect(() => broker.isDurable('a/+')).toThrow(expect.objectContaining({ code: 'HSK-1201' }));
    expect(() => broker.wouldWait('')).toThrow(expect.objectContaining({ code: 'HSK-1201' }));
    await expect(broker.publish(on('a/+'), by)).rejects.toMatchObject({ code: 'HSK-1201' });
    expect(() => broker.subscribe('a/#/b', new Listener('a'), by, { reliable: true })).toThrow(
      expect.objectContaining({ code: 'HSK-1202' }),
    );
  });

  test('wouldWait tells whether a queue behind the topic is full', () => {
    const { broker, spool } = setUp();
    broker.addDurable({ consumer: 'mqtt' }).add('up/#');
    spool.full.add('mqtt');
    expect([broker.wouldWait('up/1'), broker.wouldWait('local')]).toEqual([true, false]);
    expect([broker.isDurable('up/1'), broker.isDurable('local')]).toEqual([true, false]);
  });

  test('the newest value of a topic is kept for as many topics as the limit says, until it expires', async () => {
    const { broker, clock } = setUp(2);
    await broker.publish(on('a', { expiresAt: clock.wall() + 1000 }), by);
    await broker.publish(on('b'), by);
    expect(broker.lastValue('a', by)?.topic).toBe('a');
    clock.advance(1000);
    expect(broker.lastValue('a', by)).toBeUndefined();
    await broker.publish(on('c'), by);
    expect([broker.lastValue('b', by)?.topic, broker.lastValue('c', by)?.topic]).toEqual(['b', 'c']);
  });

  test('keeps no last value where nobody asks for one, and delivers all the same', async () => {
    const { broker } = setUp(0);
    const listener = new Listener('a');
    broker.subscribe('#', listener, by, { reliable: true });
    await broker.publish(on('a'), by);
    expect(broker.lastValue('a', by)).toBeUndefined();
    expect(listener.got).toHaveLength(1);
  });

  test('a shared token is nobody where no name can be told', () => {
    const { broker } = setUp();
    expect(broker.authenticate(new TextEncoder().encode('pump'))?.clientId).toBe('pump');
    expect(broker.authenticate(new TextEncoder().encode('fleet'))).toBeUndefined();
  });
});
