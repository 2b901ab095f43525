import { describe, expect, test } from 'vitest';
import { Conflation } from '../../../src/broker/conflation.ts';
import type { BestEffort } from '../../../src/session/ports.ts';
import type { Publish } from '../../../src/wire/message.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import type { Publication } from '../../../src/wire/publication.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { type Peer, publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';
import { publicationOf } from '../../support/publications.ts';

const clients = [clientConfig('a'), clientConfig('slow'), clientConfig('quick')];
const limits = { sendQueueBytes: 16_384 };

/** A best-effort reading of 1 KB. */
function large(topic: string, value: number, more: Partial<Publish> = {}): Publish {
  const content = new Uint8Array(1024);
  const view = new DataView(content.buffer);
  view.setUint32(0, 0x8001_03fc);
  view.setUint32(4, value);
  return publish(topic, undefined, { content, ...more });
}

function values(peer: Peer, topic: string): readonly number[] {
  return peer
    .heard(MessageType.PUBLISH)
    .filter((message) => message.topic === topic)
    .map(({ content }) => new DataView(content.buffer, content.byteOffset).getUint32(4));
}

describe('a subscriber that does not keep up', () => {
  test('5.5.4: gets of each best-effort topic the newest, once there is room, in order and counted', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const slow = await served.connected('slow');
    await slow.peer.say(subscribe(1, ['#'], true));
    const a = await served.connected('a');
    slow.peer.link.pause();
    for (let round = 1; round <= 100; round += 1) {
      for (const topic of ['x', 'y']) await a.peer.say(large(topic, round));
    }
    slow.peer.link.resume();
    await settle();
    await a.peer.say(large('x', 101), large('y', 101));
    await settle();
    for (const topic of ['x', 'y']) {
      const got = values(slow.peer, topic);
      expect(got.slice(-2)).toEqual([100, 101]);
      expect(got).toEqual(got.toSorted((one, other) => one - other));
      expect(got.length).toBeLessThan(30);
    }
    const lost = served.counters.drops('session', 'conflated').value;
    expect(lost + values(slow.peer, 'x').length + values(slow.peer, 'y').length).toBe(202);
    expect(served.counters.counter('slow_consumers').value).toBe(0);
  });

  test('5.5.4: never slows another one, reliable or not', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const stalled = await served.connected('slow');
    await stalled.peer.say(subscribe(1, ['best'], true), subscribe(2, ['sure']));
    stalled.peer.link.pause();
    const quick = await served.connected('quick');
    await quick.peer.say(subscribe(1, ['best'], true), subscribe(2, ['sure']));
    const a = await served.connected('a');
    for (let value = 1; value <= 50; value += 1) {
      await a.peer.say(large('best', value), large('sure', value, { messageId: value }));
      await quick.peer.say({ type: MessageType.ACK, timestamp: 0, messageId: value });
      expect(values(quick.peer, 'best').at(-1)).toBe(value);
      expect(values(quick.peer, 'sure').at(-1)).toBe(value);
      await served.pass(0);
      expect(a.peer.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: value });
    }
    expect(served.counters.counter('slow_consumers').value).toBe(1);
  });

  test('5.5.4: what waits for a link that breaks is gone, and counted', async () => {
    const served = await ServedBroker.open({ clients, limits });
    const slow = await served.connected('slow');
    await slow.peer.say(subscribe(1, ['#'], true));
    const a = await served.connected('a');
    slow.peer.link.pause();
    for (let value = 1; value <= 20; value += 1) await a.peer.say(large(`${value % 4}`, value));
    slow.peer.link.break();
    await settle();
    expect(served.counters.drops('session', 'link-lost').value).toBeGreaterThan(0);
    await a.peer.say(large('x', 1));
    expect(served.counters.drops('session', 'detached').value).toBe(1);
  });
});

function house(maxBytes = 10_000) {
  const sent: Publication[] = [];
  const drops: string[] = [];
  const state: { answer: BestEffort; wall: number } = { answer: 'full', wall: 0 };
  const conflation = new Conflation({
    maxBytes,
    wall: () => state.wall,
    send: (publication) => {
      if (state.answer === 'sent') sent.push(publication);
      return state.answer;
    },
    dropped: (reason) => drops.push(reason),
  });
  return { conflation, sent, drops, state };
}

describe('conflation', () => {
  test('5.5.6: leaves out what has expired', () => {
    const { conflation, sent, drops, state } = house();
    conflation.put(publicationOf(1, { topic: 'a', expiresAt: 10 }));
    conflation.put(publicationOf(2, { topic: 'b' }));
    state.wall = 10;
    state.answer = 'sent';
    conflation.flush();
    expect(sent.map(({ topic }) => topic)).toEqual(['b']);
    expect(drops).toEqual(['expired']);
    expect(conflation.active).toBe(false);
  });

  test('5.5.4: is bounded in bytes: the topic that waits for longest goes', () => {
    const { conflation, sent, drops, state } = house(1000);
    for (const topic of ['a', 'b', 'c', 'a']) {
      conflation.put(publicationOf(1, { topic, content: new Uint8Array(300) }));
    }
    state.answer = 'sent';
    conflation.flush();
    expect(sent.map(({ topic }) => topic)).toEqual(['c', 'a']);
    expect(drops).toEqual(['send-queue-full', 'send-queue-full']);
  });
});
