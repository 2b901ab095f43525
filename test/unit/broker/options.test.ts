import { describe, expect, test } from 'vitest';
import type { Message } from '../../../src/wire/message.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { connectToken, publish, ServedBroker, subscribe } from '../../support/peer.ts';

const clients = [clientConfig('a'), clientConfig('b')];
const correlation = Uint8Array.of(1, 2, 3);

describe('what a PUBLISH may carry', () => {
  test('5.5.7: RESPONSE_TOPIC and CORRELATION are handed on, live and upstream', async () => {
    const served = await ServedBroker.open({ clients, forward: ['ask'] });
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['ask']));
    const { peer } = await served.connected('a');
    await peer.say(publish('ask', 1, { responseTopic: 'answers/a', correlation }));
    const expected = { responseTopic: 'answers/a', correlation };
    expect(b.peer.heard(MessageType.PUBLISH)).toMatchObject([{ ...expected, clientId: 'a' }]);
    expect(served.spool.kept('bridge')).toMatchObject([{ publication: expected }]);
  });

  test('5.5.7: a malformed RESPONSE_TOPIC is rejected, in a will too', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say(publish('ask', 1, { responseTopic: 'answers/#' }));
    expect(peer.heard(MessageType.REJECTED)).toMatchObject([
      { messageId: 1, reason: { code: Reason.INVALID_TOPIC } },
    ]);
    const will = { topic: 't', retain: false, responseTopic: '+', content: new Uint8Array(0) };
    const other = served.peer();
    await other.say(connectToken('b', { will }));
    expect(other.last).toMatchObject({
      type: MessageType.CONNACK_FAILED,
      reason: { code: Reason.INVALID_TOPIC },
    });
  });

  test('6.1.2: an alias that a client declares with ALIAS stands for its topic from then on', async () => {
    const served = await ServedBroker.open({ clients });
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['long/topic']));
    const { peer } = await served.connected('a');
    const alias: Message = {
      type: MessageType.ALIAS,
      timestamp: 0,
      messageId: 1,
      entries: [{ aliasId: 3, topic: 'long/topic', layout: [] }],
    };
    await peer.say(alias, { ...publish('', 2), topic: undefined, aliasId: 3 });
    await served.pass(20);
    expect(peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 2 });
    expect(b.peer.heard(MessageType.PUBLISH)).toMatchObject([{ topic: 'long/topic', clientId: 'a' }]);
  });

  test('5.7.1: an alias for a malformed topic refuses what is published by it, and nothing else', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    const entries = [{ aliasId: 3, topic: 'a/#', layout: [] }];
    await peer.say(
      { type: MessageType.ALIAS, timestamp: 0, messageId: 1, entries },
      { ...publish('', 2), topic: undefined, aliasId: 3 },
      publish('t', 3),
    );
    await served.pass(20);
    expect(peer.heard(MessageType.REJECTED)).toMatchObject([
      { messageId: 2, reason: { code: Reason.INVALID_TOPIC } },
    ]);
    expect(peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 3 });
  });

  test('5.7.2: an alias that nobody declared ends the session', async () => {
    const served = await ServedBroker.open({ clients });
    const { peer } = await served.connected('a');
    await peer.say({ ...publish('', 1), topic: undefined, aliasId: 9 });
    expect(peer.last).toMatchObject({
      type: MessageType.DISCONNECT,
      reason: { code: Reason.PROTOCOL_ERROR },
    });
  });
});
