import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Random, systemRandom } from '../../../src/base/random.ts';
import { connect, contentSections, encodeContent, type HashikeClient } from '../../../src/client/index.ts';
import type { Link } from '../../../src/links/link.ts';
import type { Message } from '../../../src/wire/message.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { type Cut, CutWire } from '../../support/cut-wire.ts';
import { publish, ServedBroker, subscribe } from '../../support/peer.ts';

const COUNT = 4;
const RESUME_WINDOW_MS = 2000;
/** Hundreds of exchanges on virtual time: each takes milliseconds, on a busy machine more. */
const timeout = 120_000;
/** The same pauses each time. */
const random: Random = { ...systemRandom, fraction: () => 0.5 };
const wanted = Array.from({ length: COUNT }, (_, index) => index + 1);

interface Course {
  /** Of the first connection, the second …; later ones are whole. */
  readonly cuts: readonly (Cut | undefined)[];
  /** For so long nobody answers the dial after a cut, so that a session expires. */
  readonly awayMs?: number | undefined;
}

/** What came of an exchange of reliable messages both ways, between a client and a broker that forwards them to a disk. */
interface Outcome {
  readonly wires: readonly CutWire[];
  /** Values published by the client, as another client and the disk got them. */
  readonly heard: readonly number[];
  readonly kept: readonly number[];
  /** Publishes of the client that resolved. */
  readonly acknowledged: number;
  readonly refusals: readonly unknown[];
  /** Values delivered to the client. */
  readonly delivered: readonly number[];
  /** What the client was told of another's presence in a room: true, who came; false, who left. */
  readonly toldOfOther: readonly boolean[];
  /** What another was told of the client's. */
  readonly toldOfClient: readonly boolean[];
}

/** What is to come of every exchange in which the session goes on. */
const once = {
  heard: wanted,
  kept: wanted,
  acknowledged: COUNT,
  refusals: [],
  delivered: wanted,
  toldOfOther: [true, false],
  toldOfClient: [true, false],
};

function watch(messageId: number, topic: string): Message {
  return { type: MessageType.WATCH, timestamp: 0, messageId, topics: [topic] };
}

async function each<T>(items: AsyncIterable<T>, take: (item: T) => void): Promise<void> {
  for await (const item of items) take(item);
}

function valueOf(content: Uint8Array): number {
  return contentSections(content)[0]?.value[0] ?? Number.NaN;
}

class Exchange {
  readonly #course: Course;
  readonly #served: ServedBroker;
  readonly #wires: CutWire[] = [];
  #awayUntil = 0;

  private constructor(served: ServedBroker, course: Course) {
    this.#served = served;
    this.#course = course;
  }

  static async run(course: Course): Promise<Outcome> {
    const clients = [clientConfig('a'), clientConfig('b')];
    return new Exchange(await ServedBroker.open({ clients, forward: ['up'] }), course).#run();
  }

  async #run(): Promise<Outcome> {
    const served = this.#served;
    const { peer } = await served.connected('b', { keepAlive: 0 });
    await peer.say(subscribe(1, ['up', 'room']), watch(2, 'down'));
    const client = await this.#connect();
    const [subscription, watching] = await this.#done(
      Promise.all([client.subscribe('down'), client.watch('room')]),
    );
    const delivered: number[] = [];
    const toldOfOther: boolean[] = [];
    const reading = Promise.all([
      each(subscription, ({ content }) => delivered.push(valueOf(content))),
      each(watching, ({ joined }) => toldOfOther.push(joined)),
    ]);
    let acknowledged = 0;
    const refusals: unknown[] = [];
    for (const value of wanted) {
      const content = encodeContent([{ contentType: 0x8001, value: Uint8Array.of(value) }]);
      client.publish('up', content).then(
        () => (acknowledged += 1),
        (error: unknown) => refusals.push(error),
      );
      await peer.say(publish('down', value + 2, { content }));
    }
    await peer.say({
      type: MessageType.UNSUBSCRIBE,
      timestamp: 0,
      messageId: COUNT + 3,
      topics: ['room'],
    });
    const complete = (): boolean =>
      client.connected &&
      acknowledged === COUNT &&
      ((delivered.length >= COUNT && toldOfOther.length >= 2) || this.#course.awayMs !== undefined);
    for (let step = 0; step < 400 && !complete(); step += 1) await served.pass(50);
    // What comes too often would come now.
    for (let step = 0; step < 10; step += 1) await served.pass(50);
    await client.close();
    await served.pass(RESUME_WINDOW_MS);
    await reading;
    return {
      wires: this.#wires,
      heard: peer.heard(MessageType.PUBLISH).map(({ content }) => valueOf(content)),
      kept: served.spool.kept('bridge').map(({ publication }) => valueOf(publication.content)),
      acknowledged,
      refusals,
      delivered,
      toldOfOther,
      toldOfClient: peer.messages
        .filter(({ type }) => type === MessageType.PRESENCE_JOINED || type === MessageType.PRESENCE_LEFT)
        .map(({ type }) => type === MessageType.PRESENCE_JOINED),
    };
  }

  /** As a program does it whose first connection fails. */
  async #connect(): Promise<HashikeClient> {
    const { clock } = this.#served;
    for (;;) {
      try {
        const dial = (): Promise<Link> => this.#dial();
        return await this.#done(
          connect({ token: 'a', clock, random, dial, resumeWindowMs: RESUME_WINDOW_MS }),
        );
      } catch {
        await this.#served.pass(100);
      }
    }
  }

  async #dial(): Promise<Link> {
    const { clock, connections } = this.#served;
    const { cuts, awayMs = 0 } = this.#course;
    if (this.#wires.at(-1)?.isCut) this.#awayUntil ||= clock.now() + awayMs;
    if (clock.now() < this.#awayUntil) throw new Error('nobody is there');
    const wire = new CutWire(clock, cuts[this.#wires.length]);
    this.#wires.push(wire);
    connections.accept(wire.server);
    return wire.client;
  }

  async #done<T>(promise: Promise<T>): Promise<T> {
    const state = { open: true };
    const settled = (): void => void (state.open = false);
    promise.then(settled, settled);
    while (state.open) await this.#served.pass(10);
    return promise;
  }
}

/** Runs the exchange once for each byte that `direction` of its last connection carries, cut after that byte; gives what went wrong. */
async function cutEverywhere(
  direction: 'up' | 'down',
  faultOf: (outcome: Outcome) => unknown,
  {
    before = [],
    halfOpen = false,
    awayMs,
  }: { readonly before?: readonly Cut[]; readonly halfOpen?: boolean; readonly awayMs?: number } = {},
): Promise<unknown[]> {
  const whole = await Exchange.run({ cuts: before, awayMs });
  const bytes = whole.wires.at(-1)?.passed[direction] ?? 0;
  const faults: unknown[] = bytes > 100 ? [] : [`only ${bytes} bytes`];
  for (let at = 1; at <= bytes; at += 1) {
    const outcome = await Exchange.run({ cuts: [...before, { direction, bytes: at, halfOpen }], awayMs });
    if (!outcome.wires[before.length]?.isCut) faults.push({ at, fault: 'not cut' });
    const fault = faultOf(outcome);
    if (fault) faults.push({ at, fault });
  }
  return faults;
}

function notOnce(outcome: Outcome): unknown {
  return isDeepStrictEqual(outcome, { ...once, wires: outcome.wires }) ? undefined : outcome;
}

/** After a session has expired deliveries may be missing, as nobody was there to get them; nothing else is, and nothing comes twice. */
function notOnceAnew(outcome: Outcome): unknown {
  const { delivered, toldOfOther, toldOfClient } = outcome;
  const fine =
    isDeepStrictEqual(outcome, {
      ...outcome,
      heard: wanted,
      kept: wanted,
      acknowledged: COUNT,
      refusals: [],
    }) &&
    delivered.every((value, index) => value > (delivered[index - 1] ?? 0)) &&
    inTurns(toldOfOther) &&
    inTurns(toldOfClient);
  return fine ? undefined : outcome;
}

/** Joined, left, joined, left …: nobody is there in the end. */
function inTurns(told: readonly boolean[]): boolean {
  return told.length % 2 === 0 && told.every((joined, index) => joined === (index % 2 === 0));
}

describe.each(['up', 'down'] as const)(
  'an exchange that is cut at each byte that goes %s',
  { timeout },
  (direction) => {
    test('5.4.1: goes on: everything arrives once and in order, and presence knows of no break', async () => {
      expect(await cutEverywhere(direction, notOnce)).toEqual([]);
    });

    test('5.4.2: goes on where the server has not noticed, and the resume takes the session over', async () => {
      expect(await cutEverywhere(direction, notOnce, { halfOpen: true })).toEqual([]);
    });

    test('5.4.1: goes on when it is cut again while it resumes', async () => {
      const before = [{ direction: 'up', bytes: 200 } as const];
      expect(await cutEverywhere(direction, notOnce, { before })).toEqual([]);
    });

    test('5.4.3: goes on in a new session when the old one has expired: what had arrived is not sent again', async () => {
      expect(await cutEverywhere(direction, notOnceAnew, { awayMs: RESUME_WINDOW_MS + 500 })).toEqual([]);
    });
  },
);
