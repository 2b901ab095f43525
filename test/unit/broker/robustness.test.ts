import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/base/bytes.ts';
import { trusted } from '../../../src/broker/access.ts';
import { encodeContent } from '../../../src/wire/content.ts';
import type { ConnackSuccess } from '../../../src/wire/message.ts';
import { MessageType, Reason, ShortKind } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { wireCapabilities } from '../../support/memory-link.ts';
import {
  connectResume,
  connectToken,
  type Peer,
  publish,
  ServedBroker,
  type ServedBrokerOptions,
  subscribe,
} from '../../support/peer.ts';

const options: ServedBrokerOptions = {
  clients: [
    clientConfig('node', { profile: 'valve', publish: ['node/#'], subscribe: ['node/#'] }),
    clientConfig('tcp'),
  ],
  profiles: {
    valve: {
      contents: [{ name: 'level', type: 0x8002, encoding: 'u16' }],
      aliases: [
        { alias: 3, topic: '{client}/state', layout: [] },
        { alias: 4, topic: '{client}/level', layout: ['level'] },
        { alias: 5, topic: 'other/state', layout: [] },
      ],
      commands: ['{client}/set'],
    },
  },
  forward: ['node/state'],
};

/** Lets the line drain, and acknowledgements be sent. */
const linger = 100;
const content = new Uint8Array([1]);

function reading(id8: number, alias = 3) {
  return { kind: ShortKind.PUBLISH_RELIABLE, alias, id8, content } as const;
}

function tailOf({ sessionId }: ConnackSuccess): number {
  return Number.parseInt(hex(sessionId).slice(-4), 16);
}

/** Publishes a command to the node, and waits until it is on the line. */
async function command(served: ServedBroker, value: number): Promise<void> {
  await served.broker.publish(
    {
      topic: 'node/set',
      content: encodeContent([{ contentType: 0x8000, value: new Uint8Array([value]) }]),
      reliable: true,
      retain: false,
      origin: { clientId: 'bridge', messageId: undefined, sessionId: undefined, part: value },
      taken: { at: 0 },
    },
    trusted('bridge'),
  );
  await served.pass(linger);
}

function connacks(peer: Peer): readonly string[] {
  return peer
    .heard(MessageType.CONNACK_SUCCESS)
    .map(({ sessionId, resumeKey }) => hex(sessionId) + hex(resumeKey));
}

describe('6.5.6: lost state', () => {
  test('of a node that shows in its RESUME ends the session: RESET, and nothing of it is remembered', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('node', {}, wireCapabilities);
    await command(served, 1);
    await command(served, 2);
    await peer.sayShort({ kind: ShortKind.ACK, confirmed: false, id8: 2 });
    await peer.sayShort({ kind: ShortKind.RESUME, answer: false, session16: tailOf(connack), id8: 1 });
    expect(peer.short.at(-1)).toEqual({ kind: ShortKind.RESET });
    expect(served.connections.describe()).toEqual([]);
    await peer.say(connectResume(connack, 1));
    expect(peer.last).toEqual({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, timestamp: 0 });
    await peer.say(connectToken('node'));
    await command(served, 3);
    expect(peer.last).toMatchObject({ type: MessageType.PUBLISH, messageId: 1 });
  });

  test('of a client that shows in its CONNECT_RESUME ends the session', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('tcp');
    await peer.say(subscribe(1, ['t']), publish('t', 2));
    await served.pass(linger);
    await peer.say({ type: MessageType.ACK, timestamp: 0, messageId: 1 });
    peer.link.break();
    const again = served.peer();
    await again.say(connectResume(connack, 0));
    expect(again.messages).toEqual([{ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, timestamp: 0 }]);
    expect(again.link.isClosed).toBe(true);
    const warned = served.log.lines.find(({ level }) => level === 'warn');
    expect(warned).toMatchObject({ fields: { client: 'tcp', code: 'HSK-2006', claimed: 0 } });
  });

  test('of the gateway is told by the client, and said in the log as an error', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    const reason = { code: Reason.STATE_LOST, text: '' };
    await peer.say({ type: MessageType.DISCONNECT, timestamp: 0, reason }, connectToken('node'));
    expect(connacks(peer)).toHaveLength(2);
    const errors = served.log.lines.filter(({ level }) => level === 'error');
    expect(errors).toMatchObject([{ fields: { client: 'node', code: 'HSK-3008' } }]);
    expect(served.counters.counter('state_lost').value).toBe(1);
  });

  test.each([
    [
      'goes to no durable consumer',
      (peer: Peer) => peer.sayShort({ ...reading(2, 4), content: new Uint8Array(2) }),
    ],
    ['is refused', (peer: Peer) => peer.sayShort(reading(2, 5))],
    ['subscribes', (peer: Peer) => peer.say(subscribe(2, ['node/extra']))],
  ])('is not made by a crash after the ACK of what %s', async (_, say) => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await peer.sayShort(reading(1));
    await say(peer);
    await served.pass(linger);
    expect(peer.short.at(-1)).toMatchObject({ kind: ShortKind.ACK, id8: 2 });
    const next = await served.restart();
    const again = next.peer(wireCapabilities);
    await next.pass(0);
    expect(again.messages).toMatchObject([{ type: MessageType.ACK, messageId: 2 }]);
    expect(again.short).toMatchObject([{ kind: ShortKind.RESUME, id8: 2 }]);
  });
});

describe('5.3.6: a CONNECT_TOKEN that comes again', () => {
  test('is answered with the same session while that was not heard', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await command(served, 1);
    await served.pass(2000);
    await peer.say(connectToken('node'));
    const [first, second] = connacks(peer);
    expect(second).toBe(first);
    expect(peer.heard(MessageType.CONNACK_SUCCESS)[1]?.timestamp).toBeGreaterThan(2000);
    // What it was not ready for comes again.
    await served.pass(linger);
    expect(peer.last).toMatchObject({ type: MessageType.PUBLISH, messageId: 1 });
    await peer.sayShort(reading(1));
    await served.pass(linger);
    expect(peer.short.at(-1)).toMatchObject({ kind: ShortKind.ACK, id8: 1 });
  });

  test.each([
    ['the session was heard', connectToken('node'), true],
    ['it says something else', connectToken('node', { keepAlive: 7000 }), false],
  ])('opens another one when %s', async (_, again, heard) => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    if (heard) await peer.sayShort(reading(1));
    await peer.say(again);
    const [first, second] = connacks(peer);
    expect(second).toBeDefined();
    expect(second).not.toBe(first);
  });
});

describe('what the integrator has to mend is said, at a bounded rate', () => {
  test('5.7.2: frames that do not fit the aliases: client, alias and cure; they are not acknowledged', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    for (let again = 0; again < 50; again += 1) {
      await peer.sayShort(reading(1, 9));
      await served.pass(linger);
    }
    expect(served.counters.drops('session', 'unknown-alias').value).toBe(50);
    const warned = () => served.log.lines.filter(({ level }) => level === 'warn');
    expect(warned()).toMatchObject([
      { fields: { client: 'node', aliasId: 9, code: 'HSK-1104', cure: expect.any(String) as string } },
    ]);
    await served.pass(30_000);
    await peer.sayShort(reading(1, 4));
    expect(served.counters.drops('session', 'layout-mismatch').value).toBe(1);
    expect(warned()[1]).toMatchObject({
      fields: { aliasId: 4, topic: 'node/level', code: 'HSK-1109', reasons: { 'unknown-alias': 49 } },
    });
    expect(peer.short.some(({ kind }) => kind === ShortKind.ACK)).toBe(false);
  });

  test('5.7.1: refused messages: client, topic and reason', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('node', {}, wireCapabilities);
    await peer.sayShort(...Array.from({ length: 20 }, (_, index) => reading(index + 1, 5)));
    expect(served.counters.drops('session', 'refused').value).toBe(20);
    const warned = served.log.lines.filter(({ level }) => level === 'warn');
    expect(warned).toMatchObject([{ fields: { client: 'node', topic: 'other/state', code: 'HSK-3001' } }]);
  });

  test('bad connections: each is counted, one line tells of them, without a stack trace', async () => {
    const served = await ServedBroker.open(options);
    for (let count = 0; count < 100; count += 1) await served.peer().say(publish('t', 1));
    expect(served.counters.drops('memory', 'malformed').value).toBe(100);
    const warned = served.log.lines.filter(({ level }) => level === 'warn');
    expect(warned).toMatchObject([
      { fields: { link: 'memory', code: 'HSK-3005', cure: expect.any(String) as string } },
    ]);
    expect(warned[0]?.fields).not.toHaveProperty('err');
  });
});
