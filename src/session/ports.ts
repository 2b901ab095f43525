import type { HashikeError } from '../base/errors.ts';
import type { AliasEntry, Message, NumberedMessage } from '../wire/message.ts';
import type { PublishView } from '../wire/publish-view.ts';

/** What a session needs to know of the link it is attached to. */
export interface Transport {
  /** Frames are never lost: order is the link's, nothing is retransmitted. */
  readonly reliable: boolean;
  /** Whether to speak the short form where it fits. */
  readonly shortForm: boolean;
  readonly mtu: number;
  readonly bitRate?: number | undefined;
}

/** A numbered message before it has its number. */
export type Unnumbered<M> = M extends NumberedMessage ? Omit<M, 'messageId' | 'timestamp'> : never;
export type Outgoing = Unnumbered<NumberedMessage>;

/** One reading of a batch: `ageMs` before the frame was received. Content is raw sections. */
export interface BatchedReading {
  readonly ageMs: number;
  readonly content: Uint8Array;
}

/** Several readings under one MESSAGE_ID (clause 6.1, kind 2). */
export interface Batch {
  readonly type: 'BATCH';
  readonly messageId: number;
  readonly topic: string;
  readonly readings: readonly BatchedReading[];
}

/**
 * What a session hands up: every message of the peer but ACK, PING, PONG, ALIAS and what is a repetition. In a PUBLISH the alias is resolved:
 * `topic` is set. Messages with a messageId come in order, exactly once, and wait for `settle`.
 */
export type Inbound = Message | Batch;

/** How long ago content was taken, as far as the session can tell (clauses 3.1.3 and 6.1.6). */
export interface Age {
  /** Milliseconds before the call. */
  readonly ms: number;
  /** Half the width of the interval that holds the true age; undefined when nobody knows. */
  readonly uncertainty?: number | undefined;
}

/** What puts the frames of a session on its link. Called only from within calls of the session. */
export interface SessionOutlet {
  /** Puts one frame on the link. False: over the high-water mark; the session then waits for `drained`. */
  transmit(frame: Uint8Array): boolean;
  /** The same for a best-effort PUBLISH that is passed on as it came. */
  relay(publish: PublishView, timestamp: number): boolean;
  /** Too much waits to be settled (true), or no longer (false): reading from the link pauses or goes on. */
  hold(held: boolean): void;
}

/** What a session does to whom it belongs. Called only from within calls of the session; must not call back into it, but for `settle` and the sends. */
export interface SessionEffects {
  /** Offers a best-effort frame, in the long form, to a path beside the link (clause 8.5). False, or absent: it takes the link. */
  transmitBeside?(frame: Uint8Array): boolean;
  receive(message: Inbound, age: Age): void;
  /** The peer has taken ours up to and including `messageId`; `tag` is that of the newest message covered that had one. */
  acknowledged(messageId: number, tag: number | undefined): void;
  /** The upstream has taken ours up to `messageId` (CONFIRMED). */
  confirmed(messageId: number): void;
  /** The peer broke the protocol on a reliable link: the owner sends DISCONNECT and closes. */
  violated(error: HashikeError): void;
  /** Nothing was heard for 1.5 x KEEP_ALIVE. Said once per silence. */
  silent(): void;
  /** Heard again after `silent`. */
  heard(): void;
  /**
   * The peer has lost state: it claims less of ours than it had acknowledged (HSK-2006, clause 6.5.6). Nothing more is said or heard on this link: a client connects anew, a server
   * ends the session and remembers nothing of it.
   */
  stateLost(error: HashikeError): void;
  /** Counts a frame or message that was dropped, with a kebab-case reason; `error` says what was wrong with a frame of the peer's. */
  dropped(reason: string, error?: HashikeError): void;
  /** The server holds no context for us (RESET, or a RESUME of another session, clause 6.5.4): the owner connects anew. Never called on the server's side. */
  reset(): void;
}

export interface SessionOptions {
  readonly side: 'server' | 'client';
  /** SESSION_ID, 8 bytes; its last two stand in RESUME. */
  readonly sessionId: Uint8Array;
  readonly keepAliveMs: number;
  /** Of the clock at which the session began: Timestamp 1 (clause 3.1.3). For a client: its estimate, set by `synchronise`. */
  readonly epoch: number;
  readonly limits: {
    readonly sendQueueBytes: number;
    readonly unsettledMessages: number;
    /** Messages that came early on a lossy link and are kept. */
    readonly reorderMessages: number;
  };
  /** Aliases that hold from the start (the profile's, then CONNECT's). */
  readonly aliases: readonly AliasEntry[];
  /** Where numbering stands when a session is restored from disk; 0 for a new one. */
  readonly received: number;
  readonly sent: number;
  /**
   * The session was begun by an earlier process, which may have sent more than `sent`: the peer may acknowledge numbers that were not even queued yet.
   * They are acknowledged as soon as they are (see `sendReliable`), so they must be queued in the same order as before.
   */
  readonly restored: boolean;
}

/** What became of a best-effort message: `dropped` is counted, `full` is not: the owner keeps it until there is room, or counts it. */
export type BestEffort = 'sent' | 'full' | 'dropped';

/**
 * One session, as either side holds it: numbering, order, acknowledgement, retransmission, aliases, both forms. A pure machine: it has no clock and no
 * socket; `now` is monotonic milliseconds. The handshake is not its business: it begins after CONNACK.
 */
export interface SessionMachine {
  readonly attached: boolean;
  /** Last MESSAGE_ID received in order (settled or not), and last one settled in order: what ACK says. */
  readonly received: number;
  readonly settled: number;
  /** Last number of ours that the peer acknowledged. */
  readonly acknowledged: number;
  /** Bytes of reliable messages queued or in flight. */
  readonly queuedBytes: number;
  /** Declared by the peer or the profile. */
  readonly aliases: readonly AliasEntry[];
  /** Smoothed round trip in milliseconds, where measured. */
  readonly roundTripMs: number | undefined;
  /**
   * Takes up a link. `peerReceived` is the last number of ours that the peer has (from CONNECT_RESUME, CONNACK_RESUMED or a RESUME that was widened); messages
   * up to it are acknowledged, later ones are sent again. Undefined on a serial link whose peer has yet to say (begin with `sendResume`).
   */
  attach(transport: Transport, now: number, peerReceived: number | undefined): void;
  detach(): void;
  /**
   * One frame of the peer, either form. On a lossy link malformed frames are dropped and counted. CONNECT_* and CONNACK_* are the owner's: they do not
   * belong in a session and are treated as malformed.
   */
  frame(bytes: Uint8Array, now: number): void;
  /**
   * One long-form frame of the peer that came by a path beside the link (clause 8.5), where it may overtake others. A best-effort PUBLISH is received; anything
   * else is dropped and counted, and never ends the session.
   */
  frameBeside(bytes: Uint8Array, now: number): void;
  /**
   * Queues a reliable message and gives its MESSAGE_ID; undefined when the queue is over `sendQueueBytes`. Works while detached. A number that the peer already has (it said so
   * before the message was queued, as after a restart) is acknowledged at once, within the call, and not sent.
   * Throws HSK-1101, HSK-1102 and HSK-1105 when it can't be encoded, and HSK-2005 when the present link can't carry it; then nothing was queued.
   */
  sendReliable(message: Outgoing, now: number, tag?: number): number | undefined;
  /** Sends a PUBLISH without number. Throws as `sendReliable` does but for HSK-2005. */
  sendBestEffort(
    message: Unnumbered<Extract<NumberedMessage, { readonly content: Uint8Array; readonly retain: boolean }>>,
    now: number,
  ): BestEffort;
  /**
   * The raw step of `frame`, for a long-form PUBLISH that the owner has read and carries out at once, with nothing to wait for: true when it comes next, and is taken as received and settled. False: it is for `frame`.
   * After the last of those that came together the owner calls `admitted`.
   */
  admit(messageId: number | undefined, timestamp: number): boolean;
  admitted(now: number): void;
  /** As `sendReliable`, for a PUBLISH that is passed on as it came. False when something stands in its way, however small: it is for `sendReliable`. */
  relayReliable(publish: PublishView, now: number): boolean;
  /** As `sendBestEffort`, likewise. */
  relayBestEffort(publish: PublishView, now: number): boolean;
  /** Sends a message that is not numbered (REJECTED, TIME, DISCONNECT …) at once. False when detached. */
  sendControl(message: Exclude<Message, NumberedMessage>, now: number): boolean;
  /**
   * Short form: begins a RESUME exchange (clause 6.5.2), repeated until answered; what is reliable waits for the answer. A RESUME of the peer is answered by the
   * session itself, and one of another session with RESET.
   */
  sendResume(now: number): void;
  /** Custody of this number of the peer's has passed (or it was rejected): ACK may cover it. Any order. */
  settle(messageId: number, now: number): void;
  /** The link's queue has room again. */
  drained(now: number): void;
  /** Runs what is due: delayed ACK, retransmission, PING, silence. */
  tick(now: number): void;
  /** When `tick` wants to be called next; undefined: no need. */
  readonly deadline: number | undefined;
  /** How long before `now` the content of a PUBLISH with this Timestamp was taken. */
  age(timestamp: number, now: number): Age;
  /** The server's session clock (clause 3.1.3) at `now`. */
  timestamp(now: number): number;
}
