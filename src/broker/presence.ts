import type { Clock, Timer } from '../base/clock.ts';
import { FilterTree } from '../topic/filter-tree.ts';
import { hasWildcard, matches } from '../topic/topic.ts';
import type { ReasonValue } from '../wire/message.ts';

/** A client on a topic. */
export interface Attendance {
  readonly topic: string;
  readonly clientId: string;
}

/** Somebody came to a topic or left it. */
export interface PresenceChange extends Attendance {
  readonly joined: boolean;
  /** Why a client left, where its session ended. */
  readonly reason?: ReasonValue | undefined;
}

/** Wants to know who comes and goes. Must not throw. */
export interface Watcher {
  presence(change: PresenceChange): void;
}

export interface PresenceOptions {
  readonly clock: Clock;
  /** How long a client whose session was replaced stays present without subscribing again. */
  readonly graceMs: number;
}

/**
 * Who is present where (clause 5.8): the clients whose session has a subscription to exactly that topic. A link that breaks changes nothing; watchers hear of each
 * client and topic in turns: joined, left, joined …
 */
export class Presence {
  readonly #options: PresenceOptions;
  /** By topic and CLIENT_ID; with a timer when the client is about to leave. */
  readonly #present = new Map<string, Map<string, Timer | undefined>>();
  readonly #watchers = new FilterTree<Watcher>();
  /** Not told yet: telling a watcher may end its session, and so bring the next change. */
  readonly #changes: PresenceChange[] = [];
  #telling = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** A session has subscribed to `filter`; one with wildcards makes nobody present. */
  join(filter: string, clientId: string): void {
    if (hasWildcard(filter)) return;
    const clients = this.#present.get(filter) ?? new Map<string, Timer | undefined>();
    this.#present.set(filter, clients);
    const known = clients.has(clientId);
    clients.get(clientId)?.cancel();
    clients.set(clientId, undefined);
    if (!known) this.#tell({ topic: filter, clientId, joined: true });
  }

  /** The subscription is gone. */
  leave(filter: string, clientId: string, reason?: ReasonValue): void {
    const clients = this.#present.get(filter);
    if (!clients?.has(clientId)) return;
    clients.get(clientId)?.cancel();
    clients.delete(clientId);
    if (clients.size === 0) this.#present.delete(filter);
    this.#tell({ topic: filter, clientId, joined: false, reason });
  }

  /** The subscription is gone with a session that was replaced: the client leaves unless the next one subscribes in time. */
  leaveLater(filter: string, clientId: string, reason: ReasonValue): void {
    const clients = this.#present.get(filter);
    if (!clients?.has(clientId)) return;
    const { clock, graceMs } = this.#options;
    clients.get(clientId)?.cancel();
    clients.set(
      clientId,
      clock.after(graceMs, () => this.leave(filter, clientId, reason)),
    );
  }

  /** The CLIENT_IDs of those present on `topic`, in order. */
  on(topic: string): readonly string[] {
    return [...(this.#present.get(topic)?.keys() ?? [])].toSorted();
  }

  /** Who is present on the topics that `filter` takes. */
  matching(filter: string): readonly Attendance[] {
    const topics = hasWildcard(filter)
      ? [...this.#present.keys()].filter((topic) => matches(filter, topic))
      : [filter];
    return topics.flatMap((topic) => this.on(topic).map((clientId) => ({ topic, clientId })));
  }

  /** Tells `watcher` of each change from now on, once however many of its filters match. */
  watch(filter: string, watcher: Watcher): void {
    this.#watchers.add(filter, watcher);
  }

  unwatch(filter: string, watcher: Watcher): void {
    this.#watchers.remove(filter, watcher);
  }

  /** Nobody leaves any more. */
  close(): void {
    for (const clients of this.#present.values()) for (const timer of clients.values()) timer?.cancel();
  }

  #tell(change: PresenceChange): void {
    this.#changes.push(change);
    if (this.#telling) return;
    this.#telling = true;
    for (let next = this.#changes.shift(); next; next = this.#changes.shift()) {
      for (const watcher of this.#watchers.match(next.topic)) watcher.presence(next);
    }
    this.#telling = false;
  }
}
