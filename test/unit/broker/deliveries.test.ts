import { describe, expect, test } from 'vitest';
import { encodeContent } from '../../../src/wire/content.ts';
import type { AliasEntry } from '../../../src/wire/message.ts';
import { MessageType, ShortKind } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { wireCapabilities } from '../../support/memory-link.ts';
import { connectToken, publish, ServedBroker, subscribe } from '../../support/peer.ts';

const clients = ['a', 'b', 'c'].map((name) => clientConfig(name));

describe('deliveries', () => {
  test('4.2.1: content arrives byte for byte and in order, also of types that nobody knows', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer: reader } = await served.connected('a');
    const { peer: writer } = await served.connected('b');
    await reader.say(subscribe(1, ['t']));
    const content = encodeContent([
      { contentType: 0xffff, value: Uint8Array.of(0, 255, 7) },
      { contentType: 0x8000, value: new Uint8Array(0) },
      { contentType: 0xffff, value: Uint8Array.of(1) },
    ]);
    await writer.say(publish('t', 1, { content }));
    expect(reader.heard(MessageType.PUBLISH).map((delivery) => [...delivery.content])).toEqual([
      [...content],
    ]);
  });

  test('5.5.1: a delivery is reliable when both the publish and the subscription are', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer: reliable } = await served.connected('a');
    const { peer: bestEffort } = await served.connected('b');
    const { peer: writer } = await served.connected('c');
    await reliable.say(subscribe(1, ['t']));
    await bestEffort.say(subscribe(1, ['t'], true));
    await writer.say(publish('t', 1), publish('t', undefined));
    const numbers = (peer: typeof reliable): unknown[] =>
      peer.heard(MessageType.PUBLISH).map(({ messageId }) => messageId);
    expect(numbers(reliable)).toEqual([1, undefined]);
    expect(numbers(bestEffort)).toEqual([undefined, undefined]);
  });

  test('5.5.3: a client receives what it publishes itself when it subscribes to it', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(subscribe(1, ['t']), publish('t', 2), publish('other', 3));
    expect(peer.heard(MessageType.PUBLISH)).toMatchObject([{ topic: 't', clientId: 'a' }]);
  });
});

test('5.5.6: EXPIRY counts from the moment the server receives the publish; a delivery carries what is left', async () => {
  const served = await ServedBroker.open({
    clients: [clientConfig('node', { profile: 'valve' }), clientConfig('a')],
    profiles: { valve: { contents: [], aliases: [], commands: ['node/set'] } },
  });
  const { peer: writer } = await served.connected('a');
  await writer.say(publish('node/set', 1, { expiry: 1000 }));
  await served.pass(400);
  const { peer: node } = await served.connected('node', {}, wireCapabilities);
  await served.pass(100);
  expect(node.heard(MessageType.PUBLISH)).toMatchObject([{ topic: 'node/set', expiry: 600 }]);
});

function entries(count: number): AliasEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    aliasId: index % 256,
    topic: `t/${index}`,
    layout: [],
  }));
}

test('9.4: a session has at most 256 aliases', async () => {
  const served = await ServedBroker.open({ clients });
  await served.connected('a', { aliases: entries(256) });
  const peer = served.peer();
  await peer.say(connectToken('b', { aliases: entries(257) }));
  expect(peer.messages).toMatchObject([{ type: MessageType.CONNACK_FAILED }]);
});

test('6.5.5: RESUME is good only at the place where the session was established', async () => {
  const served = await ServedBroker.open({ clients: [clientConfig('node')] });
  const { connack } = await served.connected('node', {}, wireCapabilities);
  const [high = 0, low = 0] = connack.sessionId.slice(-2);
  const resume = { kind: ShortKind.RESUME, answer: false, session16: (high << 8) | low, id8: 0 } as const;
  const stranger = served.peer({ ...wireCapabilities, place: '/dev/ttyOther' });
  await stranger.sayShort(resume);
  expect(stranger.short).toEqual([{ kind: ShortKind.RESET }]);
  const node = served.peer(wireCapabilities);
  await node.sayShort(resume);
  expect(node.short.map(({ kind }) => kind)).not.toContain(ShortKind.RESET);
});
