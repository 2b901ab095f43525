import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import { RateLimit } from '../../../src/broker/rate-limit.ts';
import { ThrottledLink } from '../../../src/broker/throttled-link.ts';
import { WrongTokens } from '../../../src/broker/wrong-tokens.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { MemoryLink, streamCapabilities } from '../../support/memory-link.ts';
import { connectToken, publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const clients = [clientConfig('a'), clientConfig('b'), clientConfig('fleet', { shared: true })];

describe('a rate per token', () => {
  const limits = { messagesPerSecond: 10, messageBurst: 5 };

  test('5.11.1: holds the reader back, drops nothing, and leaves other tokens alone', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['#']));
    const a = await served.connected('a');
    await a.peer.say(...Array.from({ length: 30 }, (_, index) => publish('t', index + 1)));
    const heard = (): number => b.peer.heard(MessageType.PUBLISH).length;
    expect(heard()).toBe(5);
    await b.peer.say(publish('b', 2));
    expect(heard()).toBe(6);
    await served.pass(1000);
    expect(heard()).toBe(16);
    for (let second = 0; second < 3; second += 1) await served.pass(1000);
    expect(b.peer.heard(MessageType.PUBLISH).filter(({ topic }) => topic === 't')).toHaveLength(30);
    expect(a.peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 30 });
  });

  test('5.11.1: counts the clients that share a token together', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['#']));
    for (const clientName of ['one', 'two']) {
      const { peer } = await served.connected('fleet', { clientName });
      await peer.say(...Array.from({ length: 20 }, (_, index) => publish('t', index + 1)));
    }
    expect(b.peer.heard(MessageType.PUBLISH)).toHaveLength(5);
    await served.pass(1000);
    expect(b.peer.heard(MessageType.PUBLISH).length).toBeLessThanOrEqual(16);
  });

  test('5.11.1: what a peer sent before it closed is carried out, and owed', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['#']));
    const a = await served.connected('a');
    await a.peer.say(...Array.from({ length: 12 }, () => publish('t', undefined)), {
      type: MessageType.DISCONNECT,
      timestamp: 0,
    });
    await served.pass(5000);
    expect(b.peer.heard(MessageType.PUBLISH)).toHaveLength(12);
    expect(a.peer.link.isClosed).toBe(true);
  });

  test('never lets more through than burst and rate allow, and everything in the end, in order', () => {
    const step = fc.oneof(
      fc.integer({ min: 1, max: 30 }).map((send) => ({ send, wait: 0 })),
      fc.integer({ min: 1, max: 3000 }).map((wait) => ({ send: 0, wait })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const clock = new VirtualClock();
        const [inner] = MemoryLink.pair(streamCapabilities);
        const link = new ThrottledLink(inner, clock);
        const got: number[] = [];
        link.start({
          frame: (bytes) => void got.push(bytes.at(-1) ?? -1),
          drained: () => undefined,
          closed: () => undefined,
        });
        link.limitBy(new RateLimit({ clock, perSecond: 10, burst: 5 }));
        let sent = 0;
        for (const { send, wait } of steps) {
          for (let index = 0; index < send; index += 1) link.frame(Uint8Array.of(sent++ & 0xff));
          clock.advance(wait);
          expect(got.length).toBeLessThanOrEqual(5 + (clock.now() / 1000) * 10);
        }
        clock.advance(sent * 110);
        expect(got).toEqual(Array.from({ length: sent }, (_, index) => index & 0xff));
      }),
    );
  });

  test('is not in the way of a run of messages before the token is known', async () => {
    const clock = new VirtualClock();
    const [inner] = MemoryLink.pair(streamCapabilities);
    const link = new ThrottledLink(inner, clock);
    const runs: number[] = [];
    link.start({
      frame: () => undefined,
      run: (_, from, to) => void runs.push(to - from),
      drained: () => undefined,
      closed: () => undefined,
    });
    const bytes = encodeMessage(publish('t', 1));
    link.run(bytes, 0, bytes.length);
    expect(runs).toEqual([bytes.length]);
    link.limitBy(new RateLimit({ clock, perSecond: 1, burst: 1 }));
    link.run(bytes, 0, bytes.length);
    expect(runs).toHaveLength(1);
    await settle();
  });
});

describe('limits of one token', () => {
  test('5.11.2: sessions: one more gets BUSY, a client that has one may replace it', async () => {
    const served = await ServedBroker.open({ clients, limits: { connectionsPerToken: 2 } });
    await served.connected('fleet', { clientName: 'one' });
    const two = await served.connected('fleet', { clientName: 'two' });
    const three = served.peer();
    await three.say(connectToken('fleet', { clientName: 'three' }));
    expect(three.last).toMatchObject({
      type: MessageType.CONNACK_FAILED_BUSY,
      reason: { code: Reason.LIMIT, text: 'too many sessions of one token (limits.connectionsPerToken)' },
      retryAfter: 5000,
    });
    await served.connected('fleet', { clientName: 'two' });
    await served.connected('a');
    expect(two.peer.link.isClosed).toBe(true);
    const again = await served.connected('fleet', { clientName: 'two' });
    await again.peer.say({ type: MessageType.DISCONNECT, timestamp: 0 });
    await served.connected('fleet', { clientName: 'three' });
  });

  test('5.11.2: subscriptions: what goes beyond is rejected, what ends makes room', async () => {
    const served = await ServedBroker.open({ clients, limits: { subscriptionsPerToken: 3 } });
    const one = await served.connected('fleet', { clientName: 'one' });
    const two = await served.connected('fleet', { clientName: 'two' });
    await one.peer.say(subscribe(1, ['a', 'b', 'c']), subscribe(2, ['a', 'b'], true));
    await two.peer.say(subscribe(1, ['a']));
    expect(two.peer.heard(MessageType.REJECTED)).toMatchObject([
      { messageId: 1, reason: { code: Reason.LIMIT } },
    ]);
    await one.peer.say({ type: MessageType.DISCONNECT, timestamp: 0 });
    await two.peer.say(subscribe(2, ['a', 'b', 'c']));
    expect(two.peer.heard(MessageType.REJECTED)).toHaveLength(1);
  });
});

describe('wrong tokens', () => {
  const limits = { wrongTokensAtOnce: 2, unfinishedHandshakes: 100 };

  test('5.3.5: each one from an address delays the next answer twice as long; the right one never waits', async () => {
    const served = await ServedBroker.open({ clients, limits });
    for (const delay of [1000, 2000, 4000, 8000, 8000]) {
      const peer = served.peer();
      await peer.say(connectToken('nobody'));
      await served.pass(delay - 1);
      expect(peer.messages).toEqual([]);
      await served.pass(1);
      expect(peer.last).toMatchObject({ type: MessageType.CONNACK_FAILED_TOKEN_ERROR });
    }
    await served.connected('a');
    await served.pass(600_001);
    const peer = served.peer();
    await peer.say(connectToken('nobody'));
    await served.pass(1000);
    expect(peer.last).toMatchObject({ type: MessageType.CONNACK_FAILED_TOKEN_ERROR });
  });

  test('5.3.5: more of one address than may wait are turned away at once', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const peers = [served.peer(), served.peer(), served.peer()];
    for (const peer of peers) await peer.say(connectToken('nobody'));
    expect(peers.map(({ messages }) => messages.length)).toEqual([0, 0, 1]);
    expect(peers[2]?.last).toMatchObject({ type: MessageType.CONNACK_FAILED_BUSY, retryAfter: 5000 });
    expect(peers[2]?.link.isClosed).toBe(true);
    await served.connected('a');
  });

  test('are remembered for a bounded number of addresses, those heard of last', () => {
    const all = configSchema.shape.limits.parse({ wrongTokenAddresses: 2 });
    const wrong = new WrongTokens(all, new VirtualClock());
    const note = (address: string): number | undefined => {
      const delayMs = wrong.note(address);
      wrong.answered(address);
      return delayMs;
    };
    expect(['x', 'y', 'x', 'z', 'x', 'y'].map(note)).toEqual([1000, 1000, 2000, 1000, 4000, 1000]);
  });
});

describe('a disk that takes no messages', () => {
  test('5.11.3: a client whose message could not be stored gets BUSY for a while, others do not', async () => {
    const served = await ServedBroker.open({ clients, forward: ['up/#'] });
    const { peer } = await served.connected('a');
    served.spool.failure = new HashikeError('HSK-2205', 'the disk is full');
    await peer.say(publish('up/1', 1));
    expect(peer.last).toMatchObject({ type: MessageType.DISCONNECT, reason: { code: Reason.LIMIT } });
    await served.pass(1000);
    const early = served.peer();
    await early.say(connectToken('a'));
    expect(early.last).toMatchObject({ type: MessageType.CONNACK_FAILED_BUSY, retryAfter: 4000 });
    await served.connected('b');
    served.spool.failure = undefined;
    await served.pass(4000);
    const again = await served.connected('a');
    await again.peer.say(publish('up/1', 1));
    await served.pass(20);
    expect(again.peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: 1 });
  });
});
