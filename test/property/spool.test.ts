import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { hex } from '../../src/base/bytes.ts';
import type { StoredSession } from '../../src/spool/ports.ts';
import type { Publication } from '../../src/wire/publication.ts';
import { publicationOf } from '../support/publications.ts';
import { openTempSpool, readAll, type TempSpool } from '../support/temp-spool.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const CONSUMERS = ['cloud', 'archive', 'node-1'];
const SESSIONS = [1, 2];

interface Expected {
  readonly seq: number;
  readonly publication: Publication;
}

/** What a spool should hold, kept in the simplest way. */
class Model {
  readonly records = new Map<string, Expected[]>(CONSUMERS.map((name) => [name, []]));
  readonly sessions = new Map<string, StoredSession>();
  nextSeq = 1;
  nextMessage = 1;

  of(consumer: string): Expected[] {
    return this.records.get(consumer) ?? [];
  }
}

interface World {
  readonly temp: TempSpool;
  readonly model: Model;
  readonly clock: VirtualClock;
}

/** One thing that happens to the spool; those of one turn are asked for at once, and awaited together. */
type Operation = (world: World) => Promise<void>;

function sessionIdOf(session: number): Uint8Array {
  return new Uint8Array(8).fill(session);
}

const consumer = fc.constantFrom(...CONSUMERS);
const session = fc.constantFrom(...SESSIONS);

const append = fc
  .record({
    records: fc.array(
      fc.record({ consumer, size: fc.nat(2000), keptFor: fc.option(fc.integer({ min: 1, max: 500 })) }),
      { maxLength: 5 },
    ),
    session: fc.option(session),
  })
  .map(({ records, session }): Operation => async ({ temp, model, clock }) => {
    const wanted = records.map(({ consumer, size, keptFor }) => {
      const publication = publicationOf(model.nextMessage++, {
        content: new Uint8Array(size),
        expiresAt: keptFor === null ? undefined : clock.wall() + keptFor,
      });
      model.of(consumer).push({ seq: model.nextSeq++, publication });
      return { consumer, publication };
    });
    if (session === null) return temp.spool.append(wanted);
    const mark = { sessionId: sessionIdOf(session), received: model.nextMessage };
    const stored = model.sessions.get(hex(mark.sessionId));
    if (stored) {
      model.sessions.set(hex(mark.sessionId), {
        ...stored,
        received: mark.received,
        updatedAt: clock.wall(),
      });
    }
    return temp.spool.append(wanted, mark);
  });

const acknowledge = fc
  .record({ consumer, position: fc.nat(10), session: fc.option(session) })
  .map(({ consumer, position, session }): Operation => async ({ temp, model, clock }) => {
    const records = model.of(consumer);
    const seq = records[Math.min(position, records.length - 1)]?.seq ?? 0;
    model.records.set(
      consumer,
      records.filter((record) => record.seq > seq),
    );
    if (session === null) return temp.spool.consumer(consumer).acknowledge(seq);
    const sessionId = sessionIdOf(session);
    const stored = model.sessions.get(hex(sessionId));
    const sent = { sessionId, messageId: seq };
    if (stored) model.sessions.set(hex(sessionId), { ...stored, sent: seq, updatedAt: clock.wall() });
    return temp.spool.consumer(consumer).acknowledge(seq, sent);
  });

const saveSession = fc
  .record({ session, context: fc.uint8Array({ maxLength: 30 }), place: fc.option(fc.string()) })
  .map(({ session, context, place }): Operation => async ({ temp, model, clock }) => {
    const saved: StoredSession = {
      sessionId: sessionIdOf(session),
      clientId: `node-${session}`,
      keyHash: new Uint8Array(32).fill(session),
      place: place ?? undefined,
      received: 0,
      sent: 0,
      context: new Uint8Array(context),
      updatedAt: clock.wall(),
    };
    model.sessions.set(hex(saved.sessionId), saved);
    return temp.spool.saveSession(saved);
  });

const forgetSession = session.map((session): Operation => async ({ temp, model }) => {
  model.sessions.delete(hex(sessionIdOf(session)));
  return temp.spool.forgetSession(sessionIdOf(session));
});

const operation = fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 3, arbitrary: acknowledge },
  { weight: 1, arbitrary: saveSession },
  { weight: 1, arbitrary: forgetSession },
);

const turn = fc.record({
  operations: fc.array(operation, { minLength: 1, maxLength: 8 }),
  reopen: fc.boolean(),
  advance: fc.constantFrom(0, 0, 100),
});

function bySessionId(a: StoredSession, b: StoredSession): number {
  return hex(a.sessionId) < hex(b.sessionId) ? -1 : 1;
}

/** Reads everything, and compares with the model once what has expired is out of both. */
async function compare({ temp, model, clock }: World): Promise<void> {
  for (const name of CONSUMERS) {
    const kept = model
      .of(name)
      .filter(({ publication }) => (publication.expiresAt ?? Infinity) > clock.wall());
    expect(await readAll(temp.spool.consumer(name))).toEqual(kept);
    model.records.set(name, kept);
  }
  const sessions = await temp.spool.loadSessions();
  expect([...sessions].sort(bySessionId)).toEqual([...model.sessions.values()].sort(bySessionId));
}

/** Opens the spool anew and compares what it counts with the model. */
async function restart(world: World): Promise<void> {
  await world.temp.reopen();
  for (const name of CONSUMERS) {
    expect(world.temp.spool.consumer(name).depth.messages).toBe(world.model.of(name).length);
  }
  await compare(world);
}

test('whatever is asked of a spool, it holds what a simple model holds, also after a restart', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 6 }), async (turns) => {
      const clock = new VirtualClock();
      await using temp = await openTempSpool({ clock });
      const world = { temp, clock, model: new Model() };
      for (const { operations, reopen, advance } of turns) {
        await Promise.all(operations.map((each) => each(world)));
        await compare(world);
        if (reopen) await restart(world);
        await compare(world);
        clock.advance(advance);
      }
    }),
    { numRuns: 15 },
  );
});
