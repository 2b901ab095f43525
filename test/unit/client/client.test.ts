import { describe, expect, test } from 'vitest';
import type { HashikeError } from '../../../src/base/errors.ts';
import { connect, encodeContent, type HashikeClient } from '../../../src/client/index.ts';
import { settingsOf } from '../../../src/client/connect.ts';
import type { Link } from '../../../src/links/link.ts';
import type { Message } from '../../../src/wire/message.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { MemoryLink } from '../../support/memory-link.ts';
import { Peer, settle } from '../../support/peer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const content = encodeContent([{ contentType: 0x8001, value: new Uint8Array([1]) }]);

/** A server that answers as the test says: one peer for each connection of the client. */
class ScriptedServer {
  readonly clock = new VirtualClock();
  readonly peers: Peer[] = [];

  readonly dial = (): Promise<Link> => {
    const [client, server] = MemoryLink.pair();
    this.peers.push(new Peer(server));
    return Promise.resolve(client);
  };

  get peer(): Peer {
    const peer = this.peers.at(-1);
    if (!peer) throw new Error('nobody connected');
    return peer;
  }

  async connect(answer: Message = success(1)): Promise<HashikeClient> {
    const { clock, dial } = this;
    const connecting = connect({ token: 't', clock, dial });
    // Its rejection is looked at when it is awaited.
    connecting.catch(() => undefined);
    await settle();
    await this.peer.say(answer);
    return connecting;
  }

  /** The cable is pulled, and the client is back. */
  async broken(answer: Message): Promise<void> {
    this.peer.link.break();
    await settle();
    this.clock.advance(200);
    await settle();
    await this.peer.say(answer);
  }
}

function success(session: number): Message {
  return {
    type: MessageType.CONNACK_SUCCESS,
    timestamp: 1,
    clientId: 'me',
    sessionId: new Uint8Array(8).fill(session),
    resumeKey: new Uint8Array(16).fill(session),
    keepAlive: 60_000,
    resumeWindow: 60_000,
    serverTime: 0,
  };
}

const ack = (messageId: number): Message => ({ type: MessageType.ACK, timestamp: 0, messageId });
const numbers = (peer: Peer): (number | undefined)[] =>
  peer.heard(MessageType.PUBLISH).map(({ messageId }) => messageId);

/** The code of the error with which a promise is rejected; empty when it is not. */
function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => '',
    (error: HashikeError) => error.code,
  );
}

describe('the client', () => {
  test('6.5.6: a server that has lost state gets what it has not acknowledged in a new session', async () => {
    const server = new ScriptedServer();
    const client = await server.connect();
    const first = client.publish('a', content);
    await server.peer.say(ack(1));
    await first;
    const second = client.publish('b', content);
    await server.broken({ type: MessageType.CONNACK_RESUMED, timestamp: 1, messageId: 0, serverTime: 0 });
    const resumed = server.peer;
    expect(resumed.heard(MessageType.CONNECT_RESUME)).toHaveLength(1);
    expect(resumed.last).toMatchObject({ reason: { code: Reason.STATE_LOST } });
    expect(numbers(resumed)).toEqual([]);
    await settle();
    server.clock.advance(1000);
    await settle();
    expect(server.peer.messages).toMatchObject([{ type: MessageType.CONNECT_TOKEN }]);
    await server.peer.say(success(2));
    expect(server.peer.heard(MessageType.PUBLISH)).toMatchObject([{ messageId: 1, topic: 'b' }]);
    await server.peer.say(ack(1));
    await second;
    await client.close();
  });

  test('a wrong token, a refusal and a busy server are told apart', async () => {
    const answers: [Message, HashikeError['code']][] = [
      [{ type: MessageType.CONNACK_FAILED_TOKEN_ERROR, timestamp: 0 }, 'HSK-3101'],
      [
        { type: MessageType.CONNACK_FAILED, timestamp: 0, reason: { code: Reason.LIMIT, text: 'no' } },
        'HSK-3102',
      ],
      [{ type: MessageType.CONNACK_FAILED_VERSION, timestamp: 0, versions: [2] }, 'HSK-3102'],
      [{ type: MessageType.CONNACK_FAILED_BUSY, timestamp: 0, retryAfter: 9 }, 'HSK-3107'],
      [{ type: MessageType.PONG, timestamp: 0, echo: 1 }, 'HSK-3102'],
    ];
    for (const [answer, code] of answers) {
      await expect(new ScriptedServer().connect(answer)).rejects.toMatchObject({ code });
    }
  });

  test('a server that does not answer is given up in time', async () => {
    const server = new ScriptedServer();
    const connecting = connect({ token: 't', clock: server.clock, dial: server.dial, timeoutMs: 500 });
    const failed = codeOf(connecting);
    await settle();
    server.clock.advance(500);
    expect(await failed).toBe('HSK-3104');
  });

  test('publish resolves at the ACK, and rejects when it is refused', async () => {
    const server = new ScriptedServer();
    const client = await server.connect();
    const done: string[] = [];
    const first = client.publish('a', content).then(() => done.push('first'));
    const second = codeOf(client.publish('b', content));
    await settle();
    expect([numbers(server.peer), done]).toEqual([[1, 2], []]);
    await server.peer.say(
      {
        type: MessageType.REJECTED,
        timestamp: 0,
        messageId: 2,
        reason: { code: Reason.NOT_ALLOWED, text: 'no' },
      },
      ack(2),
    );
    await first;
    expect(await second).toBe('HSK-3103');
  });

  test('after a break it resumes and sends again what the server has not', async () => {
    const server = new ScriptedServer();
    const client = await server.connect();
    const sent = [client.publish('a', content), client.publish('b', content)];
    await settle();
    await server.broken({ type: MessageType.CONNACK_RESUMED, timestamp: 5, messageId: 1, serverTime: 0 });
    expect(server.peer.messages[0]).toMatchObject({
      type: MessageType.CONNECT_RESUME,
      sessionId: new Uint8Array(8).fill(1),
      messageId: 0,
    });
    await sent[0];
    expect(numbers(server.peer)).toEqual([2]);
    await server.peer.say(ack(2));
    await sent[1];
  });

  test('5.4.3: when the session is gone it says again, under new numbers, only what never arrived', async () => {
    const server = new ScriptedServer();
    const client = await server.connect();
    const subscribing = client.subscribe('x');
    await settle();
    await server.peer.say(ack(1));
    await subscribing;
    const sent = [client.publish('a', content), client.publish('b', content)];
    await settle();
    await server.broken({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, timestamp: 0, messageId: 2 });
    await sent[0];
    await settle();
    expect(server.peer.messages[0]?.type).toBe(MessageType.CONNECT_TOKEN);
    await server.peer.say(success(2));
    expect(server.peer.heard(MessageType.SUBSCRIBE)).toMatchObject([{ messageId: 1, topics: ['x'] }]);
    expect(server.peer.heard(MessageType.PUBLISH)).toMatchObject([{ messageId: 2, topic: 'b' }]);
    await server.peer.say(ack(2));
    await sent[1];
  });

  test('a busy server is left alone as long as it asks', async () => {
    const server = new ScriptedServer();
    await server.connect();
    await server.broken({ type: MessageType.CONNACK_FAILED_BUSY, timestamp: 0, retryAfter: 8000 });
    server.clock.advance(7999);
    await settle();
    expect(server.peers).toHaveLength(2);
    server.clock.advance(1);
    await settle();
    expect(server.peers).toHaveLength(3);
  });

  test('a token that is taken away, or a session that is taken over, is final', async () => {
    const server = new ScriptedServer();
    const client = await server.connect();
    const failed = codeOf(client.publish('a', content));
    await settle();
    await server.broken({ type: MessageType.CONNACK_FAILED_TOKEN_ERROR, timestamp: 0 });
    expect(await failed).toBe('HSK-3101');
    await expect(client.publish('a', content)).rejects.toMatchObject({ code: 'HSK-3101' });
    const other = new ScriptedServer();
    const second = await other.connect();
    await other.peer.say({
      type: MessageType.DISCONNECT,
      timestamp: 0,
      reason: { code: Reason.TAKEN_OVER, text: 'x' },
    });
    await expect(second.publish('a', content)).rejects.toMatchObject({ code: 'HSK-3104' });
    other.clock.advance(60_000);
    await settle();
    expect(other.peers).toHaveLength(1);
  });

  test('more than may wait is refused, not kept', async () => {
    const { clock, dial, ...server } = new ScriptedServer();
    const connecting = connect({ token: 't', clock, dial, sendQueueBytes: 100 });
    await settle();
    await server.peers[0]?.say(success(1));
    const client = await connecting;
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => {
        const publishing = client.publish(`topic/${index}`, content);
        if (index === 9) void client.close();
        return publishing;
      }),
    );
    const codes = results.map((result) =>
      result.status === 'rejected' ? (result.reason as HashikeError).code : '',
    );
    expect(new Set(codes)).toEqual(new Set(['HSK-3104', 'HSK-3105']));
  });

  test('close says goodbye, rejects what waits and ends the readers', async () => {
    const server = new ScriptedServer();
    const client = await server.connect();
    const subscribing = client.subscribe('x');
    await settle();
    await server.peer.say(ack(1));
    const subscription = await subscribing;
    const failed = codeOf(client.publish('a', content));
    await client.close();
    expect(await failed).toBe('HSK-3104');
    expect((await subscription.next()).done).toBe(true);
    await settle();
    expect(server.peer.last?.type).toBe(MessageType.DISCONNECT);
    await expect(client.publish('a', content)).rejects.toMatchObject({ code: 'HSK-3104' });
  });
});

test('close ends a reader whose subscription is being made again, without an error', async () => {
  const server = new ScriptedServer();
  const client = await server.connect();
  const subscribing = client.subscribe('x');
  await settle();
  await server.peer.say(ack(1));
  const subscription = await subscribing;
  await server.broken({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, timestamp: 0 });
  await settle();
  await server.peer.say(success(2));
  expect(server.peer.heard(MessageType.SUBSCRIBE)).toHaveLength(1);
  const next = subscription.next();
  await client.close();
  expect((await next).done).toBe(true);
});

test('the address is a URL or a host and a port', () => {
  expect(() => settingsOf({ token: 't', url: 'hashike://[::1]:99' })).not.toThrow();
  for (const url of ['localhost:99', 'mqtt://x', 'hashike://', 'http://a b']) {
    expect(() => settingsOf({ token: 't', url })).toThrow(expect.objectContaining({ code: 'HSK-3106' }));
  }
});
