import { describe, expect, test } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import { type ClientMessage, ClientSubscription } from '../../../src/client/subscription.ts';

const message = (topic: string, reliable = true): ClientMessage => ({
  topic,
  content: new Uint8Array(0),
  reliable,
  retained: false,
  publisher: undefined,
  responseTopic: undefined,
  correlation: undefined,
});

function setUp(limit = 2) {
  const taken: string[] = [];
  let ends = 0;
  const subscription = new ClientSubscription({
    filter: '#',
    reliable: true,
    limit,
    onEnd: () => {
      ends += 1;
    },
  });
  const push = (topic: string, reliable = true): boolean =>
    subscription.push(message(topic, reliable), () => taken.push(topic));
  return { subscription, taken, push, ends: () => ends };
}

describe('a subscription of the client', () => {
  test('a message counts as received when the reader asks for the next one', async () => {
    const { subscription, taken, push } = setUp();
    push('a');
    push('b');
    expect((await subscription.next()).value?.topic).toBe('a');
    expect(taken).toEqual([]);
    expect((await subscription.next()).value?.topic).toBe('b');
    expect(taken).toEqual(['a']);
    const third = subscription.next();
    expect(taken).toEqual(['a', 'b']);
    push('c');
    expect((await third).value?.topic).toBe('c');
  });

  test('best effort is dropped when the queue is full, what is reliable never', () => {
    const { push, taken } = setUp();
    expect([push('a'), push('b'), push('c', false), push('d')]).toEqual([true, true, false, true]);
    expect(taken).toEqual(['c']);
  });

  test('leaving the loop ends it: what waits is let go', async () => {
    const { subscription, taken, push, ends } = setUp();
    for (const topic of ['a', 'b', 'c']) push(topic);
    for await (const { topic } of subscription) if (topic === 'b') break;
    expect(taken).toEqual(['a', 'b', 'c']);
    expect(ends()).toBe(1);
    expect(push('d')).toBe(false);
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
  });

  test('a client that is closed lets the reader finish, then ends it; one that failed ends it with the error', async () => {
    const closed = setUp();
    closed.push('a');
    closed.subscription.finish(undefined);
    expect((await closed.subscription.next()).value?.topic).toBe('a');
    expect((await closed.subscription.next()).done).toBe(true);
    const failed = setUp();
    const waiting = failed.subscription.next();
    failed.subscription.finish(new HashikeError('HSK-3101', 'the token was taken away'));
    await expect(waiting).rejects.toMatchObject({ code: 'HSK-3101' });
  });
});
