import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { LimitsConfig } from '../config/schema.ts';
import type { Link } from '../links/link.ts';
import type { Profiles } from '../profiles/profiles.ts';
import type { Spool } from '../spool/ports.ts';
import { Reason } from '../wire/numbers.ts';
import type { Access } from './access.ts';
import type { Broker } from './broker.ts';
import type { ClientSession } from './client-session.ts';
import { Connection } from './connection.ts';
import { LinkFaults } from './link-faults.ts';
import type { ClientQueueFeed } from './ports.ts';
import { Presence } from './presence.ts';
import { Sessions } from './sessions.ts';
import type { UdpPaths } from './udp-paths.ts';

export interface ConnectionsOptions {
  readonly access: Access;
  readonly broker: Broker;
  readonly profiles: Pick<Profiles, 'forClient'>;
  readonly spool: Spool;
  readonly limits: LimitsConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
  /** Absent: no UDP is offered. */
  readonly udp?: UdpPaths | undefined;
}

/** One client as `hashike status` shows it. Times are milliseconds since the epoch, sizes bytes. */
export interface ClientStatus {
  readonly client: string;
  /** Hex of the SESSION_ID. */
  readonly session: string;
  /** `away`: on a wire, and silent for longer than its keep-alive; `resumable`: without a connection. */
  readonly state: 'connected' | 'away' | 'resumable';
  readonly link: string | undefined;
  readonly peer: string | undefined;
  /** When the connection was made. */
  readonly since: number | undefined;
  readonly lastHeard: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly queuedBytes: number;
  /** What waits on disk for a client whose subscriptions are durable. */
  readonly queued: number;
  readonly received: number;
  readonly subscriptions: readonly string[];
}

/** Every link that carries clients, and every session: the way into the broker for Hashike's own protocol. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #presence: Presence;
  readonly #sessions: Sessions;
  readonly #connections = new Set<Connection>();
  readonly #faults: LinkFaults;
  readonly #stopGauges: readonly (() => void)[];
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { clock, counters, limits } = options;
    this.#presence = new Presence({ clock, graceMs: limits.presenceGraceMs });
    this.#sessions = new Sessions({ ...options, presence: this.#presence });
    this.#faults = new LinkFaults(options);
    this.#stopGauges = [
      counters.gauge('connections', {}, () => this.#connections.size),
      counters.gauge('sessions', {}, () => this.#sessions.all.length),
    ];
  }

  /** Takes up what is retained and the sessions on disk. To be called before the first link comes. Rejects with HSK-22xx. */
  async open(): Promise<void> {
    await this.#options.broker.retained.load();
    await this.#sessions.restore();
  }

  /** Serves a link until it closes; to be given to `LinkSource.open`. */
  accept(link: Link): void {
    const { limits, clock, counters, log } = this.#options;
    if (this.#closed) {
      link.close();
      return;
    }
    const connection = new Connection({
      link,
      sessions: this.#sessions,
      rules: this.#options,
      clock,
      counters,
      log,
      faults: this.#faults,
      closed: () => this.#connections.delete(connection),
    });
    const refusal = this.#refusal(link, limits);
    this.#connections.add(connection);
    if (refusal === undefined) connection.start();
    else connection.refuse(refusal);
  }

  /** What waits on disk for a client, where its subscriptions are durable: for an inlet that serves it where no session does. */
  queueOf(clientId: string): ClientQueueFeed | undefined {
    return this.#sessions.queueOf(clientId);
  }

  /** What is to be seen of each session, in the order of the CLIENT_IDs. */
  describe(): readonly ClientStatus[] {
    const carriers = new Map<ClientSession, Connection>();
    for (const connection of this.#connections) {
      if (connection.session) carriers.set(connection.session, connection);
    }
    return this.#sessions.all
      .map((session) => describe(session, carriers.get(session)))
      .toSorted((a, b) => (a.client < b.client ? -1 : 1));
  }

  /**
   * Tells every client that the server stops (their sessions live on where they are on disk) and closes the links. To be called before the sources of links are
   * closed, so that it can still be said; links that come later are closed.
   */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) {
      connection.disconnect({ code: Reason.SHUTTING_DOWN, text: 'the server stops' });
    }
    this.#sessions.stop();
    this.#presence.close();
    for (const stop of this.#stopGauges) stop();
  }

  /** Why one more connection can't be served. A wire is there whether it is served or not. */
  #refusal(link: Link, limits: LimitsConfig): string | undefined {
    if (link.capabilities.place !== undefined) return undefined;
    if (this.#connections.size >= limits.connections) return 'too many connections (limits.connections)';
    let unfinished = 0;
    for (const connection of this.#connections) if (connection.unfinished) unfinished += 1;
    return unfinished >= limits.unfinishedHandshakes
      ? 'too many handshakes at once (limits.unfinishedHandshakes)'
      : undefined;
  }
}

function describe(session: ClientSession, connection: Connection | undefined): ClientStatus {
  const connected = connection && (session.away ? 'away' : 'connected');
  return {
    client: session.clientId,
    session: session.idHex,
    state: connected ?? 'resumable',
    link: connection?.link.name,
    peer: connection?.link.peer,
    since: connection?.since,
    lastHeard: connection?.lastHeard,
    roundTripMs: session.roundTripMs,
    queuedBytes: session.queuedBytes,
    queued: session.queued,
    received: session.settled,
    subscriptions: session.subscriptions,
  };
}
