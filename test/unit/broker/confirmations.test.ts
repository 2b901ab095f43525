import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Confirmations } from '../../../src/broker/confirmations.ts';
import { MessageType, ShortKind } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { wireCapabilities } from '../../support/memory-link.ts';
import { connectResume, type Peer, publish, ServedBroker, settle } from '../../support/peer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const clients = [clientConfig('a'), clientConfig('b')];
const options = { clients, forward: ['up/#'] };

/** The upstream is done with the oldest records that lie there for it. */
async function take(served: ServedBroker, count: number): Promise<void> {
  const consumer = served.spool.consumer('bridge');
  for (const { seq, publication } of served.spool.kept('bridge').slice(0, count)) {
    served.broker.taken(publication.origin, 'bridge');
    await consumer.acknowledge(seq);
  }
  await served.pass(20);
}

function confirmed(peer: Peer): readonly number[] {
  return peer.messages.flatMap((message) =>
    message.type === MessageType.CONFIRMED ? [message.messageId] : [],
  );
}

describe('CONFIRMED', () => {
  test('5.10.1: tells a client that asked, cumulatively, what the upstream has taken', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a', { confirm: true });
    await peer.say(publish('up/1', 1), publish('up/2', 2), publish('up/3', 3));
    await served.pass(20);
    expect(confirmed(peer)).toEqual([]);
    await take(served, 1);
    expect(confirmed(peer)).toEqual([1]);
    await take(served, 2);
    expect(confirmed(peer)).toEqual([1, 3]);
  });

  test('5.10.1: a client that did not ask is told nothing', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a');
    await peer.say(publish('up/1', 1));
    await take(served, 1);
    expect(confirmed(peer)).toEqual([]);
  });

  test('5.10.2: what no upstream wants is confirmed with its ACK, but not before what came before it', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a', { confirm: true });
    await peer.say(publish('local', 1));
    await served.pass(20);
    expect(confirmed(peer)).toEqual([1]);
    await peer.say(publish('up/1', 2), publish('local', 3));
    await served.pass(20);
    expect(confirmed(peer)).toEqual([1]);
    await take(served, 1);
    expect(confirmed(peer)).toEqual([1, 3]);
  });

  test('5.10.2: a message is not confirmed before it is acknowledged', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a', { confirm: true });
    served.spool.held = true;
    await peer.say(publish('up/1', 1), publish('local', 2));
    await served.pass(100);
    expect(confirmed(peer)).toEqual([]);
  });

  test('5.10.3: what was taken while the link was broken is told on the resume, and the last one again', async () => {
    const served = await ServedBroker.open(options);
    const { peer, connack } = await served.connected('a', { confirm: true });
    await peer.say(publish('up/1', 1), publish('up/2', 2));
    peer.link.break();
    await settle();
    await take(served, 1);
    const again = served.peer();
    await again.say(connectResume(connack));
    await served.pass(20);
    expect(confirmed(again)).toEqual([1]);
    again.link.break();
    await settle();
    const third = served.peer();
    await third.say(connectResume(connack));
    await served.pass(20);
    expect(confirmed(third)).toEqual([1]);
  });

  test('5.10.3: a node whose context outlived the gateway hears of what was under way', async () => {
    const served = await ServedBroker.open(options);
    const { peer } = await served.connected('a', { confirm: true }, wireCapabilities);
    await peer.say(publish('up/1', 1), publish('up/2', 2));
    await served.pass(20);
    const next = await served.restart();
    const again = next.peer(wireCapabilities);
    await settle();
    await again.sayShort({ kind: ShortKind.RESUME, answer: true, session16: sessionEnd(again), id8: 0 });
    await next.pass(100);
    const heard = (): readonly number[] =>
      again.short.flatMap((frame) => (frame.kind === ShortKind.ACK && frame.confirmed ? [frame.id8] : []));
    expect(heard()).toEqual([]);
    await take(next, 1);
    expect(heard()).toEqual([1]);
    await take(next, 1);
    expect(heard()).toEqual([1, 2]);
  });

  test('5.10.4: a batch is confirmed when all of its readings are taken', async () => {
    const served = await ServedBroker.open({
      clients: [clientConfig('a', { profile: 'node' })],
      forward: ['up/#'],
      profiles: {
        node: {
          contents: [{ type: 0x8001, name: 'x', encoding: 'u8' }],
          aliases: [{ alias: 1, topic: 'up/1', layout: ['x'] }],
          commands: [],
        },
      },
    });
    const { peer } = await served.connected('a', { confirm: true }, wireCapabilities);
    const body = new Uint8Array([1, 7, 1, 8]);
    await peer.sayShort({ kind: ShortKind.PUBLISH_BATCH, alias: 1, id8: 1, count: 2, readings: body });
    await served.pass(100);
    expect(served.spool.kept('bridge')).toHaveLength(2);
    const heard = (): number =>
      peer.short.filter((frame) => frame.kind === ShortKind.ACK && frame.confirmed).length;
    await take(served, 1);
    expect(heard()).toBe(0);
    await take(served, 1);
    expect(heard()).toBe(1);
  });

  test('5.10.2: whatever several upstreams take and when, a number is told when all before it are taken by all, and in the end all are', () => {
    const message = fc.array(fc.constantFrom('one', 'two', 'other'), { maxLength: 3 });
    const step = fc.oneof(
      message.map((wants) => ({ kind: 'publish' as const, wants: new Set(wants) })),
      fc.constantFrom('one', 'two', 'other').map((who) => ({ kind: 'take' as const, who })),
      fc.constant({ kind: 'settle' as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const clock = new VirtualClock();
        const queues = new Map(['one', 'two', 'other'].map((name) => [name, new Array<number>()]));
        const confirmations = new Confirmations();
        for (const name of ['one', 'two']) {
          confirmations.addUpstream(name, {
            get depth() {
              return { messages: queues.get(name)?.length ?? 0, bytes: 0 };
            },
          });
        }
        let settled = 0;
        let published = 0;
        const told: number[] = [];
        const confirming = confirmations.open({
          clock,
          sessionId: '01',
          settled: () => settled,
          tell: (messageId) => told.push(messageId) > 0,
        });
        const takeOne = (who: string): void => {
          const queue = queues.get(who) ?? [];
          const [messageId = 0] = queue;
          if (messageId === 0 || messageId > settled) return;
          queue.shift();
          confirmations.taken({ clientId: 'a', sessionId: '01', messageId }, who);
        };
        const check = (): void => {
          clock.advance(20);
          const open = [...(queues.get('one') ?? []), ...(queues.get('two') ?? [])];
          const first = Math.min(settled + 1, ...open);
          expect(told.at(-1) ?? 0).toBeLessThan(first);
        };
        for (const each of steps) {
          if (each.kind === 'publish') {
            published += 1;
            for (const who of each.wants) {
              queues.get(who)?.push(published);
              confirmations.given({ clientId: 'a', sessionId: '01', messageId: published }, who);
            }
          } else if (each.kind === 'settle') {
            settled = published;
            confirming.changed();
          } else takeOne(each.who);
          check();
        }
        settled = published;
        confirming.changed();
        for (const who of ['one', 'two']) for (let left = 40; left > 0; left -= 1) takeOne(who);
        clock.advance(20);
        expect(told.at(-1) ?? 0).toBe(published);
        expect(told).toEqual([...new Set(told)].toSorted((x, y) => x - y));
      }),
    );
  });
});

/** The two bytes of the SESSION_ID with which the gateway began. */
function sessionEnd({ short }: Peer): number {
  const [resume] = short;
  return resume?.kind === ShortKind.RESUME ? resume.session16 : -1;
}
