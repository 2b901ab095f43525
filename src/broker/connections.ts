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
import { AccessWatch } from './access-watch.ts';
import type { Broker } from './broker.ts';
import type { ClientSession } from './client-session.ts';
import { Connection, type ConnectionServices } from './connection.ts';
import { LinkFaults } from './link-faults.ts';
import type { ClientQueueFeed } from './ports.ts';
import { Presence } from './presence.ts';
import { SessionOpening } from './session-opening.ts';
import { Sessions } from './sessions.ts';
import { ThrottledLink } from './throttled-link.ts';
import { TokenAccounts } from './token-accounts.ts';
import type { UdpPaths } from './udp-paths.ts';
import { WrongTokens } from './wrong-tokens.ts';

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
  readonly #accounts: TokenAccounts;
  readonly #services: ConnectionServices;
  readonly #accessWatch: AccessWatch;
  readonly #connections = new Set<Connection>();
  readonly #stopGauges: readonly (() => void)[];
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { clock, counters, limits } = options;
    this.#presence = new Presence({ clock, graceMs: limits.presenceGraceMs });
    this.#accounts = new TokenAccounts(limits, clock);
    this.#sessions = new Sessions({ ...options, presence: this.#presence, accounts: this.#accounts });
    this.#accessWatch = new AccessWatch({ ...options, enforce: () => this.#sessions.enforceAccess() });
    const shared = { sessions: this.#sessions, faults: new LinkFaults(options), clock, counters };
    const wrongTokens = new WrongTokens(limits, clock);
    this.#services = {
      ...shared,
      limits,
      opening: new SessionOpening({ ...shared, rules: options, wrongTokens, log: options.log }),
      attached: ({ link }, { account }) => {
        if (link instanceof ThrottledLink) link.limitBy(account.rate);
      },
      closed: (connection) => this.#connections.delete(connection),
    };
    this.#stopGauges = [
      counters.gauge('connections', {}, () => this.#connections.size),
      counters.gauge('sessions', {}, () => this.#sessions.all.length),
    ];
  }

  /** Takes up what is retained and the sessions on disk. To be called before the first link comes. Rejects with HSK-22xx. */
  async open(): Promise<void> {
    await this.#options.broker.retained.load();
    await this.#sessions.restore();
    this.#accessWatch.start();
  }

  /** The clients or their profiles have changed: sessions that may not go on end, the others are left alone. */
  accessChanged(): void {
    this.#sessions.prepareQueues();
    this.#accessWatch.start();
  }

  /** Serves a link until it closes; to be given to `LinkSource.open`. */
  accept(accepted: Link): void {
    const { limits, clock } = this.#options;
    if (this.#closed) {
      accepted.close();
      return;
    }
    // A wire is as fast as it is.
    const hasRate = limits.messagesPerSecond !== undefined && accepted.capabilities.place === undefined;
    const link = hasRate ? new ThrottledLink(accepted, clock) : accepted;
    const connection = new Connection(link, this.#services);
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
    this.#accessWatch.stop();
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
    roundTripMs: session.pipe.session.roundTripMs,
    queuedBytes: session.pipe.session.queuedBytes,
    queued: session.queued,
    received: session.settled,
    subscriptions: session.subscriptions.list.map(({ filter }) => filter),
  };
}
