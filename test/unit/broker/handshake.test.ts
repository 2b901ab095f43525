import { describe, expect, test } from 'vitest';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { streamCapabilities } from '../../support/memory-link.ts';
import { connectResume, connectToken, publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';

const clients = [clientConfig('a'), clientConfig('b'), clientConfig('fleet', { shared: true })];

describe('the handshake', () => {
  test('5.3.2: CONNACK_SUCCESS says who the client is and what holds', async () => {
    const served = await ServedBroker.open({ clients });
    const { connack } = await served.connected('a', { keepAlive: 10_000, resumeWindow: 999_999 });
    expect(connack).toMatchObject({
      clientId: 'a',
      keepAlive: 10_000,
      resumeWindow: 60_000,
      timestamp: 1,
      serverTime: served.clock.wall(),
    });
    expect(connack.sessionId).toHaveLength(8);
    expect(connack.resumeKey).toHaveLength(16);
  });

  test('5.3.2: a wish of no keep-alive is granted to nodes on a wire only', async () => {
    const served = await ServedBroker.open({ clients });
    const { connack } = await served.connected('a', { keepAlive: 0 });
    expect(connack.keepAlive).toBe(60_000);
    const node = await served.connected('b', { keepAlive: 0 }, { ...streamCapabilities, place: '/dev/x' });
    expect(node.connack.keepAlive).toBe(0);
  });

  test('5.3.5: a wrong token is answered late, and the link is closed', async () => {
    const served = await ServedBroker.open({ clients });
    const peer = served.peer();
    await peer.say(connectToken('nobody'));
    await served.pass(999);
    expect(peer.messages).toEqual([]);
    await served.pass(1);
    expect(peer.last).toMatchObject({
      type: MessageType.CONNACK_FAILED_TOKEN_ERROR,
      reason: { code: Reason.TOKEN_ERROR },
    });
    expect(peer.link.isClosed).toBe(true);
    expect(served.counters.drops('handshake', 'wrong-token').value).toBe(1);
  });

  test('an unknown version is told which one is known', async () => {
    const served = await ServedBroker.open({ clients });
    const peer = served.peer();
    await peer.say(connectToken('a', { version: 2 }));
    expect(peer.last).toMatchObject({ type: MessageType.CONNACK_FAILED_VERSION, versions: [1] });
    expect(peer.link.isClosed).toBe(true);
  });

  test('5.3.4: clients that share a token tell their name, which must be one level of a topic', async () => {
    const served = await ServedBroker.open({ clients });
    const { connack } = await served.connected('fleet', { clientName: 'one' });
    expect(connack.clientId).toBe('fleet/one');
    for (const clientName of [undefined, 'a/b', '+', '#', 'x\u0000']) {
      const peer = served.peer();
      await peer.say(connectToken('fleet', { clientName }));
      expect(peer.last).toMatchObject({ type: MessageType.CONNACK_FAILED, reason: { code: Reason.LIMIT } });
    }
  });

  test('a will must be allowed', async () => {
    const served = await ServedBroker.open({ clients: [clientConfig('a', { publish: ['mine/#'] })] });
    const will = { topic: 'other', retain: false, content: new Uint8Array(0) };
    const peer = served.peer();
    await peer.say(connectToken('a', { will }));
    expect(peer.last).toMatchObject({
      type: MessageType.CONNACK_FAILED,
      reason: { code: Reason.NOT_ALLOWED },
    });
    const wild = served.peer();
    await wild.say(connectToken('a', { will: { ...will, topic: 'mine/+' } }));
    expect(wild.last).toMatchObject({
      type: MessageType.CONNACK_FAILED,
      reason: { code: Reason.INVALID_TOPIC },
    });
  });

  test('5.3.1: the first message must be CONNECT', async () => {
    const served = await ServedBroker.open({ clients });
    const peer = served.peer();
    await peer.say(publish('t', 1));
    expect(peer.last).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.PROTOCOL_ERROR },
    });
    expect(peer.link.isClosed).toBe(true);
  });

  test('a second CONNECT within a session is a protocol error', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(connectToken('a'));
    expect(peer.last).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.PROTOCOL_ERROR },
    });
  });

  test('what follows CONNECT in one go is not lost', async () => {
    const served = await ServedBroker.open({ clients });
    const peer = served.peer();
    await peer.say(connectToken('a'), subscribe(1, ['t']), publish('t', 2));
    await served.pass(20);
    expect(peer.heard(MessageType.PUBLISH)).toHaveLength(1);
    expect(peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 2 });
  });

  test('a handshake that is not finished in time is ended', async () => {
    const served = await ServedBroker.open({ clients });
    const peer = served.peer();
    await served.pass(10_000);
    expect(peer.last).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.HANDSHAKE_TIMEOUT },
    });
    expect(peer.link.isClosed).toBe(true);
  });

  test('too many connections or unfinished handshakes get BUSY, with a time to come again', async () => {
    const served = await ServedBroker.open({ clients, limits: { connections: 2, unfinishedHandshakes: 1 } });
    served.peer();
    const second = served.peer();
    await settle();
    expect(second.last).toMatchObject({ type: MessageType.CONNACK_FAILED_BUSY, retryAfter: 5000 });
    expect(second.link.isClosed).toBe(true);
    await served.pass(10_000);
    await served.connected('a');
    await served.connected('b');
    const fourth = served.peer();
    await settle();
    expect(fourth.last).toMatchObject({
      type: MessageType.CONNACK_FAILED_BUSY,
      reason: { text: 'too many connections (limits.connections)' },
    });
  });
});

describe('a session that is resumed', () => {
  test('5.4.1: each side learns what the other has, and only the rest is sent again', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer, connack } = await served.connected('a');
    await peer.say(subscribe(1, ['t']), publish('t', 2), publish('t', 3));
    expect(peer.heard(MessageType.PUBLISH).map(({ messageId }) => messageId)).toEqual([1, 2]);
    peer.link.break();
    await settle();
    const again = served.peer();
    await again.say(connectResume(connack, 1));
    expect(again.messages[0]).toMatchObject({ type: MessageType.CONNACK_RESUMED, messageId: 3 });
    expect(again.heard(MessageType.PUBLISH).map(({ messageId }) => messageId)).toEqual([2]);
    // The subscription is still in force.
    await again.say(publish('t', 4));
    expect(again.heard(MessageType.PUBLISH).map(({ messageId }) => messageId)).toEqual([2, 3]);
  });

  test('5.4.2: the connection before gets TAKEN_OVER and is closed', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer, connack } = await served.connected('a');
    const thief = served.peer();
    await thief.say(connectResume(connack));
    expect(peer.last).toMatchObject({ type: MessageType.DISCONNECT, reason: { code: Reason.TAKEN_OVER } });
    expect(peer.link.isClosed).toBe(true);
    await thief.say(publish('t', 1));
    await served.pass(20);
    expect(thief.last).toMatchObject({ type: MessageType.ACK, messageId: 1 });
  });

  test('5.4.3: a wrong key and an unknown session get SESSION_EXPIRED without MESSAGE_ID', async () => {
    const served = await ServedBroker.open({ clients });
    const { connack } = await served.connected('a');
    for (const wrong of [
      { ...connack, resumeKey: new Uint8Array(16) },
      { ...connack, sessionId: new Uint8Array(8) },
    ]) {
      const peer = served.peer();
      await peer.say(connectResume(wrong));
      expect(peer.last).toMatchObject({
        type: MessageType.CONNACK_FAILED_SESSION_EXPIRED,
        messageId: undefined,
      });
    }
  });

  test('5.4.3: after the window the session is over, its will published, its last MESSAGE_ID remembered', async () => {
    const served = await ServedBroker.open({ clients });
    const watcher = await served.connected('b');
    await watcher.peer.say(subscribe(1, ['gone']));
    const will = { topic: 'gone', retain: false, content: new Uint8Array(0) };
    const { peer, connack } = await served.connected('a', { will, resumeWindow: 5000 });
    await peer.say(publish('t', 1), publish('t', 2));
    peer.link.break();
    await served.pass(4999);
    expect(watcher.peer.heard(MessageType.PUBLISH)).toEqual([]);
    await served.pass(1);
    expect(watcher.peer.heard(MessageType.PUBLISH)).toMatchObject([{ topic: 'gone', clientId: 'a' }]);
    const again = served.peer();
    await again.say(connectResume(connack));
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 2 });
  });

  test('5.3.3: CONNECT_TOKEN ends the session before, without its will, and closes its link', async () => {
    const served = await ServedBroker.open({ clients });
    const watcher = await served.connected('b');
    await watcher.peer.say(subscribe(1, ['gone']));
    const will = { topic: 'gone', retain: false, content: new Uint8Array(0) };
    const first = await served.connected('a', { will });
    const second = await served.connected('a');
    expect(first.peer.last).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.TAKEN_OVER },
    });
    expect(second.connack.sessionId).not.toEqual(first.connack.sessionId);
    await served.pass(100_000);
    expect(watcher.peer.heard(MessageType.PUBLISH)).toEqual([]);
  });

  test('5.7.3: DISCONNECT by the client ends the session without its will', async () => {
    const served = await ServedBroker.open({ clients });
    const will = { topic: 'gone', retain: false, content: new Uint8Array(0) };
    const watcher = await served.connected('b');
    await watcher.peer.say(subscribe(1, ['gone']));
    const { peer, connack } = await served.connected('a', { will });
    await peer.say({ type: MessageType.DISCONNECT, timestamp: 0 });
    expect(peer.link.isClosed).toBe(true);
    const again = served.peer();
    await again.say(connectResume(connack));
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED });
    await served.pass(100_000);
    expect(watcher.peer.heard(MessageType.PUBLISH)).toEqual([]);
  });
});
