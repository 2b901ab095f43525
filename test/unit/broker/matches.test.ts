import { describe, expect, test } from 'vitest';
import type { Route } from '../../../src/broker/audiences.ts';
import { Matches } from '../../../src/broker/matches.ts';
import type { Subscriber } from '../../../src/broker/ports.ts';
import { FilterTree } from '../../../src/topic/filter-tree.ts';
import { receivedPublish } from '../../support/peer.ts';

const listener = (clientId: string, queue?: string): Subscriber => ({ clientId, queue, deliver() {} });

function setUp() {
  const routes = new FilterTree<Route>();
  return { routes, matches: new Matches(routes) };
}

const find = (matches: Matches, topic: string) => matches.find(receivedPublish(topic));

const listenersOf = (matches: Matches, topic: string) =>
  find(matches, topic)?.audience.live.map(({ subscriber }) => subscriber.clientId);

/** About the longest that are allowed: 8 MiB are 8224 of them. */
const longTopic = (n: number): string => `${String(n).padStart(5, '0')}/${'x'.repeat(1014)}`;

describe('matches', () => {
  test('of thousands of topics each is found by its bytes, with its own subscriber', () => {
    const { routes, matches } = setUp();
    const listeners = Array.from({ length: 10 }, (_, n) => listener(`c${n}`));
    const topics = Array.from({ length: 5000 }, (_, n) => `sensors/größe/${n}`);
    for (const [n, topic] of topics.entries()) {
      const subscriber = listeners[n % 10];
      if (subscriber) routes.add(topic, { subscriber, reliable: false });
    }
    for (const round of [1, 2]) {
      for (const [n, topic] of topics.entries()) {
        expect([round, topic, listenersOf(matches, topic)]).toEqual([round, topic, [`c${n % 10}`]]);
      }
    }
  });

  test('begin anew when the topics are longer than is remembered, and stay right', () => {
    const { routes, matches } = setUp();
    routes.add('#', { subscriber: listener('all'), reliable: false });
    const first = find(matches, longTopic(0));
    expect(find(matches, longTopic(0))).toBe(first);
    for (let n = 0; n < 8300; n += 1) expect(find(matches, longTopic(n))?.topic).toBe(longTopic(n));
    expect(find(matches, longTopic(0))).not.toBe(first);
    expect(listenersOf(matches, longTopic(8299))).toEqual(['all']);
  });

  test('share the audience of topics with the same subscribers, and no other', () => {
    const { routes, matches } = setUp();
    const [a, b] = [listener('a', 'queue-a'), listener('b')];
    for (const topic of ['t/1', 't/2', 't/3', 't/4', 't/5', 't/6']) {
      routes.add(topic, { subscriber: a, reliable: topic === 't/3' });
    }
    routes.add('t/4', { subscriber: b, reliable: false });
    routes.add('t/5', { consumer: 'queue-a' });
    routes.add('t/6', { consumer: 'queue-b' });
    const audience = (topic: string) => find(matches, topic)?.audience;
    expect(audience('t/2')).toBe(audience('t/1'));
    const told = (topic: string) => ({
      durable: audience(topic)?.durable.map(({ consumer }) => consumer),
      live: audience(topic)?.live.map(
        ({ subscriber, reliable, queued }) => `${subscriber.clientId} ${reliable} ${queued}`,
      ),
    });
    expect(told('t/1')).toEqual({ durable: [], live: ['a false false'] });
    expect(told('t/3')).toEqual({ durable: [], live: ['a true false'] });
    expect(told('t/4')).toEqual({ durable: [], live: ['a false false', 'b false false'] });
    expect(told('t/5')).toEqual({ durable: ['queue-a'], live: ['a false true'] });
    expect(told('t/6')).toEqual({ durable: ['queue-b'], live: ['a false false'] });
  });
});
