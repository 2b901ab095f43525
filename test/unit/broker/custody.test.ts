import { describe, expect, test } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { connectResume, publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';

const clients = [clientConfig('a'), clientConfig('b')];
const options = { clients, forward: ['up/#'] };

/** MESSAGE_IDs that lie on disk for the bridge. */
function kept(served: ServedBroker): (number | undefined)[] {
  return served.spool.kept('bridge').map(({ publication }) => publication.origin.messageId);
}

describe('custody', () => {
  test('5.2.2: a publish that a durable consumer wants is acknowledged when it is on disk, and not before', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a');
    served.spool.held = true;
    await peer.say(publish('up/1', 1));
    await served.pass(1000);
    expect(peer.heard(MessageType.ACK)).toEqual([]);
    served.spool.commit();
    await settle();
    await served.pass(0);
    expect(peer.heard(MessageType.ACK)).toMatchObject([{ messageId: 1 }]);
    expect(kept(served)).toEqual([1]);
  });

  test('5.2.2: one that nobody keeps is acknowledged at once', async () => {
    const served = await ServedBroker.open(options);
    served.spool.held = true;
    const { peer } = await served.connected('a');
    await peer.say(publish('local/1', 1));
    await served.pass(0);
    expect(peer.heard(MessageType.ACK)).toMatchObject([{ messageId: 1 }]);
  });

  test('live subscribers do not wait for the disk', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a');
    await peer.say(subscribe(1, ['up/#']));
    served.spool.held = true;
    await peer.say(publish('up/1', 2));
    expect(peer.heard(MessageType.PUBLISH)).toHaveLength(1);
  });

  test('5.4.3: after a crash the client learns which of its messages arrived, and sends only the rest', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('a');
    await peer.say(publish('up/1', 1), publish('up/2', 2));
    served.spool.held = true;
    await peer.say(publish('up/3', 3));
    const next = await served.restart();
    next.spool.held = false;
    const again = next.peer();
    await again.say(connectResume(connack));
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 2 });
    const anew = await next.connected('a');
    await anew.peer.say(publish('up/3', 1));
    expect(kept(next)).toEqual([1, 2, 1]);
    // The session before is forgotten with that.
    expect(next.spool.sessions.size).toBe(1);
  });

  test('a session that publishes nothing durable is not written to the disk', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a');
    await peer.say(publish('local', 1), subscribe(2, ['local']));
    expect(served.spool.sessions.size).toBe(0);
  });

  test('when the disk fails the client is sent away with its message, and learns what arrived', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('a');
    await peer.say(publish('up/1', 1));
    served.spool.failure = new HashikeError('HSK-2206', 'the disk failed');
    await peer.say(publish('up/2', 2));
    expect(peer.last).toMatchObject({ type: MessageType.DISCONNECT, reason: { code: Reason.LIMIT } });
    expect(peer.link.isClosed).toBe(true);
    expect(served.counters.drops('session', 'not-stored').value).toBe(1);
    expect(served.log.texts('error')).not.toEqual([]);
    served.spool.failure = undefined;
    const again = served.peer();
    await again.say(connectResume(connack));
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 1 });
  });

  test('what was committed after something that failed does not hide it, also not after a crash', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('a');
    await peer.say(publish('up/1', 1));
    // 2 fails, 3 is on its way already and is kept.
    served.spool.held = true;
    await peer.say(publish('up/2', 2));
    served.spool.failure = new HashikeError('HSK-2205', 'the disk is full');
    const failing = served.spool.take();
    await peer.say(publish('up/3', 3));
    failing();
    served.spool.failure = undefined;
    served.spool.held = false;
    served.spool.commit();
    await settle();
    expect(kept(served)).toEqual([1, 3]);
    const next = await served.restart();
    const again = next.peer();
    await again.say(connectResume(connack));
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 1 });
  });

  test('while custody of the last messages is open, the client of a session that is over is told to come again', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('a', { resumeWindow: 1000 });
    await peer.say(publish('up/1', 1));
    served.spool.held = true;
    await peer.say(publish('up/2', 2));
    peer.link.break();
    await settle();
    await served.pass(1000);
    const early = served.peer();
    await early.say(connectResume(connack));
    expect(early.last).toMatchObject({ type: MessageType.CONNACK_FAILED_BUSY, retryAfter: 1000 });
    served.spool.commit();
    await settle();
    const later = served.peer();
    await later.say(connectResume(connack));
    expect(later.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 2 });
  });

  test('a resumed client is told what is settled, not what was merely received, and sends nothing in vain', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('a');
    await peer.say(publish('up/1', 1));
    served.spool.held = true;
    await peer.say(publish('up/2', 2));
    peer.link.break();
    await settle();
    const again = served.peer();
    await again.say(connectResume(connack));
    expect(again.messages[0]).toMatchObject({ type: MessageType.CONNACK_RESUMED, messageId: 1 });
    await again.say(publish('up/2', 2));
    served.spool.commit();
    await settle();
    await served.pass(20);
    expect(again.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 2 });
    expect(kept(served)).toEqual([1, 2]);
  });
});

describe('requests that are refused', () => {
  test('5.7.1: REJECTED for what is refused alone; it counts as received', async () => {
    const served = await ServedBroker.open({
      clients: [clientConfig('a', { publish: ['mine/#'], subscribe: ['mine/#'] })],
      limits: { subscriptionsPerClient: 2 },
    });
    const { peer } = await served.connected('a');
    await peer.say(
      publish('other', 1),
      publish('mine/+', 2),
      subscribe(3, ['mine/1', '#']),
      subscribe(4, ['mine/#/x']),
      subscribe(5, ['mine/1', 'mine/2', 'mine/3']),
      publish('mine/1', 6),
    );
    await served.pass(20);
    const rejected = peer
      .heard(MessageType.REJECTED)
      .map(({ messageId, reason }) => [messageId, reason.code]);
    expect(rejected.toSorted(([a], [b]) => (a ?? 0) - (b ?? 0))).toEqual([
      [1, Reason.NOT_ALLOWED],
      [2, Reason.INVALID_TOPIC],
      [3, Reason.NOT_ALLOWED],
      [4, Reason.INVALID_TOPIC],
      [5, Reason.LIMIT],
    ]);
    expect(peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 6 });
    // None of a refused SUBSCRIBE is in force.
    expect(peer.heard(MessageType.PUBLISH)).toEqual([]);
  });

  test('5.7.1: a best-effort publish that is refused is dropped and counted', async () => {
    const served = await ServedBroker.open({ clients: [clientConfig('a', { publish: [] })] });
    const { peer } = await served.connected('a');
    await peer.say(publish('x', undefined));
    expect(peer.messages).toHaveLength(1);
    expect(served.counters.drops('session', 'refused').value).toBe(1);
  });

  test('3.3.2: UDP_OPEN ends the connection where no UDP is offered', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say({ type: MessageType.UDP_OPEN, timestamp: 0, requestId: 1 });
    expect(peer.last).toMatchObject({ type: MessageType.DISCONNECT, reason: { code: Reason.UNSUPPORTED } });
    expect(peer.link.isClosed).toBe(true);
  });

  test('TIME_REQUEST is answered with the time and an echo', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await served.pass(500);
    await peer.say({ type: MessageType.TIME_REQUEST, timestamp: 77, requestId: 5 });
    expect(peer.last).toMatchObject({
      type: MessageType.TIME,
      requestId: 5,
      echo: 77,
      serverTime: served.clock.wall(),
      timestamp: 501,
    });
  });

  test('5.5.4: a reliable subscriber over its bound is ended, and nobody else notices', async () => {
    const served = await ServedBroker.open({ clients, limits: { sendQueueBytes: 4096 } });
    const slow = await served.connected('a');
    const other = await served.connected('b');
    await slow.peer.say(subscribe(1, ['t']));
    await other.peer.say(subscribe(1, ['t']));
    slow.peer.link.pause();
    const content = new Uint8Array(1024);
    new DataView(content.buffer).setUint32(0, 0x8001_03fc);
    for (let id = 2; id < 12; id += 1) {
      await other.peer.say(publish('t', id, { content }));
      // The other one acknowledges what it gets.
      await other.peer.say({ type: MessageType.ACK, timestamp: 0, messageId: id - 1 });
    }
    slow.peer.link.resume();
    await settle();
    expect(slow.peer.last).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.SLOW_CONSUMER },
    });
    expect(other.peer.heard(MessageType.PUBLISH)).toHaveLength(10);
    expect(served.counters.counter('slow_consumers').value).toBe(1);
  });
});
