import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import type { Log } from '../base/log.ts';
import type { Alarms } from '../session/alarms.ts';
import type { SessionLink } from '../session/pipe.ts';
import type { Spool } from '../spool/ports.ts';
import type { ReasonValue } from '../wire/message.ts';
import type { Admission } from './access.ts';
import type { Broker } from './broker.ts';
import type { ClientSession } from './client-session.ts';
import type { Principal } from './ports.ts';
import type { Presence } from './presence.ts';
import type { Relay } from './relay.ts';
import type { SessionContext } from './session-context.ts';
import type { TokenAccounts } from './token-accounts.ts';
import type { UdpPaths } from './udp-paths.ts';

/** What a session is from its beginning, or what is known of it after a restart. */
export interface SessionIdentity {
  /** Hex of the SESSION_ID: of thousands of them, a text is a fraction of what bytes are. */
  readonly idHex: string;
  /** Hex of the SHA-256 of the RESUME_KEY. */
  readonly keyHash: string;
  readonly principal: Principal;
  readonly admission: Admission;
  /** The wire it belongs to (clause 6.5.1). */
  readonly place: string | undefined;
  readonly context: SessionContext;
  readonly received: number;
  readonly sent: number;
  /** It was begun by an earlier process. */
  readonly restored: boolean;
}

/** The bytes of an identity that is kept as hex. */
export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** What all sessions have in common. */
export interface SessionServices {
  readonly broker: Broker;
  readonly presence: Presence;
  readonly accounts: TokenAccounts;
  readonly relay: Relay;
  readonly alarms: Alarms;
  readonly registry: SessionRegistry;
  readonly spool: Pick<Spool, 'append' | 'saveSession'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  /** Absent: no UDP is offered. */
  readonly udp?: UdpPaths | undefined;
  readonly limits: {
    readonly sendQueueBytes: number;
    readonly unsettledMessages: number;
    readonly reorderMessages: number;
    readonly subscriptionsPerClient: number;
    readonly watchesPerClient: number;
    readonly messageBytes: number;
  };
}

/** The connection that a session is attached to, as far as the session needs it. */
export interface Carrier {
  readonly link: SessionLink;
  /** Takes the session off the link, with DISCONNECT where a reason is given, and closes the link where it can be closed. */
  disconnect(reason: ReasonValue | undefined): void;
}

/** Why a session is over. */
export interface Departure {
  readonly reason: ReasonValue;
  /** The client has begun another one. */
  readonly mayReturn: boolean;
}

/** Who holds the sessions: told by each what becomes of it. */
export interface SessionRegistry {
  detached(session: ClientSession): void;
  /** It is over; `will` says whether its will is to be published. The registry answers with `stop`. */
  ended(session: ClientSession, will: boolean, reason: ReasonValue): void;
  /** It is over, without its will, and nothing of it is to be remembered. The registry answers with `stop`. */
  discard(session: ClientSession): void;
  /** Custody of everything that it received is decided, after it was over. */
  decided(session: ClientSession): void;
}
