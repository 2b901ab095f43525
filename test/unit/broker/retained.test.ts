import { describe, expect, test } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import type { Publish } from '../../../src/wire/message.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { connectResume, type Peer, publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';

const clients = [clientConfig('a'), clientConfig('b')];
const empty = new Uint8Array(0);

function retain(topic: string, messageId: number | undefined, more: Partial<Publish> = {}): Publish {
  return publish(topic, messageId, { retain: true, ...more });
}

/** What a client was delivered: topic, the byte in its content, and whether it is marked RETAIN. */
function delivered(peer: Peer): readonly (readonly [string | undefined, number | undefined, boolean])[] {
  return peer
    .heard(MessageType.PUBLISH)
    .map(({ topic, content, retain: marked }) => [topic, content[4], marked]);
}

describe('retained messages', () => {
  test('5.9.3: a new subscription first gets what is retained, marked RETAIN, once however many filters match', async () => {
    const served = await ServedBroker.open({ clients });
    const a = await served.connected('a');
    await a.peer.say(retain('t/1', 1), retain('t/2', 2), retain('t/1', 3), publish('t/3', 4));
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['t/+', 't/1', '#']));
    expect(delivered(b.peer)).toEqual([
      ['t/2', 2, true],
      ['t/1', 3, true],
    ]);
    expect(b.peer.heard(MessageType.PUBLISH)).toMatchObject([
      { messageId: 1, clientId: 'a' },
      { messageId: 2, clientId: 'a' },
    ]);
    await served.pass(20);
    expect(b.peer.heard(MessageType.ACK)).toMatchObject([{ messageId: 1 }]);
  });

  test('5.9.3: who had subscribed before gets it unmarked, and nothing again for what is in force', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(subscribe(1, ['t']), retain('t', 2), subscribe(3, ['t']), subscribe(4, ['t'], true));
    expect(delivered(peer)).toEqual([['t', 2, false]]);
    await peer.say(subscribe(5, ['+']));
    expect(delivered(peer)).toEqual([
      ['t', 2, false],
      ['t', 2, true],
    ]);
  });

  test('5.9.2: a publish without content clears', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(retain('t', 1), retain('t', 2, { content: empty }), subscribe(3, ['t']));
    expect(delivered(peer)).toEqual([]);
    expect(served.spool.retained.size).toBe(0);
  });

  test('5.9.4: reliable is what was published and subscribed so', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(retain('t/1', 1), retain('t/2', undefined), subscribe(2, ['t/+']));
    await peer.say(subscribe(3, ['#'], true));
    expect(peer.heard(MessageType.PUBLISH).map(({ topic, messageId }) => [topic, messageId])).toEqual([
      ['t/1', 1],
      ['t/2', undefined],
      ['t/1', undefined],
      ['t/2', undefined],
    ]);
  });

  test('5.9.1: a reliable one is acknowledged when it is on disk, and there after a restart', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    served.spool.held = true;
    await peer.say(retain('t', 1));
    await served.pass(1000);
    expect(peer.heard(MessageType.ACK)).toEqual([]);
    served.spool.commit();
    await settle();
    await served.pass(0);
    expect(peer.heard(MessageType.ACK)).toMatchObject([{ messageId: 1 }]);
    const next = await served.restart();
    next.spool.held = false;
    const b = await next.connected('b');
    await b.peer.say(subscribe(1, ['#']));
    expect(delivered(b.peer)).toEqual([['t', 1, true]]);
  });

  test('5.9.1: best-effort ones of a topic wait for the disk one at a time, the newest wins', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    served.spool.held = true;
    for (let value = 1; value < 100; value += 1) {
      await peer.say(retain('t', undefined, { content: new Uint8Array([0x80, 0, 0, 1, value, 0, 0, 0]) }));
    }
    expect(served.spool.waiting).toBe(1);
    served.spool.commit();
    await settle();
    expect(served.spool.waiting).toBe(1);
    served.spool.commit();
    await settle();
    expect(served.spool.waiting).toBe(0);
    expect(served.spool.retained.get('t')?.content[4]).toBe(99);
  });

  test('5.9.1: when the disk fails the publisher keeps its message', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    served.spool.failure = new HashikeError('HSK-2205', 'the disk is full');
    await peer.say(retain('best', undefined), retain('t', 1));
    expect(peer.heard(MessageType.ACK)).toEqual([]);
    expect(peer.last).toMatchObject({ type: MessageType.DISCONNECT, reason: { code: Reason.LIMIT } });
    expect(served.counters.drops('retained', 'not-stored').value).toBe(1);
  });

  test('5.5.6: EXPIRY counts from receipt, a delivery carries what is left, and nothing comes after it', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(retain('t', 1, { expiry: 5000 }));
    await served.pass(2000);
    await peer.say(subscribe(2, ['t']));
    expect(peer.heard(MessageType.PUBLISH)).toMatchObject([{ retain: true, expiry: 3000 }]);
    await served.pass(3000);
    await peer.say(subscribe(3, ['#']));
    expect(delivered(peer)).toHaveLength(1);
    expect(served.counters.drops('retained', 'expired').value).toBe(1);
    expect(served.spool.retained.size).toBe(0);
  });

  test('5.9.5: over a limit a publish is rejected, unless something has expired or is replaced', async () => {
    const served = await ServedBroker.open({ clients, limits: { retainedMessages: 2, retainedBytes: 4096 } });
    const { peer } = await served.connected('a');
    const large = { content: new Uint8Array(4000) };
    new DataView(large.content.buffer).setUint32(0, 0x8001_0f9c);
    await peer.say(
      retain('t/1', 1, { expiry: 1000 }),
      retain('t/2', 2),
      retain('t/3', 3),
      retain('t/3', undefined),
      retain('t/2', 4),
      retain('t/4', 5, { content: empty }),
    );
    await served.pass(1000);
    await peer.say(retain('t/3', 6), retain('t/2', 7, { content: empty }), retain('t/2', 8, large));
    await peer.say(retain('t/1', 9, large));
    const rejected = peer.heard(MessageType.REJECTED);
    expect(rejected.map(({ messageId, reason }) => [messageId, reason.code])).toEqual([
      [3, Reason.LIMIT],
      [9, Reason.LIMIT],
    ]);
    expect(rejected[0]?.reason.text).toContain('limits.retainedMessages');
    expect(served.counters.drops('session', 'refused').value).toBe(3);
    expect([...served.spool.retained.keys()].toSorted()).toEqual(['t/2', 't/3']);
  });

  test('5.9.3: more than the send queue takes comes as that drains; of each topic the retained one comes first', async () => {
    const served = await ServedBroker.open({ clients, limits: { sendQueueBytes: 4096 } });
    const a = await served.connected('a');
    const content = new Uint8Array(512);
    new DataView(content.buffer).setUint32(0, 0x8001_01fc);
    for (let id = 1; id <= 20; id += 1) await a.peer.say(retain(`t/${id}`, id, { content }));
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['#']));
    const atOnce = delivered(b.peer).length;
    expect(atOnce).toBeGreaterThan(1);
    expect(atOnce).toBeLessThan(8);
    await a.peer.say(publish('t/20', 21), retain('t/19', 22), retain('t/18', 23, { content: empty }));
    for (let round = 0; round < 20; round += 1) {
      const last = b.peer.heard(MessageType.PUBLISH).at(-1)?.messageId ?? 0;
      await b.peer.say({ type: MessageType.ACK, timestamp: 0, messageId: last });
    }
    const all = delivered(b.peer);
    expect(b.peer.link.isClosed).toBe(false);
    expect(all.filter(([, , marked]) => marked)).toHaveLength(20);
    for (const topic of ['t/18', 't/19', 't/20']) {
      expect(all.filter(([name]) => name === topic).map(([, , marked]) => marked)).toEqual([true, false]);
    }
    expect(served.counters.counter('slow_consumers').value).toBe(0);
  });

  test('5.9.3: what waits for a subscription that is gone is left out', async () => {
    const served = await ServedBroker.open({ clients, limits: { sendQueueBytes: 4096 } });
    const a = await served.connected('a');
    const content = new Uint8Array(1024);
    new DataView(content.buffer).setUint32(0, 0x8001_03fc);
    for (let id = 1; id <= 9; id += 1) await a.peer.say(retain(`t/${id}`, id, { content }));
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['#']));
    await b.peer.say({ type: MessageType.UNSUBSCRIBE, timestamp: 0, messageId: 2, topics: ['#'] });
    const before = delivered(b.peer).length;
    await b.peer.say({ type: MessageType.ACK, timestamp: 0, messageId: before });
    expect(delivered(b.peer)).toHaveLength(before);
  });

  test('5.9.3: a will may be retained', async () => {
    const served = await ServedBroker.open({ clients });
    const will = { topic: 'gone', retain: true, content: publish('gone', 7).content };
    const { peer } = await served.connected('a', { will, resumeWindow: 1000 });
    peer.link.break();
    await served.pass(1000);
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['gone']));
    expect(delivered(b.peer)).toEqual([['gone', 7, true]]);
  });

  test('5.9.3: to a client with a queue on disk it goes by way of that, and survives a crash on its way', async () => {
    const profiles = { node: { contents: [], aliases: [], commands: ['to/n'] } };
    const served = await ServedBroker.open({
      clients: [...clients, clientConfig('n', { profile: 'node' })],
      profiles,
    });
    const a = await served.connected('a');
    await a.peer.say(retain('t', 1), retain('to/n', 2));
    const n = await served.connected('n');
    await n.peer.say(subscribe(1, ['t']));
    expect(delivered(n.peer)).toEqual([
      ['to/n', 2, false],
      ['t', 1, true],
    ]);
    n.peer.link.break();
    const next = await served.restart();
    const again = next.peer();
    await again.say(connectResume(n.connack, 1));
    await settle();
    expect(delivered(again)).toEqual([['t', 1, true]]);
  });
});
