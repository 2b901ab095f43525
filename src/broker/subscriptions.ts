import { HashikeError } from '../base/errors.ts';
import { matches } from '../topic/topic.ts';
import type { Broker } from './broker.ts';
import type { ClientQueue } from './client-queues.ts';
import type { Principal, Subscriber, Subscription } from './ports.ts';
import type { Presence } from './presence.ts';
import type { Departure } from './session-surroundings.ts';
import type { TokenAccount } from './token-accounts.ts';

/** The session, as far as its subscriptions need it. */
export interface SubscribingSession extends Subscriber {
  readonly principal: Principal;
  readonly account: TokenAccount;
  /** Where reliable deliveries wait on disk; undefined: they go to the subscriber at once. */
  readonly diskQueue: ClientQueue | undefined;
  readonly services: {
    readonly broker: Broker;
    readonly presence: Presence;
    readonly limits: { readonly subscriptionsPerClient: number };
  };
}

interface Own {
  readonly reliable: boolean;
  readonly live: Subscription;
}

const NONE: ReadonlyMap<string, Own> = new Map();

/** What one session has subscribed to. */
export class Subscriptions {
  readonly #session: SubscribingSession;
  /** The client's own; undefined while there are none. */
  #own: Map<string, Own> | undefined;
  readonly #commands: readonly Subscription[] | undefined;

  /** Serves the client, while this session lives, with what is best effort on the topics of its commands. */
  constructor(session: SubscribingSession) {
    this.#session = session;
    const { services, diskQueue } = session;
    this.#commands =
      diskQueue &&
      [...diskQueue.commands].map((filter) =>
        services.broker.subscribeUnchecked(filter, session, { reliable: false }),
      );
  }

  /** The client's own. */
  get list(): readonly { readonly filter: string; readonly reliable: boolean }[] {
    return [...(this.#own ?? NONE)].map(([filter, { reliable }]) => ({ filter, reliable }));
  }

  /**
   * Adds all `filters`, or none: throws HSK-1202 when one is malformed, HSK-3001 when one is not allowed, HSK-3003 over the limit.
   * One that is there already takes the new reliability. Returns those that are new.
   */
  add(filters: readonly string[], reliable: boolean): readonly string[] {
    const { services, principal, account } = this.#session;
    const { broker, limits } = services;
    const limit = limits.subscriptionsPerClient;
    const own = this.#own ?? NONE;
    for (const filter of filters) broker.checkSubscribe(filter, principal);
    const all = new Set([...own.keys(), ...filters]);
    if (all.size > limit) {
      throw new HashikeError('HSK-3003', `more than ${limit} subscriptions (limits.subscriptionsPerClient)`, {
        client: principal.clientId,
        limit,
      });
    }
    const added = [...all].filter((filter) => !own.has(filter));
    account.checkSubscriptions(added.length);
    for (const filter of filters) this.#add(filter, reliable);
    return added;
  }

  /** Whether one of the client's own takes `topic`. */
  covers(topic: string): boolean {
    return [...(this.#own ?? NONE).keys()].some((filter) => matches(filter, topic));
  }

  /** Takes up what was added before a restart. What is not allowed any more is left out. */
  restore(list: readonly { readonly filter: string; readonly reliable: boolean }[]): void {
    const { principal } = this.#session;
    for (const { filter, reliable } of list) {
      if (principal.maySubscribe(filter)) this.#add(filter, reliable);
    }
  }

  /** Those that are not there are no error. */
  remove(filters: readonly string[]): void {
    const { services, principal } = this.#session;
    for (const filter of filters) {
      if (this.#remove(filter)) services.presence.leave(filter, principal.clientId);
    }
  }

  /** Ends all of them, but for what the configuration gives the client's queue. */
  cancel({ reason, mayReturn }: Departure): void {
    const { services, principal } = this.#session;
    const { presence } = services;
    for (const subscription of this.#commands ?? []) subscription.cancel();
    for (const filter of (this.#own ?? NONE).keys()) {
      this.#remove(filter);
      if (mayReturn) presence.leaveLater(filter, principal.clientId, reason);
      else presence.leave(filter, principal.clientId, reason);
    }
  }

  #remove(filter: string): boolean {
    this.#own?.get(filter)?.live.cancel();
    if (!this.#own?.delete(filter)) return false;
    if (this.#own.size === 0) this.#own = undefined;
    this.#session.account.removeSubscription();
    this.#unqueue(filter);
    return true;
  }

  #add(filter: string, reliable: boolean): void {
    this.#remove(filter);
    const { services, diskQueue, principal, account } = this.#session;
    account.addSubscription();
    if (reliable) diskQueue?.filters.add(filter);
    const live = services.broker.subscribeUnchecked(filter, this.#session, {
      reliable: reliable && !diskQueue,
    });
    this.#own ??= new Map();
    this.#own.set(filter, { reliable, live });
    services.presence.join(filter, principal.clientId);
  }

  #unqueue(filter: string): void {
    const { diskQueue } = this.#session;
    if (diskQueue && !diskQueue.commands.has(filter)) diskQueue.filters.remove(filter);
  }
}
