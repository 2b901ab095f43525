import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { ClientQueue } from '../../src/broker/client-queues.ts';
import { CommandFeed } from '../../src/inlets/command-feed.ts';
import { CommandDevice, commandOf, turns } from '../support/command-devices.ts';
import { MemoryConsumer } from '../support/memory-consumer.ts';

const topics = ['node/set', 'node/mode', 'node/unobserved'] as const;
const noFilters = { add: () => undefined, remove: () => undefined, cancel: () => undefined };

type Step =
  | { readonly do: 'append'; readonly topic: number }
  | { readonly do: 'settle' | 'leave' | 'attach'; readonly device: number }
  | { readonly do: 'commit' | 'session' | 'restart' };

const device = fc.nat({ max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), topic: fc.nat({ max: 2 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('settle' as const), device }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'attach' as const), device }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'session' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** One gateway after the other on one queue, and two devices that take a command only when they acknowledge it. */
class Run {
  readonly consumer = new MemoryConsumer();
  readonly devices = [new CommandDevice(topics[0]), new CommandDevice(topics[1])];
  /** Per topic, in order. */
  readonly appended = topics.map((): number[] => []);
  readonly taken = topics.map((): number[] => []);
  /** Deletions on their way to the disk. */
  #disk: (() => void)[] = [];
  #queue = new ClientQueue(this.consumer, noFilters, topics);
  #feed = new CommandFeed({ queue: this.#queue, log: silentLog });
  #session: object | undefined;
  #numbers = 0;

  constructor() {
    this.consumer.beforeDiscard = () => new Promise((resolve) => this.#disk.push(resolve));
  }

  async take(each: Step): Promise<void> {
    switch (each.do) {
      case 'append': {
        const number = ++this.#numbers;
        this.appended[each.topic]?.push(number);
        this.consumer.append(commandOf(number, topics[each.topic]));
        break;
      }
      case 'settle':
        await this.#settle(each.device);
        break;
      case 'leave':
        await this.devices[each.device]?.leave();
        break;
      case 'attach':
        this.devices[each.device]?.attach(this.#feed);
        break;
      case 'commit':
        for (const commit of this.#disk.splice(0)) commit();
        break;
      case 'session':
        await this.#beginOrEndSession();
        break;
      case 'restart':
        for (const each of this.devices) await each.leave();
        await this.take({ do: 'commit' });
        await turns();
        this.#session = undefined;
        this.#queue = new ClientQueue(this.consumer, noFilters, topics);
        this.#feed = new CommandFeed({ queue: this.#queue, log: silentLog });
    }
    await turns();
  }

  /** Both devices stay until nothing is left for them. */
  async finish(): Promise<void> {
    if (this.#session) await this.take({ do: 'session' });
    for (const index of this.devices.keys()) await this.take({ do: 'attach', device: index });
    while (this.devices.some(({ pending }) => pending !== undefined)) {
      for (const index of this.devices.keys()) await this.#settle(index);
    }
    await this.take({ do: 'commit' });
  }

  async #settle(index: number): Promise<void> {
    const { pending } = this.devices[index] ?? {};
    if (pending === undefined) return;
    this.taken[index]?.push(pending);
    await this.devices[index]?.settle();
  }

  async #beginOrEndSession(): Promise<void> {
    const session = this.#session;
    this.#session = session ? undefined : {};
    if (session) await this.#queue.leave(session);
    else if (this.#session) this.#queue.take(this.#session);
  }
}

test('whatever comes and goes, each command is taken once and in order, and then deleted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const run = new Run();
      for (const each of steps) await run.take(each);
      await run.finish();
      expect(run.taken.slice(0, 2)).toEqual(run.appended.slice(0, 2));
      expect(run.consumer.depth.messages).toBe(run.appended[2]?.length);
    }),
    { numRuns: 3000 },
  );
});
