import { describe, expect, test } from 'vitest';
import type { Message, Presence } from '../../../src/wire/message.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { connectResume, type Peer, ServedBroker, settle, subscribe } from '../../support/peer.ts';

const clients = ['a', 'b', 'c'].map((name) => clientConfig(name));

type TopicListType = typeof MessageType.UNSUBSCRIBE | typeof MessageType.WATCH | typeof MessageType.UNWATCH;

function topics(type: TopicListType, messageId: number, ...names: readonly string[]): Message {
  return { type, timestamp: 0, messageId, topics: names };
}

const watch = (messageId: number, ...names: readonly string[]): Message =>
  topics(MessageType.WATCH, messageId, ...names);

/** What a watcher has heard: `+a room` and `-a room`. */
function heard({ messages }: Peer): readonly string[] {
  return messages.flatMap((message) => {
    if (message.type === MessageType.PRESENCE_JOINED) return [`+${message.clientId} ${message.topic}`];
    return message.type === MessageType.PRESENCE_LEFT ? [`-${message.clientId} ${message.topic}`] : [];
  });
}

function left({ messages }: Peer): readonly Presence[] {
  return messages.filter((message): message is Presence => message.type === MessageType.PRESENCE_LEFT);
}

async function house(limits = {}): Promise<{ readonly served: ServedBroker; readonly watcher: Peer }> {
  const served = await ServedBroker.open({ clients, limits });
  const { peer } = await served.connected('c');
  return { served, watcher: peer };
}

describe('presence', () => {
  test('5.8.2: a watcher is told first who is present, then who comes and goes, numbered', async () => {
    const { served, watcher } = await house();
    const a = await served.connected('a');
    await a.peer.say(subscribe(1, ['room']));
    await watcher.say(watch(1, 'room'));
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['room'], true));
    await a.peer.say(topics(MessageType.UNSUBSCRIBE, 2, 'room'));
    expect(heard(watcher)).toEqual(['+a room', '+b room', '-a room']);
    expect(
      watcher.messages.flatMap((each) =>
        'clientId' in each && each.type === MessageType.PRESENCE_JOINED ? [each.messageId] : [],
      ),
    ).toEqual([1, 2]);
    expect(left(watcher)).toMatchObject([{ messageId: 3, reason: undefined }]);
    await served.pass(20);
    expect(watcher.heard(MessageType.ACK)).toMatchObject([{ messageId: 1 }]);
  });

  test('5.8.1: present is who subscribed to exactly the topic; a filter with wildcards makes nobody present', async () => {
    const { served, watcher } = await house();
    await watcher.say(watch(1, '#'));
    const { peer } = await served.connected('a');
    await peer.say(subscribe(1, ['room/+', 'room/#', 'room/1']));
    expect(heard(watcher)).toEqual(['+a room/1']);
  });

  test('5.8.2: several filters that match tell of each client once', async () => {
    const { served, watcher } = await house();
    const { peer } = await served.connected('a');
    await peer.say(subscribe(1, ['room/1', 'room/2']));
    await watcher.say(watch(1, 'room/1'), watch(2, 'room/+', 'room/#'), watch(3, 'room/1'));
    expect(heard(watcher)).toEqual(['+a room/1', '+a room/2']);
    await watcher.say(topics(MessageType.UNWATCH, 4, 'room/1', 'room/+'));
    await peer.say(topics(MessageType.UNSUBSCRIBE, 2, 'room/1'));
    await watcher.say(topics(MessageType.UNWATCH, 5, 'room/#'));
    await peer.say(topics(MessageType.UNSUBSCRIBE, 3, 'room/2'));
    expect(heard(watcher)).toEqual(['+a room/1', '+a room/2', '-a room/1']);
  });

  test('5.8.3: subscribing again, a broken link, a resume and a takeover are no change', async () => {
    const { served, watcher } = await house();
    await watcher.say(watch(1, 'room'));
    const { peer, connack } = await served.connected('a');
    await peer.say(subscribe(1, ['room']), subscribe(2, ['room'], true));
    peer.link.break();
    await served.pass(1000);
    const again = served.peer();
    await again.say(connectResume(connack));
    const thief = served.peer();
    await thief.say(connectResume(connack));
    await served.pass(1000);
    expect(heard(watcher)).toEqual(['+a room']);
  });

  test('5.8.3: a watcher whose link is broken hears on its resume what it missed', async () => {
    const { served, watcher } = await house();
    const b = await served.connected('b');
    await b.peer.say(watch(1, 'room'));
    b.peer.link.break();
    await settle();
    const a = await served.connected('a');
    await a.peer.say(subscribe(1, ['room']), topics(MessageType.UNSUBSCRIBE, 2, 'room'));
    const again = served.peer();
    await again.say(connectResume(b.connack));
    expect(heard(again)).toEqual(['+a room', '-a room']);
    expect(heard(watcher)).toEqual([]);
  });

  test('5.8.4: a client that connects anew stays present where it subscribes again in time', async () => {
    const { served, watcher } = await house();
    await watcher.say(watch(1, '#'));
    const first = await served.connected('a');
    await first.peer.say(subscribe(1, ['stays', 'goes']));
    const second = await served.connected('a');
    await second.peer.say(subscribe(1, ['stays']));
    await served.pass(4999);
    expect(heard(watcher)).toEqual(['+a stays', '+a goes']);
    await served.pass(1);
    expect(heard(watcher)).toEqual(['+a stays', '+a goes', '-a goes']);
    expect(left(watcher)).toMatchObject([{ reason: { code: Reason.TAKEN_OVER } }]);
  });

  test('5.8.5: the end of a session is a leave with its reason', async () => {
    const { served, watcher } = await house();
    await watcher.say(watch(1, 'room'));
    const codes = (): readonly (number | undefined)[] => left(watcher).map(({ reason }) => reason?.code);
    const clean = await served.connected('a');
    await clean.peer.say(subscribe(1, ['room']), { type: MessageType.DISCONNECT, timestamp: 0 });
    const lost = await served.connected('a', { resumeWindow: 1000 });
    await lost.peer.say(subscribe(1, ['room']));
    lost.peer.link.break();
    await served.pass(1000);
    const wrong = await served.connected('a');
    await wrong.peer.say(subscribe(1, ['room']), subscribe(9, ['room']));
    expect(codes()).toEqual([Reason.NORMAL, Reason.KEEP_ALIVE_TIMEOUT, Reason.PROTOCOL_ERROR]);
    expect(heard(watcher)).toEqual(['+a room', '-a room', '+a room', '-a room', '+a room', '-a room']);
  });

  test('5.8.6: LIST_SUBSCRIBERS is answered with those present, or with the reason why not', async () => {
    const rules = [...clients, clientConfig('curious', { subscribe: ['open'] })];
    const served = await ServedBroker.open({ clients: rules, limits: { messageBytes: 64 } });
    for (const name of ['b', 'a']) {
      const { peer } = await served.connected(name);
      await peer.say(subscribe(1, ['open', 'closed', 'l'.repeat(40)]));
    }
    const { peer } = await served.connected('curious');
    for (const [requestId, topic] of ['open', 'closed', 'open/+', 'nobody'].entries()) {
      await peer.say({ type: MessageType.LIST_SUBSCRIBERS, timestamp: 0, requestId, topic });
    }
    const all = await served.connected('c');
    await all.peer.say({
      type: MessageType.LIST_SUBSCRIBERS,
      timestamp: 0,
      requestId: 4,
      topic: 'l'.repeat(40),
    });
    const answers = [peer, all.peer].flatMap((each) => each.heard(MessageType.SUBSCRIBERS));
    expect(answers.map(({ requestId, clientIds, reason }) => [requestId, clientIds, reason?.code])).toEqual([
      [0, ['a', 'b'], undefined],
      [1, [], Reason.NOT_ALLOWED],
      [2, [], Reason.INVALID_TOPIC],
      [3, [], Reason.NOT_ALLOWED],
      [4, [], Reason.LIMIT],
    ]);
  });

  test('5.8.7: a WATCH is rejected as a whole: not allowed, malformed, over a limit, or more than can be told', async () => {
    const rules = [...clients, clientConfig('w', { subscribe: ['room/#'] })];
    const served = await ServedBroker.open({
      clients: rules,
      limits: { watchesPerClient: 2, sendQueueBytes: 4096 },
    });
    const { peer } = await served.connected('w');
    await peer.say(
      watch(1, 'room/1', 'secret'),
      watch(2, 'room/#/1'),
      watch(3, 'room/1', 'room/2', 'room/3'),
    );
    const a = await served.connected('a');
    await a.peer.say(
      subscribe(
        1,
        Array.from({ length: 90 }, (_, index) => `room/${index}/${'x'.repeat(20)}`),
      ),
    );
    await peer.say(watch(4, 'room/#'));
    expect(peer.heard(MessageType.REJECTED).map(({ messageId, reason }) => [messageId, reason.code])).toEqual(
      [
        [1, Reason.NOT_ALLOWED],
        [2, Reason.INVALID_TOPIC],
        [3, Reason.LIMIT],
        [4, Reason.LIMIT],
      ],
    );
    expect(heard(peer)).toEqual([]);
  });

  test('5.8.7: a session that is kept on disk gets UNSUPPORTED', async () => {
    const profiles = { node: { contents: [], aliases: [], commands: ['to/a'] } };
    const served = await ServedBroker.open({ clients: [clientConfig('a', { profile: 'node' })], profiles });
    const { peer } = await served.connected('a');
    await peer.say(watch(1, 'room'));
    expect(peer.heard(MessageType.REJECTED)).toMatchObject([
      { messageId: 1, reason: { code: Reason.UNSUPPORTED } },
    ]);
  });

  test('a watcher that is too slow ends, and the others hear of everything in order', async () => {
    const { served, watcher } = await house({ sendQueueBytes: 4096 });
    const slow = await served.connected('b');
    await slow.peer.say(subscribe(1, ['room']), watch(2, '#'));
    await watcher.say(watch(1, '#'));
    slow.peer.link.pause();
    const a = await served.connected('a');
    for (let index = 0; index < 60; index += 1) {
      await a.peer.say(subscribe(index + 1, [`${index}/${'x'.repeat(100)}`]));
      await watcher.say({ type: MessageType.ACK, timestamp: 0, messageId: heard(watcher).length });
    }
    expect(served.counters.counter('slow_consumers').value).toBe(1);
    expect(heard(watcher).filter((line) => line.endsWith(' room'))).toEqual(['+b room', '-b room']);
    expect(left(watcher)).toMatchObject([{ reason: { code: Reason.SLOW_CONSUMER } }]);
    expect(heard(watcher)).toHaveLength(62);
  });
});
