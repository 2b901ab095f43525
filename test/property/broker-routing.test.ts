import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Counters } from '../../src/base/counters.ts';
import { Access, trusted } from '../../src/broker/access.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { Delivery, Subscription } from '../../src/broker/ports.ts';
import { MemorySpool } from '../support/memory-spool.ts';
import { publicationOf } from '../support/publications.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const by = trusted('tests');
const level = fc.constantFrom('a', 'b', '', '$s');
const topic = fc
  .array(level, { minLength: 1, maxLength: 3 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '');
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');

type Operation =
  | { readonly kind: 'subscribe'; readonly filter: string; readonly who: number; readonly reliable: boolean }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'keep'; readonly filter: string }
  | { readonly kind: 'drop'; readonly filter: string }
  | { readonly kind: 'publish'; readonly topic: string; readonly reliable: boolean };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('subscribe' as const), filter, who: fc.nat(2), reliable: fc.boolean() }),
  fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(5) }),
  fc.record({ kind: fc.constant('keep' as const), filter }),
  fc.record({ kind: fc.constant('drop' as const), filter }),
  fc.record({ kind: fc.constant('publish' as const), topic, reliable: fc.boolean() }),
);

/** Clause 2.3, word by word. */
function takes(filterLevels: readonly string[], topicLevels: readonly string[], first = true): boolean {
  const [wanted, ...filterRest] = filterLevels;
  const [there, ...topicRest] = topicLevels;
  const hidden = first && there?.startsWith('$') === true;
  if (wanted === '#') return !hidden;
  if (wanted === undefined || there === undefined) return wanted === there;
  if (wanted === '+' ? hidden : wanted !== there) return false;
  return takes(filterRest, topicRest.length === 0 ? [] : topicRest, false);
}

const matchesByTheBook = (pattern: string, name: string): boolean =>
  takes(pattern.split('/'), name.split('/'));

test('whatever is subscribed, cancelled and published, each message reaches exactly those that the rules name', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const spool = new MemorySpool();
      const clock = new VirtualClock();
      const broker = new Broker({
        access: new Access([]),
        spool,
        clock,
        counters: new Counters(),
        limits: { lastValues: 9, retainedMessages: 100, retainedBytes: 100_000 },
      });
      const got: (readonly [who: number, messageId: number | undefined, reliable: boolean])[] = [];
      const listeners = [0, 1, 2].map((who) => ({
        clientId: `${who}`,
        deliver: ({ publication, reliable }: Delivery) =>
          void got.push([who, publication.origin.messageId, reliable]),
      }));
      const queue = broker.addDurable({ consumer: 'queue' });
      const subscriptions: { filter: string; who: number; reliable: boolean; handle: Subscription }[] = [];
      const keeps = new Set<string>();
      const kept: number[] = [];
      let id = 0;
      for (const step of operations) {
        if (step.kind === 'subscribe') {
          const listener = listeners[step.who];
          if (!listener) continue;
          const handle = broker.subscribe(step.filter, listener, by, { reliable: step.reliable });
          subscriptions.push({ ...step, handle });
        } else if (step.kind === 'cancel') {
          subscriptions.splice(step.which, 1)[0]?.handle.cancel();
        } else if (step.kind === 'keep') {
          queue.add(step.filter);
          keeps.add(step.filter);
        } else if (step.kind === 'drop') {
          queue.remove(step.filter);
          keeps.delete(step.filter);
        } else {
          id += 1;
          const before = got.length;
          await broker.publish(publicationOf(id, { topic: step.topic, reliable: step.reliable }), by);
          if ([...keeps].some((each) => matchesByTheBook(each, step.topic))) kept.push(id);
          const expected = [0, 1, 2].flatMap((who) => {
            const own = subscriptions.filter(
              (each) => each.who === who && matchesByTheBook(each.filter, step.topic),
            );
            return own.length === 0 ? [] : [[who, id, step.reliable && own.some(({ reliable }) => reliable)]];
          });
          expect(got.slice(before).toSorted((a, b) => a[0] - b[0])).toEqual(expected);
          expect(broker.lastValue(step.topic, by)?.origin.messageId).toBe(id);
        }
      }
      expect(spool.kept('queue').map(({ publication }) => publication.origin.messageId)).toEqual(kept);
    }),
    { numRuns: 300 },
  );
});
