import type { Spool, SpoolConsumer } from '../spool/ports.ts';
import type { Broker } from './broker.ts';
import type { DurableQueue } from './ports.ts';

/** What waits on disk for one client, over all of its sessions. */
export interface ClientQueue {
  readonly consumer: SpoolConsumer;
  readonly filters: DurableQueue;
  /** Filters that the configuration gives the client: they hold whether it has a session or not. */
  readonly commands: ReadonlySet<string>;
  /** Settled when the last session's acknowledgements are on disk. */
  released: Promise<void>;
}

/** The queues of the clients whose subscriptions are durable (clause 5.3.3). */
export class ClientQueues {
  readonly #broker: Broker;
  readonly #spool: Pick<Spool, 'consumer'>;
  readonly #queues = new Map<string, ClientQueue>();

  constructor(broker: Broker, spool: Pick<Spool, 'consumer'>) {
    this.#broker = broker;
    this.#spool = spool;
  }

  /** The queue of a client, made on first use with the filters in `commands`. */
  of(clientId: string, commands: readonly string[]): ClientQueue {
    const found = this.#queues.get(clientId);
    if (found) return found;
    const consumer = `client/${clientId}`;
    const queue: ClientQueue = {
      consumer: this.#spool.consumer(consumer),
      filters: this.#broker.addDurable({ consumer, reliableOnly: true }),
      commands: new Set(commands),
      released: Promise.resolve(),
    };
    for (const filter of commands) queue.filters.add(filter);
    this.#queues.set(clientId, queue);
    return queue;
  }
}
