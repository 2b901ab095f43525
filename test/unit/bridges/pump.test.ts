import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { ANSWER_MS, Pump, type Uplink, type Verdict } from '../../../src/bridges/pump.ts';
import type { StoredPublication } from '../../../src/spool/ports.ts';
import { MemoryConsumer } from '../../support/memory-consumer.ts';
import { publicationOf } from '../../support/publications.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const taken: Verdict = { kind: 'taken' };
const busy: Verdict = { kind: 'again', reason: 'busy', forever: false };
const quota: Verdict = { kind: 'again', reason: 'quota', forever: true };
const refused: Verdict = { kind: 'refused', reason: 'not-authorized' };
const noChance = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };

/** Lets promises come on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** An upstream that answers when it is told to. */
class Upstream implements Uplink {
  readonly sent: number[] = [];
  readonly taken: Set<number>;
  readonly #waiting: { readonly seq: number; readonly answer: (verdict: Verdict) => void }[] = [];

  constructor(taken = new Set<number>()) {
    this.taken = taken;
  }

  get unanswered(): readonly number[] {
    return this.#waiting.map(({ seq }) => seq);
  }

  send({ seq }: StoredPublication): Promise<Verdict> {
    this.sent.push(seq);
    return new Promise((resolve) => {
      this.#waiting.push({ seq, answer: resolve });
    });
  }

  /** Answers the message at `index` of those unanswered. */
  async answer(verdict: Verdict, index = 0): Promise<void> {
    const [message] = this.#waiting.splice(index, 1);
    if (message && verdict.kind === 'taken') this.taken.add(message.seq);
    message?.answer(verdict);
    await settle();
  }

  async answerAll(verdict: Verdict): Promise<void> {
    while (this.#waiting.length > 0) await this.answer(verdict);
  }
}

function house() {
  const clock = new VirtualClock();
  const consumer = new MemoryConsumer();
  const kept: { readonly seq: number; readonly reason: string }[] = [];
  const settled: number[] = [];
  const seen = { stalled: 0, keepFails: false };
  const pump = new Pump({
    consumer,
    clock,
    random: noChance,
    log: silentLog,
    async refuse({ seq }, reason) {
      await Promise.resolve();
      if (seen.keepFails) throw new Error('the disk is full');
      kept.push({ seq, reason });
    },
    stalled: () => {
      seen.stalled += 1;
    },
    taken: () => undefined,
    settled: ({ seq }) => void settled.push(seq),
  });
  const append = async (count: number): Promise<void> => {
    consumer.append(...Array.from({ length: count }, (_, index) => publicationOf(index + 1)));
    await settle();
  };
  const connect = async (window = 4, answered?: Set<number>): Promise<Upstream> => {
    const upstream = new Upstream(answered);
    pump.start(upstream, window);
    await settle();
    return upstream;
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };
  return { clock, consumer, kept, settled, seen, pump, append, connect, pass };
}

describe('Pump', () => {
  test('keeps the window full and in order', async () => {
    const { append, connect } = house();
    await append(10);
    const upstream = await connect(4);
    expect(upstream.sent).toEqual([1, 2, 3, 4]);
    await upstream.answer(taken);
    expect(upstream.unanswered).toEqual([2, 3, 4, 5]);
    await upstream.answerAll(taken);
    expect(upstream.sent).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('deletes from disk only what was taken without a gap', async () => {
    const { append, connect, consumer } = house();
    await append(4);
    const upstream = await connect(4);
    await upstream.answer(taken, 2);
    await upstream.answer(taken, 1);
    expect(consumer.seqs).toEqual([1, 2, 3, 4]);
    await upstream.answer(taken, 0);
    expect(consumer.seqs).toEqual([4]);
  });

  test('sends again, in order, what a lost connection left unanswered', async () => {
    const { append, connect, pump, consumer } = house();
    await append(8);
    const first = await connect(4);
    await first.answer(taken);
    await first.answer(taken, 1);
    pump.stop();
    const second = await connect(4);
    expect(second.sent).toEqual([2, 3, 4, 5]);
    // An answer of the connection that is gone changes nothing.
    await first.answerAll(taken);
    expect(consumer.seqs[0]).toBe(2);
    await second.answerAll(taken);
    expect(consumer.seqs).toEqual([]);
  });

  test('sends what is appended while it is empty', async () => {
    const { append, connect } = house();
    const upstream = await connect();
    await append(2);
    await upstream.answerAll(taken);
    await append(1);
    expect(upstream.sent).toEqual([1, 2, 3]);
  });

  test('keeps bytes in flight bounded, but sends a message of any size', async () => {
    const { connect, consumer } = house();
    const large = publicationOf(1, { content: new Uint8Array(700_000) });
    consumer.append(large, large, publicationOf(3));
    const upstream = await connect(32);
    expect(upstream.sent).toEqual([1]);
    await upstream.answer(taken);
    expect(upstream.sent).toEqual([1, 2, 3]);
  });

  test('holds everything back while the upstream is busy, then sends that message first', async () => {
    const { append, connect, pass } = house();
    await append(4);
    const upstream = await connect(2);
    await upstream.answer(busy);
    await upstream.answer(taken);
    expect(upstream.sent).toEqual([1, 2]);
    await pass(1000);
    expect(upstream.sent).toEqual([1, 2, 1]);
    await upstream.answerAll(taken);
    expect(upstream.sent).toEqual([1, 2, 1, 3, 4]);
  });

  test('keeps aside what stays unwanted without a reason, but waits for a quota for ever', async () => {
    const { append, connect, pass, kept, consumer } = house();
    await append(1);
    const upstream = await connect();
    for (let round = 0; round < 50; round += 1) {
      await upstream.answerAll(quota);
      await pass(60_000);
    }
    expect(kept).toEqual([]);
    for (let round = 0; round < 10; round += 1) {
      await upstream.answerAll(busy);
      await pass(60_000);
    }
    expect(kept).toEqual([{ seq: 1, reason: 'busy' }]);
    expect(consumer.seqs).toEqual([]);
  });

  test('keeps aside what is refused and goes on with the rest', async () => {
    const { append, connect, kept, consumer } = house();
    await append(3);
    const upstream = await connect();
    await upstream.answer(refused, 1);
    await upstream.answerAll(taken);
    expect(kept).toEqual([{ seq: 2, reason: 'not-authorized' }]);
    expect(consumer.seqs).toEqual([]);
  });

  test('a refused message that cannot be kept is not deleted', async () => {
    const { append, connect, seen, pass, kept, consumer } = house();
    await append(1);
    const upstream = await connect();
    seen.keepFails = true;
    await upstream.answer(refused);
    expect(consumer.seqs).toEqual([1]);
    seen.keepFails = false;
    await pass(1000);
    await upstream.answer(refused);
    expect(kept).toHaveLength(1);
    expect(consumer.seqs).toEqual([]);
  });

  test('has the connection dropped when the upstream answers nothing', async () => {
    const { append, connect, seen, pass, pump } = house();
    await append(2);
    const upstream = await connect();
    await pass(ANSWER_MS - 1);
    await upstream.answer(taken);
    await append(1);
    await pass(1);
    expect(seen.stalled).toBe(1);
    expect(pump.progress()).toBe('advanced');
    expect(pump.progress()).toBe('idle');
    await pass(ANSWER_MS + 1);
    expect(pump.progress()).toBe('stuck');
  });

  test('finds the message that ends every connection, keeps it aside and goes on', async () => {
    const { append, connect, kept, pump, consumer } = house();
    await append(4);
    let connections = 0;
    for (; connections < 40 && consumer.seqs.length > 0; connections += 1) {
      const upstream = await connect(4);
      // The broker takes what comes before the third message, and closes at it.
      while (upstream.unanswered.length > 0 && upstream.unanswered[0] !== 3) await upstream.answer(taken);
      pump.stop();
      await settle();
    }
    expect(kept).toEqual([{ seq: 3, reason: 'ends-the-connection' }]);
    expect(consumer.seqs).toEqual([]);
    expect(connections).toBeGreaterThan(10);
  });

  test('a message that the upstream blames is kept aside as soon as it is alone', async () => {
    const { append, connect, kept, pump, consumer } = house();
    await append(4);
    const first = await connect(4);
    await first.answer(taken);
    pump.stop(true);
    const second = await connect(4);
    expect(second.sent).toEqual([2]);
    pump.stop(true);
    await settle();
    expect(kept).toEqual([{ seq: 2, reason: 'ends-the-connection' }]);
    expect(consumer.seqs).toEqual([3, 4]);
  });

  test('a message that is blamed while an earlier one waits to be sent again does not take that one with it', async () => {
    const { append, connect, pump, kept, consumer } = house();
    await append(2);
    const first = await connect(2);
    await first.answer(busy);
    pump.stop(true);
    await settle();
    expect(kept).toEqual([]);
    const second = await connect(2);
    await second.answerAll(taken);
    expect(second.sent).toEqual([1, 2]);
    expect(consumer.seqs).toEqual([]);
  });

  test('what was read for a connection that is gone is not sent on the next one', async () => {
    const { append, connect, pump, consumer } = house();
    await append(300);
    const first = await connect(4);
    const gate = Promise.withResolvers<undefined>();
    consumer.beforeRead = () => gate.promise;
    // The buffer runs low, and the next read is under way when the connection goes.
    for (let count = 0; count < 250; count += 1) await first.answer(taken);
    pump.stop();
    const second = await connect(4);
    gate.resolve(undefined);
    await settle();
    await second.answerAll(taken);
    expect(second.sent).toEqual(Array.from({ length: 50 }, (_, index) => 251 + index));
    expect(consumer.seqs).toEqual([]);
  });

  test('connections that end for other reasons accuse nobody', async () => {
    const { append, connect, kept, pump } = house();
    await append(400);
    for (let round = 0; round < 50; round += 1) {
      const upstream = await connect(4);
      await upstream.answer(taken);
      pump.stop();
      await settle();
    }
    expect(kept).toEqual([]);
  });

  test('comes on again after the disk failed', async () => {
    const { append, connect, consumer, pass } = house();
    consumer.failure = new Error('the disk fails');
    await append(2);
    const upstream = await connect();
    expect(upstream.sent).toEqual([]);
    consumer.failure = undefined;
    await pass(1000);
    await upstream.answerAll(taken);
    expect(consumer.seqs).toEqual([]);
  });

  test('sends nothing new while it finishes, and still hears answers', async () => {
    const { append, connect, pump, consumer } = house();
    await append(3);
    const upstream = await connect(2);
    pump.finish();
    await upstream.answerAll(taken);
    await pump.close();
    expect(upstream.sent).toEqual([1, 2]);
    expect(consumer.seqs).toEqual([3]);
  });

  test('whatever the upstream does, nothing leaves the disk that was neither taken nor kept aside, and each is said to be settled once, in order', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({
        kind: fc.constant('answer' as const),
        index: fc.nat(3),
        verdict: fc.constantFrom(taken, taken, taken, busy, quota, refused),
      }),
      fc.record({ kind: fc.constant('cut' as const), blamed: fc.boolean() }),
      fc.record({ kind: fc.constant('connect' as const), window: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 70_000 }) }),
      fc.record({ kind: fc.constant('disk' as const), fails: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { append, connect, pump, consumer, kept, settled, pass } = house();
        const done = new Set<number>();
        let upstream = await connect(4, done);
        let connected = true;
        let appended = 0;
        const holds = (): void => {
          const onDisk = new Set(consumer.seqs);
          const aside = new Set(kept.map(({ seq }) => seq));
          for (let seq = 1; seq <= appended; seq += 1) {
            expect(onDisk.has(seq) || done.has(seq) || aside.has(seq)).toBe(true);
          }
          expect(upstream.unanswered.length).toBeLessThanOrEqual(5);
        };
        for (const each of steps) {
          if (each.kind === 'append') {
            appended += each.count;
            await append(each.count);
          } else if (each.kind === 'answer' && connected) {
            await upstream.answer(each.verdict, each.index);
          } else if (each.kind === 'cut') {
            connected = false;
            pump.stop(each.blamed);
            await settle();
          } else if (each.kind === 'connect' && !connected) {
            connected = true;
            upstream = await connect(each.window, done);
          } else if (each.kind === 'pass') {
            await pass(each.ms);
          } else if (each.kind === 'disk') {
            consumer.failure = each.fails ? new Error('the disk fails') : undefined;
          }
          holds();
        }
        // From any state it comes to the end once the upstream takes everything.
        consumer.failure = undefined;
        if (!connected) upstream = await connect(4, done);
        for (let round = 0; round < 200 && consumer.seqs.length > 0; round += 1) {
          await upstream.answerAll(taken);
          await pass(61_000);
        }
        holds();
        expect(consumer.seqs).toEqual([]);
        expect(settled).toEqual(Array.from({ length: appended }, (_, index) => index + 1));
      }),
      { numRuns: 1000 },
    );
  });
});
