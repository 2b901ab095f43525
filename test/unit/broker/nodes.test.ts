import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/base/bytes.ts';
import { encodeContent } from '../../../src/wire/content.ts';
import { MessageType, ShortKind } from '../../../src/wire/numbers.ts';
import type { Publication } from '../../../src/wire/publication.ts';
import { trusted } from '../../../src/broker/access.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { wireCapabilities } from '../../support/memory-link.ts';
import {
  connectResume,
  connectToken,
  type Peer,
  publish,
  ServedBroker,
  type ServedBrokerOptions,
  settle,
  subscribe,
} from '../../support/peer.ts';

const options: ServedBrokerOptions = {
  clients: [
    clientConfig('node', { profile: 'valve', publish: ['node/#'], subscribe: ['extra/#'] }),
    clientConfig('plain'),
  ],
  profiles: {
    valve: {
      contents: [],
      aliases: [{ alias: 3, topic: '{client}/state', layout: [] }],
      commands: ['{client}/set'],
    },
  },
  forward: ['node/#'],
};

const upstream = trusted('bridge');
let made = 0;

function command(topic: string, value: number, reliable = true): Publication {
  made += 1;
  return {
    topic,
    content: encodeContent([{ contentType: 0x8000, value: new Uint8Array([value]) }]),
    reliable,
    retain: false,
    origin: { clientId: 'bridge', messageId: undefined, sessionId: undefined, part: made },
    taken: { at: 0 },
  };
}

/** What was delivered, by the last byte of its content before the padding. */
function commands(peer: Peer): number[] {
  return peer.heard(MessageType.PUBLISH).map(({ content }) => content[4] ?? -1);
}

const acknowledge = (messageId: number) => ({ type: MessageType.ACK, timestamp: 0, messageId }) as const;
/** Lets the line drain, and acknowledgements be sent. */
const linger = 100;

describe('a node on a wire', () => {
  test('its commands wait on disk from before it ever connected, and go when it has acknowledged them', async () => {
    const served = await ServedBroker.open(options);
    await served.broker.publish(command('node/set', 1), upstream);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await served.pass(linger);
    expect(commands(peer)).toEqual([1]);
    expect(served.spool.kept('client/node')).toHaveLength(1);
    await peer.say(acknowledge(1));
    expect(served.spool.kept('client/node')).toEqual([]);
  });

  test('it speaks the short form with the aliases of its profile', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await peer.sayShort({
      kind: ShortKind.PUBLISH_RELIABLE,
      alias: 3,
      id8: 1,
      content: new Uint8Array([42]),
    });
    await served.pass(linger);
    expect(served.spool.kept('bridge').map(({ publication }) => publication.topic)).toEqual(['node/state']);
    expect(peer.short).toMatchObject([{ kind: ShortKind.ACK, id8: 1 }]);
  });

  test('5.3.3: a node that rebooted connects anew and gets again what it had not acknowledged', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    for (const value of [1, 2, 3]) await served.broker.publish(command('node/set', value), upstream);
    await served.pass(linger);
    await peer.say(acknowledge(1));
    peer.messages.length = 0;
    await peer.say(connectToken('node'));
    await served.pass(linger);
    expect(peer.messages[0]).toMatchObject({ type: MessageType.CONNACK_SUCCESS });
    expect(commands(peer)).toEqual([2, 3]);
    // No DISCONNECT for the session before: it would be taken for one of the new session.
    expect(peer.heard(MessageType.DISCONNECT)).toEqual([]);
  });

  test('6.5.1, 6.5.3: after a crash of the gateway it goes on in the short form, with nothing twice and nothing lost', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('node', {}, wireCapabilities);
    for (const value of [1, 2, 3]) await served.broker.publish(command('node/set', value), upstream);
    await peer.sayShort({ kind: ShortKind.PUBLISH_RELIABLE, alias: 3, id8: 1, content: new Uint8Array([1]) });
    await served.pass(linger);
    await peer.say(acknowledge(1));
    // It has 2 as well, but the gateway dies before it learns that.
    const next = await served.restart();
    const again = next.peer(wireCapabilities);
    await next.pass(0);
    const tail = Number.parseInt(hex(connack.sessionId).slice(-4), 16);
    expect(again.short).toMatchObject([{ kind: ShortKind.RESUME, session16: tail, id8: 1 }]);
    await again.sayShort({ kind: ShortKind.RESUME, answer: true, session16: tail, id8: 2 });
    await next.pass(linger);
    expect(commands(again)).toEqual([3]);
    await again.sayShort(
      { kind: ShortKind.PUBLISH_RELIABLE, alias: 3, id8: 1, content: new Uint8Array([1]) },
      { kind: ShortKind.PUBLISH_RELIABLE, alias: 3, id8: 2, content: new Uint8Array([2]) },
    );
    await next.pass(linger);
    expect(next.spool.kept('bridge').map(({ publication }) => publication.origin.messageId)).toEqual([1, 2]);
    await again.say(acknowledge(3));
    expect(next.spool.kept('client/node')).toEqual([]);
  });

  test('6.5.4: a short frame without a context is answered with RESET, a RESET is not', async () => {
    const served = await ServedBroker.open(options);
    const peer = served.peer(wireCapabilities);
    await peer.sayShort({ kind: ShortKind.PUBLISH, alias: 3, content: new Uint8Array([1]) });
    expect(peer.short).toEqual([{ kind: ShortKind.RESET }]);
    await peer.sayShort({ kind: ShortKind.RESET });
    expect(peer.short).toHaveLength(1);
  });

  test('6.5.4: RESET, CONNECT_RESUME and SESSION_EXPIRED tell a node of a forgotten context what had arrived', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('node', {}, wireCapabilities);
    await peer.sayShort({ kind: ShortKind.PUBLISH_RELIABLE, alias: 3, id8: 1, content: new Uint8Array([1]) });
    await peer.say({ type: MessageType.DISCONNECT, timestamp: 0 });
    await peer.sayShort({ kind: ShortKind.PUBLISH, alias: 3, content: new Uint8Array([1]) });
    expect(peer.short.at(-1)).toEqual({ kind: ShortKind.RESET });
    await peer.say(connectResume(connack));
    expect(peer.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 1 });
    expect(peer.link.isClosed).toBe(false);
    // Also after a restart.
    const next = await served.restart();
    const again = next.peer(wireCapabilities);
    await again.say(connectResume(connack));
    expect(again.messages).toMatchObject([
      { type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 1 },
    ]);
  });

  test('what it subscribed to itself, and its own aliases, survive a crash', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await peer.say(subscribe(1, ['extra/1']), subscribe(2, ['extra/2'], true), {
      type: MessageType.ALIAS,
      timestamp: 0,
      messageId: 3,
      entries: [{ aliasId: 9, topic: 'node/other', layout: [] }],
    });
    await served.pass(linger);
    const next = await served.restart();
    const again = next.peer(wireCapabilities);
    const tail = again.short.length;
    await next.pass(0);
    const [resume] = again.short.slice(tail);
    if (resume?.kind !== ShortKind.RESUME) throw new Error('no RESUME');
    await again.sayShort(
      { kind: ShortKind.RESUME, answer: true, session16: resume.session16, id8: 0 },
      { kind: ShortKind.PUBLISH, alias: 9, content: new Uint8Array([7]) },
    );
    await next.broker.publish(command('extra/1', 1), upstream);
    await next.broker.publish(command('extra/2', 2), upstream);
    await next.pass(linger);
    const topics = again
      .heard(MessageType.PUBLISH)
      .map(({ topic, messageId }) => [topic, messageId !== undefined]);
    expect(topics.toSorted(([a], [b]) => (`${a}` < `${b}` ? -1 : 1))).toEqual([
      ['extra/1', true],
      ['extra/2', false],
    ]);
    expect(next.spool.kept('bridge').map(({ publication }) => publication.topic)).toEqual(['node/other']);
  });

  test('an ALIAS that comes again, or says nothing new, is not written again', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    let writes = 0;
    const save = served.spool.saveSession.bind(served.spool);
    served.spool.saveSession = (session) => {
      writes += 1;
      return save(session);
    };
    const entries = [{ aliasId: 9, topic: 'node/other', layout: [] }];
    for (const messageId of [1, 1, 2]) {
      await peer.say({ type: MessageType.ALIAS, timestamp: 0, messageId, entries });
    }
    expect(writes).toBe(1);
  });

  test('a SUBSCRIBE is acknowledged when it is on disk; what comes after it waits for that', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    served.spool.held = true;
    await peer.say(publish('node/1', 1), subscribe(2, ['extra/1']), publish('node/2', 3));
    await served.pass(linger);
    expect(peer.heard(MessageType.ACK)).toEqual([]);
    served.spool.commit();
    await settle();
    served.spool.commit();
    await settle();
    await served.pass(linger);
    expect(peer.short.at(-1)).toMatchObject({ kind: ShortKind.ACK, id8: 3 });
    const [stored] = served.spool.sessions.values();
    expect(stored?.received).toBe(3);
  });

  test('best-effort publishes to its commands reach it while it is there, and do not wait on disk', async () => {
    const served = await ServedBroker.open(options);
    await served.broker.publish(command('node/set', 1, false), upstream);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await served.broker.publish(command('node/set', 2, false), upstream);
    await served.pass(linger);
    expect(peer.heard(MessageType.PUBLISH).map(({ content, messageId }) => [content[4], messageId])).toEqual([
      [2, undefined],
    ]);
    expect(served.spool.kept('client/node')).toEqual([]);
  });

  test('5.6.1: a silent node is away, not gone', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', { keepAlive: 10_000 }, wireCapabilities);
    await served.pass(16_000);
    expect(served.connections.describe()).toMatchObject([{ client: 'node', state: 'away', link: 'memory' }]);
    await peer.sayShort({ kind: ShortKind.PUBLISH, alias: 3, content: new Uint8Array([1]) });
    expect(served.connections.describe()).toMatchObject([{ state: 'connected' }]);
    expect(served.spool.kept('bridge')).toHaveLength(1);
  });

  test('7.2: damaged frames are dropped and counted, also in a handshake', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    const before = peer.messages.length;
    for (const bytes of [
      [0x00, 0x01, 0xff],
      [0x00, 0x01, 0, 4, 0, 0, 0, 0, 1, 2, 3, 4],
      [0x55],
      [0xff, 0xff],
    ]) {
      peer.link.send(Uint8Array.from(bytes));
      await settle();
    }
    expect(peer.messages).toHaveLength(before);
    await peer.sayShort({ kind: ShortKind.PUBLISH_RELIABLE, alias: 3, id8: 1, content: new Uint8Array([1]) });
    await served.pass(linger);
    expect(peer.short.at(-1)).toMatchObject({ kind: ShortKind.ACK, id8: 1 });
  });

  test('when the wire comes back the gateway begins with RESUME', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    peer.link.break();
    await settle();
    await served.pass(86_400_000);
    await served.broker.publish(command('node/set', 5), upstream);
    const again = served.peer(wireCapabilities);
    await served.pass(0);
    const [resume] = again.short;
    if (resume?.kind !== ShortKind.RESUME) throw new Error('no RESUME');
    await again.sayShort({ ...resume, answer: true, id8: 0 });
    await served.pass(linger);
    expect(commands(again)).toEqual([5]);
  });
});

describe('a client with commands over TCP', () => {
  test('keeps its session over a restart of the gateway', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('node');
    await peer.say(publish('node/1', 1));
    await served.broker.publish(command('node/set', 1), upstream);
    await settle();
    const next = await served.restart();
    const again = next.peer();
    await again.say(connectResume(connack, 1));
    expect(again.messages[0]).toMatchObject({ type: MessageType.CONNACK_RESUMED, messageId: 1 });
    await next.broker.publish(command('node/set', 2), upstream);
    await settle();
    expect(commands(again)).toEqual([2]);
  });
});
