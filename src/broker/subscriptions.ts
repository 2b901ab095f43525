import { HashikeError } from '../base/errors.ts';
import { matches } from '../topic/topic.ts';
import type { Broker } from './broker.ts';
import type { ClientQueue } from './client-queues.ts';
import type { Principal, Subscriber, Subscription } from './ports.ts';
import type { Presence } from './presence.ts';
import type { Departure } from './session-surroundings.ts';
import type { TokenAccount } from './token-accounts.ts';

export interface SubscriptionsOptions {
  readonly broker: Broker;
  readonly subscriber: Subscriber;
  readonly principal: Principal;
  /** Where reliable deliveries wait on disk; undefined: they go to the subscriber at once. */
  readonly queue: ClientQueue | undefined;
  readonly limit: number;
  readonly presence: Presence;
  readonly account: TokenAccount;
}

/** What one session has subscribed to. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #own = new Map<string, { readonly reliable: boolean; readonly live: Subscription }>();
  readonly #commands: readonly Subscription[];

  /** Serves the client, while this session lives, with what is best effort on the topics of its commands. */
  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    const { broker, subscriber, queue } = options;
    this.#commands = [...(queue?.commands ?? [])].map((filter) =>
      broker.subscribeUnchecked(filter, subscriber, { reliable: false }),
    );
  }

  /** The client's own. */
  get list(): readonly { readonly filter: string; readonly reliable: boolean }[] {
    return [...this.#own].map(([filter, { reliable }]) => ({ filter, reliable }));
  }

  /**
   * Adds all `filters`, or none: throws HSK-1202 when one is malformed, HSK-3001 when one is not allowed, HSK-3003 over the limit.
   * One that is there already takes the new reliability. Returns those that are new.
   */
  add(filters: readonly string[], reliable: boolean): readonly string[] {
    const { broker, principal, limit, account } = this.#options;
    for (const filter of filters) broker.checkSubscribe(filter, principal);
    const all = new Set([...this.#own.keys(), ...filters]);
    if (all.size > limit) {
      throw new HashikeError('HSK-3003', `more than ${limit} subscriptions (limits.subscriptionsPerClient)`, {
        client: principal.clientId,
        limit,
      });
    }
    const added = [...all].filter((filter) => !this.#own.has(filter));
    account.checkSubscriptions(added.length);
    for (const filter of filters) this.#add(filter, reliable);
    return added;
  }

  /** Whether one of the client's own takes `topic`. */
  covers(topic: string): boolean {
    return [...this.#own.keys()].some((filter) => matches(filter, topic));
  }

  /** Takes up what was added before a restart. What is not allowed any more is left out. */
  restore(list: readonly { readonly filter: string; readonly reliable: boolean }[]): void {
    const { principal } = this.#options;
    for (const { filter, reliable } of list) {
      if (principal.maySubscribe(filter)) this.#add(filter, reliable);
    }
  }

  /** Those that are not there are no error. */
  remove(filters: readonly string[]): void {
    const { presence, principal } = this.#options;
    for (const filter of filters) {
      if (this.#remove(filter)) presence.leave(filter, principal.clientId);
    }
  }

  /** Ends all of them, but for what the configuration gives the client's queue. */
  cancel({ reason, mayReturn }: Departure): void {
    const { presence, principal } = this.#options;
    for (const subscription of this.#commands) subscription.cancel();
    for (const filter of this.#own.keys()) {
      this.#remove(filter);
      if (mayReturn) presence.leaveLater(filter, principal.clientId, reason);
      else presence.leave(filter, principal.clientId, reason);
    }
  }

  #remove(filter: string): boolean {
    this.#own.get(filter)?.live.cancel();
    if (!this.#own.delete(filter)) return false;
    this.#options.account.removeSubscription();
    this.#unqueue(filter);
    return true;
  }

  #add(filter: string, reliable: boolean): void {
    this.#remove(filter);
    const { broker, subscriber, queue, presence, principal, account } = this.#options;
    account.addSubscription();
    if (reliable) queue?.filters.add(filter);
    this.#own.set(filter, {
      reliable,
      live: broker.subscribeUnchecked(filter, subscriber, { reliable: reliable && !queue }),
    });
    presence.join(filter, principal.clientId);
  }

  #unqueue(filter: string): void {
    const { queue } = this.#options;
    if (queue && !queue.commands.has(filter)) queue.filters.remove(filter);
  }
}
