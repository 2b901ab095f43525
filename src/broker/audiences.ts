import type { DurableOptions, Subscriber } from './ports.ts';

export interface LiveRoute {
  readonly subscriber: Subscriber;
  readonly reliable: boolean;
}

export type Route = LiveRoute | DurableOptions;

interface Listener extends LiveRoute {
  /** Its own queue takes what is reliable. */
  readonly queued: boolean;
}

/** Who gets what is published to a topic. */
export interface Audience {
  readonly durable: readonly DurableOptions[];
  /** Each subscriber once. */
  readonly live: readonly Listener[];
}

/** One audience for all topics with the same subscribers and queues: of a hundred thousand topics there are few, so they stay in the processor's cache. */
export class Audiences {
  readonly #known = new Map<string, Audience>();
  /** Numbers of the subscribers and queues, of which the keys of `#known` are made. */
  readonly #numbers = new Map<Subscriber | DurableOptions, number>();

  of(routes: readonly Route[]): Audience {
    const durable = routes.filter((route) => 'consumer' in route);
    const live = new Map<Subscriber, boolean>();
    for (const route of routes) {
      if (!('subscriber' in route)) continue;
      live.set(route.subscriber, route.reliable || live.get(route.subscriber) === true);
    }
    const numbers = durable.map((queue) => this.#numberOf(queue));
    // Told apart by the sign: 0 is nobody's number.
    for (const [subscriber, reliable] of live) {
      const number = this.#numberOf(subscriber);
      numbers.push(reliable ? number : -number);
    }
    const key = numbers.join();
    let audience = this.#known.get(key);
    if (!audience) this.#known.set(key, (audience = makeAudience(durable, live)));
    return audience;
  }

  clear(): void {
    this.#known.clear();
    this.#numbers.clear();
  }

  #numberOf(one: Subscriber | DurableOptions): number {
    const known = this.#numbers.get(one);
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    this.#numbers.set(one, number);
    return number;
  }
}

function makeAudience(durable: readonly DurableOptions[], live: ReadonlyMap<Subscriber, boolean>): Audience {
  return {
    durable,
    live: [...live].map(([subscriber, reliable]) => ({
      subscriber,
      reliable,
      queued: durable.some(({ consumer }) => consumer === subscriber.queue),
    })),
  };
}
