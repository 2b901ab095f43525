import type { MessageType } from './numbers.ts';

type T = typeof MessageType;

/** What every long-form message carries in its header (clause 3.1). */
interface Header {
  /** Milliseconds of the server's session clock, modulo 2^32; 0 when the sender does not know it. */
  readonly timestamp: number;
}

/** A code of `Reason` (or a newer one) and a text for people. */
export interface ReasonValue {
  readonly code: number;
  readonly text: string;
}

/** One value of an alias: `length` 0 means the rest of the content, and may stand last only. */
export interface LayoutEntry {
  readonly contentType: number;
  readonly length: number;
}

/** An alias stands for a topic and a layout (clause 6.1). An empty layout means one value of type 0x8000. */
export interface AliasEntry {
  readonly aliasId: number;
  readonly topic: string;
  readonly layout: readonly LayoutEntry[];
}

/** The part of a PUBLISH that a WILL carries too. Content is the raw content sections, padded, in order. */
export interface PublishBody {
  readonly topic: string;
  readonly retain: boolean;
  /** Milliseconds after which nobody wants it any more. */
  readonly expiry?: number | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlation?: Uint8Array | undefined;
  readonly content: Uint8Array;
}

export interface ConnectToken extends Header {
  readonly type: T['CONNECT_TOKEN'];
  readonly token: Uint8Array;
  readonly version?: number | undefined;
  readonly clientName?: string | undefined;
  readonly keepAlive?: number | undefined;
  readonly resumeWindow?: number | undefined;
  readonly confirm: boolean;
  readonly will?: PublishBody | undefined;
  readonly aliases: readonly AliasEntry[];
}

export interface ConnectResume extends Header {
  readonly type: T['CONNECT_RESUME'];
  readonly sessionId: Uint8Array;
  readonly resumeKey: Uint8Array;
  readonly messageId: number;
}

export interface ConnackSuccess extends Header {
  readonly type: T['CONNACK_SUCCESS'];
  readonly clientId: string;
  readonly sessionId: Uint8Array;
  readonly resumeKey: Uint8Array;
  readonly keepAlive: number;
  readonly resumeWindow: number;
  readonly serverTime: number;
  /** The server offers a UDP path there. */
  readonly port?: number | undefined;
}

export interface ConnackResumed extends Header {
  readonly type: T['CONNACK_RESUMED'];
  readonly messageId: number;
  readonly serverTime: number;
}

export interface ConnackFailed extends Header {
  readonly type: T['CONNACK_FAILED'] | T['CONNACK_FAILED_TOKEN_ERROR'];
  readonly reason?: ReasonValue | undefined;
}

export interface ConnackFailedSessionExpired extends Header {
  readonly type: T['CONNACK_FAILED_SESSION_EXPIRED'];
  readonly messageId?: number | undefined;
  readonly reason?: ReasonValue | undefined;
}

export interface ConnackFailedBusy extends Header {
  readonly type: T['CONNACK_FAILED_BUSY'];
  readonly reason?: ReasonValue | undefined;
  readonly retryAfter?: number | undefined;
}

export interface ConnackFailedVersion extends Header {
  readonly type: T['CONNACK_FAILED_VERSION'];
  readonly versions: readonly number[];
}

export interface Subscribe extends Header {
  readonly type: T['SUBSCRIBE'];
  readonly messageId: number;
  readonly topics: readonly string[];
  readonly bestEffort: boolean;
}

/** UNSUBSCRIBE, WATCH and UNWATCH have the same shape. */
export interface TopicList extends Header {
  readonly type: T['UNSUBSCRIBE'] | T['WATCH'] | T['UNWATCH'];
  readonly messageId: number;
  readonly topics: readonly string[];
}

/** Exactly one of `topic` and `aliasId` is set on the wire. */
export interface Publish extends Header {
  readonly type: T['PUBLISH'];
  readonly messageId?: number | undefined;
  readonly topic?: string | undefined;
  readonly aliasId?: number | undefined;
  readonly retain: boolean;
  readonly expiry?: number | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlation?: Uint8Array | undefined;
  /** Of the publisher; only in deliveries by the server. */
  readonly clientId?: string | undefined;
  readonly content: Uint8Array;
}

/** ACK and CONFIRMED: cumulative. */
export interface Ack extends Header {
  readonly type: T['ACK'] | T['CONFIRMED'];
  readonly messageId: number;
}

export interface Rejected extends Header {
  readonly type: T['REJECTED'];
  readonly messageId: number;
  readonly reason: ReasonValue;
}

export interface Presence extends Header {
  readonly type: T['PRESENCE_JOINED'] | T['PRESENCE_LEFT'];
  readonly messageId: number;
  readonly topic: string;
  readonly clientId: string;
  readonly reason?: ReasonValue | undefined;
}

export interface ListSubscribers extends Header {
  readonly type: T['LIST_SUBSCRIBERS'];
  readonly requestId: number;
  readonly topic: string;
}

export interface Subscribers extends Header {
  readonly type: T['SUBSCRIBERS'];
  readonly requestId: number;
  readonly topic: string;
  readonly clientIds: readonly string[];
  /** Why there is no list. */
  readonly reason?: ReasonValue | undefined;
}

/** TIME_REQUEST and UDP_OPEN. */
export interface Request extends Header {
  readonly type: T['TIME_REQUEST'] | T['UDP_OPEN'];
  readonly requestId: number;
}

export interface Time extends Header {
  readonly type: T['TIME'];
  readonly requestId: number;
  readonly serverTime: number;
  readonly echo: number;
}

export interface Ping extends Header {
  readonly type: T['PING'];
  readonly echo?: number | undefined;
}

export interface Pong extends Header {
  readonly type: T['PONG'];
  readonly echo: number;
}

export interface UdpTicket extends Header {
  readonly type: T['UDP_TICKET'];
  readonly requestId: number;
  readonly connectionId: Uint8Array;
  /** 16-byte AES key, 8-byte salt. */
  readonly key: Uint8Array;
  readonly port: number;
}

export interface UdpPath extends Header {
  readonly type: T['UDP_PROBE'] | T['UDP_CONFIRM'];
  readonly connectionId: Uint8Array;
}

export interface Alias extends Header {
  readonly type: T['ALIAS'];
  readonly messageId: number;
  readonly entries: readonly AliasEntry[];
}

export interface Disconnect extends Header {
  readonly type: T['DISCONNECT'];
  readonly reason?: ReasonValue | undefined;
}

/** Every message of the long form. */
export type Message =
  | ConnectToken
  | ConnectResume
  | ConnackSuccess
  | ConnackResumed
  | ConnackFailed
  | ConnackFailedSessionExpired
  | ConnackFailedBusy
  | ConnackFailedVersion
  | Subscribe
  | TopicList
  | Publish
  | Ack
  | Rejected
  | Presence
  | ListSubscribers
  | Subscribers
  | Request
  | Time
  | Ping
  | Pong
  | UdpTicket
  | UdpPath
  | Alias
  | Disconnect;

/** The messages that a direction of a session numbers (clause 5.1). */
export type NumberedMessage = Subscribe | TopicList | Publish | Presence | Alias;
