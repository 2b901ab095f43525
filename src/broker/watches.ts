import { HashikeError } from '../base/errors.ts';
import { matches, validateFilter } from '../topic/topic.ts';
import type { Principal } from './ports.ts';
import type { Attendance, Presence, Watcher } from './presence.ts';

/** What a PRESENCE_JOINED takes beside its texts: header, MESSAGE_ID, headers of sections and padding. */
const OVERHEAD_BYTES = 32;

/** The session, as far as its watches need it. */
export interface WatchingSession {
  readonly principal: Principal;
  readonly services: { readonly presence: Presence; readonly limits: { readonly watchesPerClient: number } };
  readonly deliveries: Watcher & {
    /** Bytes that the send queue still takes. */
    readonly room: number;
  };
}

/** The topics whose presence one session watches (clause 5.8). */
export class Watches {
  readonly #session: WatchingSession;
  readonly #filters = new Set<string>();

  constructor(session: WatchingSession) {
    this.#session = session;
  }

  /**
   * Watches all `filters`, or none, and tells first who is present and was not told of before. Throws HSK-1202 when one is malformed, HSK-3001 when one is not
   * allowed, HSK-3003 over a limit.
   */
  watch(filters: readonly string[]): void {
    const { services, deliveries } = this.#session;
    const { presence } = services;
    this.#check(filters);
    const known = [...this.#filters];
    const present = new Map<string, Attendance>();
    for (const each of filters.flatMap((filter) => presence.matching(filter))) {
      if (known.some((filter) => matches(filter, each.topic))) continue;
      present.set(JSON.stringify([each.topic, each.clientId]), each);
    }
    this.#checkRoom([...present.values()]);
    for (const filter of filters) {
      this.#filters.add(filter);
      presence.watch(filter, deliveries);
    }
    for (const each of present.values()) deliveries.presence({ ...each, joined: true });
  }

  /** Those that are not watched are no error. */
  unwatch(filters: readonly string[]): void {
    const { services, deliveries } = this.#session;
    for (const filter of filters) {
      if (this.#filters.delete(filter)) services.presence.unwatch(filter, deliveries);
    }
  }

  cancel(): void {
    this.unwatch([...this.#filters]);
  }

  #check(filters: readonly string[]): void {
    const { principal, services } = this.#session;
    const limit = services.limits.watchesPerClient;
    for (const filter of filters) {
      validateFilter(filter);
      if (principal.maySubscribe(filter)) continue;
      throw new HashikeError('HSK-3001', `${principal.clientId} may not watch ${filter}`, { filter });
    }
    if (new Set([...this.#filters, ...filters]).size > limit) {
      throw new HashikeError('HSK-3003', `more than ${limit} filters are watched (limits.watchesPerClient)`, {
        client: principal.clientId,
        limit,
      });
    }
  }

  /** A client that watches too much is refused, which is kinder than to find it slow. */
  #checkRoom(present: readonly Attendance[]): void {
    let bytes = 0;
    for (const { topic, clientId } of present) {
      bytes += OVERHEAD_BYTES + Buffer.byteLength(topic) + Buffer.byteLength(clientId);
    }
    if (bytes <= this.#session.deliveries.room) return;
    const text = 'more clients are present than the send queue takes (limits.sendQueueBytes)';
    throw new HashikeError('HSK-3003', text, { clients: present.length, bytes });
  }
}
