import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import type { Log } from '../base/log.ts';
import type { Spool, SpoolConsumer } from '../spool/ports.ts';
import { matches } from '../topic/topic.ts';
import type { Broker } from './broker.ts';
import type { ClientQueueFeed, DurableQueue } from './ports.ts';
import { QueueBound } from './queue-bound.ts';

export interface ClientQueuesOptions {
  readonly broker: Broker;
  readonly spool: Pick<Spool, 'consumer'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly limits: { readonly queuedPerClient: number };
}

/** What waits on disk for one client, over all of its sessions. */
export class ClientQueue implements ClientQueueFeed {
  readonly consumer: SpoolConsumer;
  readonly filters: DurableQueue;
  #commands: ReadonlySet<string> = new Set();
  /** Settled when the last session's acknowledgements are on disk. */
  released: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<() => void>();
  #taker: object | undefined;

  constructor(consumer: SpoolConsumer, filters: DurableQueue, commands: readonly string[]) {
    this.consumer = consumer;
    this.filters = filters;
    this.command(commands, []);
  }

  /** Filters that the configuration gives the client: they hold whether it has a session or not. */
  get commands(): ReadonlySet<string> {
    return this.#commands;
  }

  /** The configuration gives it these instead. @param own what the client has subscribed to itself */
  command(commands: readonly string[], own: readonly string[]): void {
    const before = this.#commands;
    this.#commands = new Set(commands);
    for (const filter of before) {
      if (!this.#commands.has(filter) && !own.includes(filter)) this.filters.remove(filter);
    }
    for (const filter of commands) this.filters.add(filter);
  }

  get name(): string {
    return this.consumer.name;
  }

  get free(): boolean {
    return this.#taker === undefined;
  }

  covers(topic: string): boolean {
    return [...this.commands].some((filter) => matches(filter, topic));
  }

  /** A session of the client begins. */
  take(session: object): void {
    this.#taker = session;
  }

  /** It is over. The queue is free when what it acknowledged is deleted, unless another session took its place. */
  async leave(session: object): Promise<void> {
    await this.released;
    if (this.#taker !== session) return;
    this.#taker = undefined;
    for (const action of this.#listeners) action();
  }

  onNews(action: () => void): void {
    this.#listeners.add(action);
    this.consumer.onAppended(action);
  }
}

/** The queues of the clients whose subscriptions are durable (clause 5.3.3). */
export class ClientQueues {
  readonly #options: ClientQueuesOptions;
  readonly #drops: DropReport;
  readonly #queues = new Map<string, ClientQueue>();

  constructor(options: ClientQueuesOptions) {
    this.#options = options;
    const { clock, counters, log } = options;
    this.#drops = new DropReport({
      place: 'client-queue',
      text: 'the queue of a client on disk is full: its oldest messages are dropped',
      clock,
      counters,
      log,
    });
  }

  /** The queue of a client that has one. */
  find(clientId: string): ClientQueue | undefined {
    return this.#queues.get(clientId);
  }

  /** The clients that have one. */
  get clientIds(): readonly string[] {
    return [...this.#queues.keys()];
  }

  /** Sees to it that a client has the queue that its profile asks for. @param own what the client has subscribed to itself */
  prepare(clientId: string, commands: readonly string[], own: readonly string[]): void {
    const found = this.#queues.get(clientId);
    if (found) found.command(commands, own);
    else if (commands.length > 0) this.of(clientId, commands);
  }

  /** The queue of a client, made on first use with the filters in `commands`. */
  of(clientId: string, commands: readonly string[]): ClientQueue {
    const found = this.#queues.get(clientId);
    if (found) return found;
    const { broker, spool, limits, log } = this.#options;
    const name = `client/${clientId}`;
    const consumer = spool.consumer(name);
    const queue = new ClientQueue(
      consumer,
      broker.addDurable({ consumer: name, reliableOnly: true }),
      commands,
    );
    this.#queues.set(clientId, queue);
    const bound = new QueueBound({
      consumer,
      maxMessages: limits.queuedPerClient,
      dropped: (count) => {
        for (let each = 0; each < count; each += 1) this.#drops.add('queue-full', { client: clientId });
      },
      failed: (error) =>
        log.error({ err: error, client: clientId }, 'the queue of a client could not be shortened'),
    });
    bound.keep();
    return queue;
  }
}
