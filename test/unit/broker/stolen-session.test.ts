import { describe, expect, test } from 'vitest';
import type { ConnackSuccess } from '../../../src/wire/message.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { connectResume, type Peer, publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';

/** A session with a subscription, another client that publishes, and a thief who knows the SESSION_ID. */
async function house(): Promise<{
  readonly served: ServedBroker;
  readonly victim: Peer;
  readonly publisher: Peer;
  readonly connack: ConnackSuccess;
  /** Tries a key; gives all that was answered, also later. */
  readonly steal: (resumeKey: Uint8Array) => Promise<Peer>;
}> {
  const served = await ServedBroker.open({ clients: [clientConfig('victim'), clientConfig('other')] });
  const { peer: victim, connack } = await served.connected('victim');
  await victim.say(subscribe(1, ['secret']));
  const { peer: publisher } = await served.connected('other');
  return {
    served,
    victim,
    publisher,
    connack,
    steal: async (resumeKey) => {
      const thief = served.peer();
      await thief.say(connectResume({ ...connack, resumeKey }));
      return thief;
    },
  };
}

/** Of the true key: none, one bit away, and another. */
function wrongKeys({ resumeKey }: ConnackSuccess): readonly Uint8Array[] {
  return [
    new Uint8Array(16),
    resumeKey.map((byte, index) => (index === 15 ? byte ^ 1 : byte)),
    resumeKey.toReversed(),
  ];
}

describe('a SESSION_ID without its RESUME_KEY', () => {
  test('5.4.3: gets no number, no delivery and no connection, and its client notices nothing', async () => {
    const { served, victim, publisher, connack, steal } = await house();
    await publisher.say(publish('secret', 1));
    const thieves: Peer[] = [];
    for (const key of wrongKeys(connack)) thieves.push(await steal(key));
    await publisher.say(publish('secret', 2));
    await served.pass(50);
    for (const thief of thieves) {
      expect(thief.messages).toMatchObject([
        { type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: undefined },
      ]);
      expect(thief.link.isClosed).toBe(true);
    }
    expect(victim.heard(MessageType.PUBLISH).map(({ messageId }) => messageId)).toEqual([1, 2]);
    expect(victim.heard(MessageType.DISCONNECT)).toEqual([]);
  });

  test('5.4.3: gets nothing while the client is away either, who then finds all of it', async () => {
    const { served, victim, publisher, connack, steal } = await house();
    victim.link.break();
    await settle();
    await publisher.say(publish('secret', 1));
    for (const key of wrongKeys(connack)) {
      const { messages } = await steal(key);
      expect(messages).toHaveLength(1);
    }
    const back = served.peer();
    await back.say(connectResume(connack));
    expect(back.messages[0]).toMatchObject({ type: MessageType.CONNACK_RESUMED, messageId: 1 });
    expect(back.heard(MessageType.PUBLISH)).toHaveLength(1);
  });

  test('5.4.3: does not learn from a session that is over what had arrived', async () => {
    const { served, victim, connack, steal } = await house();
    await victim.say({ type: MessageType.DISCONNECT, timestamp: 0 });
    for (const key of wrongKeys(connack)) {
      const { messages } = await steal(key);
      expect(messages).toMatchObject([{ messageId: undefined }]);
    }
    const own = served.peer();
    await own.say(connectResume(connack));
    expect(own.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 1 });
  });
});

describe('two connections that resume one session', () => {
  test('5.4.2: the later one has it, whichever was first, and only that one is told anything', async () => {
    const { served, publisher, connack } = await house();
    const peers = [served.peer(), served.peer(), served.peer()];
    for (const peer of peers) await peer.say(connectResume(connack));
    await publisher.say(publish('secret', 1));
    await served.pass(50);
    for (const peer of peers.slice(0, 2)) {
      expect(peer.last).toMatchObject({ type: MessageType.DISCONNECT, reason: { code: Reason.TAKEN_OVER } });
      expect(peer.heard(MessageType.PUBLISH)).toEqual([]);
      expect(peer.link.isClosed).toBe(true);
    }
    expect(peers[2]?.heard(MessageType.PUBLISH)).toHaveLength(1);
  });
});
