import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { trusted } from '../../src/broker/access.ts';
import type { Delivery, Subscriber } from '../../src/broker/ports.ts';
import { encodeMessage } from '../../src/wire/long-form.ts';
import type { Message, Publish } from '../../src/wire/message.ts';
import { MessageType } from '../../src/wire/numbers.ts';
import { clientConfig } from '../support/broker-house.ts';
import { publish, ServedBroker, settle, subscribe } from '../support/peer.ts';

/** `d/…` goes to disk, `x` may not be published to, `t/+` is no topic. */
const topics = ['t/1', 't/2', 't/1/long', 'd/1', 'x', 't/+', '$sys'];
const clients = [
  clientConfig('pub', { publish: ['t/#', 'd/#', '$sys'] }),
  clientConfig('sub'),
  clientConfig('all'),
];
const watcher = trusted('watcher');

interface Said {
  readonly topic: string;
  readonly number: 'none' | 'next' | 'again' | 'skips';
  readonly more: Partial<Publish>;
  readonly contentBytes: number;
}

const said: fc.Arbitrary<Said> = fc.record({
  topic: fc.constantFrom(...topics),
  number: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('none' as const, 'next' as const) },
    { weight: 1, arbitrary: fc.constantFrom('again' as const, 'skips' as const) },
  ),
  more: fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Partial<Publish>>(
        { retain: true },
        { expiry: 5000 },
        { responseTopic: 't/2' },
        { correlation: new Uint8Array([1, 2, 3]) },
        { timestamp: 7 },
        { clientId: 'somebody else' },
        { content: new Uint8Array(0) },
      ),
    },
  ),
  contentBytes: fc.oneof(fc.nat(20), fc.constantFrom(700, 5000)),
});

/** What the publisher does between two moments in which time passes. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ say: fc.array(said, { minLength: 1, maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ subscribe: fc.constantFrom('t/#', 't/1', '+/1') }) },
  { weight: 1, arbitrary: fc.record({ diskWaits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.nat(3000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Watcher implements Subscriber {
  readonly clientId = 'watcher';
  readonly got: Delivery[] = [];

  deliver(delivery: Delivery): void {
    // The content is the broker's for the time of the call.
    const { content } = delivery.publication;
    this.got.push({ ...delivery, publication: { ...delivery.publication, content: content.slice() } });
  }
}

/** Everything that can be seen of a broker to which a publisher says all this. */
async function observe(steps: readonly Step[], lastValues: number, runs: boolean): Promise<unknown> {
  const limits = { lastValues };
  const served = await ServedBroker.open({ clients, forward: ['d/#'], runs, limits });
  const { peer: pub } = await served.connected('pub', { keepAlive: 0 });
  const { peer: sub } = await served.connected('sub', { keepAlive: 0 });
  const { peer: all } = await served.connected('all', { keepAlive: 0 });
  await sub.say(subscribe(1, ['t/1', 't/+', 'd/#']));
  await all.say(subscribe(1, ['#'], true));
  const watching = new Watcher();
  served.broker.subscribe('t/#', watching, watcher, { reliable: true });
  let number = 0;
  for (const each of steps) {
    if ('pass' in each) {
      await served.pass(each.pass);
    } else if ('diskWaits' in each) {
      served.spool.held = each.diskWaits;
      if (!each.diskWaits) served.spool.commit();
    } else if ('subscribe' in each) {
      number += 1;
      await pub.say(subscribe(number, [each.subscribe]));
    } else {
      for (const { topic, number: how, more, contentBytes } of each.say) {
        if (how === 'next') number += 1;
        const messageId = { none: undefined, next: number, again: Math.max(1, number), skips: number + 2 }[
          how
        ];
        const filled = new Uint8Array(Math.ceil(contentBytes / 4) * 4 + 4).fill(contentBytes);
        filled.set([0x80, 0x01, (filled.length - 4) >> 8, (filled.length - 4) & 0xff]);
        pub.link.send(encodeMessage(publish(topic, messageId, { content: filled, ...more })));
      }
      await settle();
    }
    // What is acknowledged as soon as nothing else is to be done.
    await served.pass(25);
  }
  served.spool.held = false;
  served.spool.commit();
  await served.pass(25);
  const values = ['t/1', 't/2', 'd/1', '$sys'].map((topic) => served.broker.lastValue(topic, watcher));
  return {
    heard: [pub, sub, all].map((peer) => [
      peer.messages.filter(({ type }) => type !== MessageType.ACK && type !== MessageType.CONNACK_SUCCESS),
      // How many there are, and when, is the session's choice within clause 5.2.1.
      lastAcknowledged(peer.messages),
      peer.link.isClosed,
    ]),
    watched: watching.got.map(withoutSession),
    kept: served.spool.kept('bridge').map(({ publication }) => withoutSession({ publication })),
    lastValues: values.map((publication) => publication && withoutSession({ publication })),
    counters: served.counters.read(),
    errors: served.log.texts('error'),
  };
}

function lastAcknowledged(messages: readonly Message[]): unknown {
  const ack = messages.findLast(({ type }) => type === MessageType.ACK);
  return ack && 'messageId' in ack ? ack.messageId : undefined;
}

/** Sessions are told apart by chance. */
function withoutSession(delivery: Pick<Delivery, 'publication'>): unknown {
  const { publication } = delivery;
  return { ...delivery, publication: { ...publication, origin: { ...publication.origin, sessionId: '' } } };
}

describe('messages that come together', () => {
  test('have the same effect as one by one, whatever is among them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(0, 100),
        async (steps, lastValues) => {
          expect(await observe(steps, lastValues, true)).toEqual(await observe(steps, lastValues, false));
        },
      ),
      { numRuns: 300 },
    );
  });
});
