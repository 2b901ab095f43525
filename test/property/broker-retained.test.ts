import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Counters } from '../../src/base/counters.ts';
import { Retained } from '../../src/broker/retained.ts';
import { matches } from '../../src/topic/topic.ts';
import type { Publication } from '../../src/wire/publication.ts';
import { MemorySpool } from '../support/memory-spool.ts';
import { publicationOf } from '../support/publications.ts';
import { settle } from '../support/peer.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const LIMITS = { retainedMessages: 4, retainedBytes: 120 };
const filters = ['a', 'a/+', '+/1', '#', 'b'];

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      topic: fc.constantFrom('a', 'a/1', 'a/2', 'b/1', 'b', '$s'),
      size: fc.constantFrom(0, 4, 40),
      reliable: fc.boolean(),
      expiresIn: fc.constantFrom(undefined, undefined, 10, 50),
    }),
  },
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(5, 10, 50) }),
  fc.record({ kind: fc.constant('restart' as const) }),
);

/** Topics and bytes of contents that count. */
function bytesOf(model: ReadonlyMap<string, Publication>): number {
  let bytes = 0;
  for (const { topic, content } of model.values()) bytes += topic.length + content.length;
  return bytes;
}

test('whatever is retained, replaced, cleared and expires, each filter finds what the rules say, also after restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30, size: 'max' }), async (operations) => {
      const clock = new VirtualClock();
      const counters = new Counters();
      const spool = new MemorySpool();
      const open = async (): Promise<Retained> => {
        const retained = new Retained({ spool, clock, counters, limits: LIMITS });
        await retained.load();
        return retained;
      };
      let retained = await open();
      const model = new Map<string, Publication>();
      let id = 0;
      for (const step of operations) {
        if (step.kind === 'pass') clock.advance(step.ms);
        else if (step.kind === 'restart') {
          await settle();
          retained = await open();
        } else {
          id += 1;
          const { topic, size, reliable, expiresIn } = step;
          const publication = publicationOf(id, {
            topic,
            reliable,
            retain: true,
            content: new Uint8Array(size),
            expiresAt: expiresIn === undefined ? undefined : clock.wall() + expiresIn,
          });
          for (const [name, { expiresAt }] of model) {
            if ((expiresAt ?? Infinity) <= clock.wall()) model.delete(name);
          }
          const next = new Map(model);
          if (size === 0) next.delete(topic);
          else next.set(topic, publication);
          const fits =
            size === 0 || (next.size <= LIMITS.retainedMessages && bytesOf(next) <= LIMITS.retainedBytes);
          if (!fits) {
            expect(() => retained.check(publication)).toThrow('limits.retained');
            continue;
          }
          retained.check(publication);
          await retained.keep(publication);
          model.delete(topic);
          if (size > 0) model.set(topic, publication);
        }
        for (const filter of filters) {
          const expected = [...model.values()].filter(
            ({ topic, expiresAt }) => matches(filter, topic) && (expiresAt ?? Infinity) > clock.wall(),
          );
          const found = retained.matching([filter]);
          expect(byTopic(found)).toEqual(byTopic(expected));
        }
      }
    }),
    { numRuns: 200 },
  );
});

function byTopic(publications: readonly Publication[]): readonly (readonly unknown[])[] {
  return publications
    .map(({ topic, content, origin }) => [topic, content.length, origin.messageId])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
