import { DropReport } from '../base/drop-report.ts';
import type { ErrorCode, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Age, Inbound, SessionEffects, SessionMachine } from '../session/ports.ts';
import type { StoredSession } from '../spool/ports.ts';
import type { ReasonValue } from '../wire/message.ts';
import { MessageType, Reason, ShortKind } from '../wire/numbers.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { encodeShort } from '../wire/short-form.ts';
import type { ClientQueue } from './client-queues.ts';
import { ClientPipe } from './client-pipe.ts';
import type { Confirming } from './confirmations.ts';
import { Custody, type KeptSession } from './custody.ts';
import { Deliveries, type DeliveringSession } from './deliveries.ts';
import { DurableFeed, type FedSession } from './durable-feed.ts';
import type { Delivery, Principal } from './ports.ts';
import { shorten } from './reasons.ts';
import { clientIdSection, type RelaySource } from './relay.ts';
import { type RecordedSession, SessionRecord } from './session-record.ts';
import { type RequestedSession, SessionRequests } from './session-requests.ts';
import {
  bytesOf,
  type Carrier,
  type Departure,
  type SessionIdentity,
  type SessionServices,
} from './session-surroundings.ts';
import { type SubscribingSession, Subscriptions } from './subscriptions.ts';
import type { TokenAccount } from './token-accounts.ts';
import type { UdpTicketValues } from './udp-paths.ts';
import { Watches, type WatchingSession } from './watches.ts';

/** What the configuration may have to mend, as against damage: an alias that nobody declared, and content that its layout does not fit. */
const misfits: ReadonlySet<ErrorCode> = new Set(['HSK-1104', 'HSK-1109']);

/** What the parts of a session ask of it. */
type Whole = SessionEffects &
  RequestedSession &
  DeliveringSession &
  SubscribingSession &
  WatchingSession &
  KeptSession &
  FedSession &
  RecordedSession &
  RelaySource;

/**
 * The server's side of one session after the handshake (clause 5): it carries out what the client asks, and hands it what it subscribed to. It outlives
 * its connections. There are thousands, most of them idle: its parts ask it directly, and what a session may never need is made when it is needed.
 */
export class ClientSession implements Whole {
  readonly identity: SessionIdentity;
  readonly services: SessionServices;
  readonly account: TokenAccount;
  /** Makes the session durable: its reliable deliveries wait there, and its context survives a restart. */
  readonly diskQueue: ClientQueue | undefined;
  readonly pipe: ClientPipe;
  readonly custody: Custody;
  readonly subscriptions: Subscriptions;
  readonly deliveries: Deliveries;
  readonly #requests: SessionRequests;
  readonly #feed: DurableFeed | undefined;
  /** Where the client asked with CONFIRM. */
  readonly #confirming: Confirming | undefined;
  #watches: Watches | undefined;
  #record: SessionRecord | undefined;
  #misfits: DropReport | undefined;
  #clientIdSection: Uint8Array | undefined;
  #away = false;
  #over = false;

  constructor(identity: SessionIdentity, services: SessionServices, diskQueue: ClientQueue | undefined) {
    const { principal, context, received, sent, restored } = identity;
    const { broker, accounts, alarms, clock, limits } = services;
    this.identity = identity;
    this.services = services;
    this.account = accounts.of(principal.clientId);
    this.diskQueue = diskQueue;
    diskQueue?.take(this);
    this.custody = new Custody(this);
    this.pipe = new ClientPipe({
      alarms,
      session: {
        side: 'server',
        sessionId: this.sessionId,
        keepAliveMs: context.keepAliveMs,
        epoch: clock.now() - (clock.wall() - context.epochWall),
        limits,
        aliases: context.aliases,
        received,
        sent,
        restored,
      },
      effects: this,
      services,
      account: this.account,
    });
    this.deliveries = new Deliveries(this);
    this.subscriptions = new Subscriptions(this);
    this.subscriptions.restore(context.subscriptions);
    this.#requests = new SessionRequests(this);
    this.#confirming = context.confirm
      ? broker.confirmations.open({
          clock,
          sessionId: this.idHex,
          settled: () => this.settled,
          tell: (messageId) => this.#confirm(messageId),
        })
      : undefined;
    this.#feed = diskQueue && new DurableFeed(this, diskQueue);
  }

  get clientId(): string {
    return this.identity.principal.clientId;
  }

  get principal(): Principal {
    return this.identity.principal;
  }

  get idHex(): string {
    return this.identity.idHex;
  }

  get sessionId(): Uint8Array {
    return bytesOf(this.identity.idHex);
  }

  /** Made anew each time: a session seldom has anything to say, and a logger is larger than what it says. */
  get log(): Log {
    return this.services.log.child({ client: this.clientId, session: this.idHex });
  }

  get attached(): boolean {
    return this.pipe.carrier !== undefined;
  }

  /** A node that has not been heard for longer than its keep-alive; it may sleep. */
  get away(): boolean {
    return this.#away;
  }

  get over(): boolean {
    return this.#over;
  }

  get durable(): boolean {
    return this.diskQueue !== undefined;
  }

  get comesBack(): boolean {
    return this.durable && !this.#over;
  }

  /** Name of the client's queue on disk. */
  get queue(): string | undefined {
    return this.diskQueue?.name;
  }

  /** Messages that wait on disk for the client. */
  get queued(): number {
    return this.diskQueue?.consumer.depth.messages ?? 0;
  }

  /** Last MESSAGE_ID of the client of which custody has passed: what it must not send again. */
  get settled(): number {
    return this.pipe.session.settled;
  }

  /** Last number of ours that the client acknowledged. */
  get acknowledgedUpTo(): number {
    return this.pipe.session.acknowledged;
  }

  get fed(): number {
    return this.#feed?.sent ?? 0;
  }

  get watches(): Watches {
    this.#watches ??= new Watches(this);
    return this.#watches;
  }

  get clientIdSection(): Uint8Array {
    this.#clientIdSection ??= clientIdSection(this.clientId);
    return this.#clientIdSection;
  }

  /** Of a session on disk even what goes nowhere else leaves its mark there. */
  get flows(): boolean {
    return !this.#over && !this.durable && this.attached && this.#requests.flow;
  }

  /** The session clock (clause 3.1.3). */
  timestamp(): number {
    return this.pipe.act((session, now) => session.timestamp(now));
  }

  /**
   * Takes up a connection; one that carried the session before gets DISCONNECT (clause 5.4.2).
   * @param peerReceived last number of ours that the client has; undefined: begins with RESUME (clause 6.5.3).
   */
  attach(carrier: Carrier, peerReceived: number | undefined): void {
    const reason = { code: Reason.TAKEN_OVER, text: 'another connection took the session over' };
    this.pipe.carrier?.disconnect(reason);
    this.#away = false;
    this.pipe.take(carrier, peerReceived);
    this.#feed?.pump();
    this.#confirming?.again();
  }

  /** The connection is gone. */
  detach(): void {
    if (!this.pipe.leave()) return;
    this.deliveries.detached();
    this.pipe.detach();
    if (!this.#over) this.services.registry.detached(this);
  }

  /** One frame of the client. */
  frame(bytes: Uint8Array): void {
    this.pipe.frame(bytes);
    if (this.comesBack && this.#recorded.isChangedBy(bytes)) this.custody.saveSoon();
  }

  /** As `frame`, for the plain PUBLISHes at the beginning of a run of messages. Returns where the first message begins that is for `frame`; `to` when there is none. */
  run(bytes: Uint8Array, from: number, to: number): number {
    return this.pipe.group(() => {
      const end = this.services.relay.run(this, bytes, from, to);
      if (end === from) return end;
      this.pipe.act((session, now) => session.admitted(now));
      this.#confirming?.changed();
      return end;
    });
  }

  admit(messageId: number | undefined, timestamp: number): boolean {
    return this.pipe.raw.admit(messageId, timestamp);
  }

  age(timestamp: number, now: number): Age {
    return this.pipe.session.age(timestamp, now);
  }

  drained(): void {
    this.pipe.drained();
    this.deliveries.drained();
    this.#confirming?.changed();
  }

  deliver(delivery: Delivery): void {
    this.deliveries.deliver(delivery);
  }

  relay(publish: PublishView, reliable: boolean, now: number): boolean {
    return this.#over || this.deliveries.relay(publish, reliable, now);
  }

  control(message: Parameters<SessionMachine['sendControl']>[0]): boolean {
    return this.pipe.act((session, now) => session.sendControl(message, now));
  }

  settle(messageId: number): void {
    this.pipe.act((session, now) => session.settle(messageId, now));
    this.#confirming?.changed();
  }

  openUdp(): UdpTicketValues | undefined {
    return this.pipe.openPath();
  }

  transmitBeside(frame: Uint8Array): boolean {
    return this.pipe.offer(frame);
  }

  receive(message: Inbound, age: Age): void {
    this.#requests.receive(message, age);
  }

  acknowledged(messageId: number, tag: number | undefined): void {
    this.#feed?.acknowledged(messageId, tag);
    this.deliveries.acknowledged();
  }

  dropped(reason: string, error?: HashikeError): void {
    if (!error || !misfits.has(error.code)) {
      this.services.counters.drops('session', reason).add();
      return;
    }
    const { clock, counters } = this.services;
    const text =
      'frames of a client do not fit its aliases: they are not acknowledged, and it keeps what is reliable';
    this.#misfits ??= new DropReport({ place: 'session', text, clock, counters, log: this.log });
    this.#misfits.add(reason, error.facts);
  }

  /** Only a client hears CONFIRMED. */
  confirmed(): void {}

  /** Only a client is told to begin anew. */
  reset(): void {}

  /** Where a link cannot be closed the node is away, and may be asleep (clause 5.6.1). */
  silent(): void {
    if (this.identity.place === undefined) {
      this.pipe.disconnect({ code: Reason.KEEP_ALIVE_TIMEOUT, text: 'nothing was heard' });
    } else {
      this.#away = true;
    }
  }

  heard(): void {
    this.#away = false;
  }

  /** The client broke the protocol: the session is over (clauses 5.7.2 and 5.7.3). */
  violated(error: HashikeError): void {
    this.services.counters.counter('protocol_errors').add();
    this.log.warn(error.facts, 'a client broke the protocol');
    this.end({ code: Reason.PROTOCOL_ERROR, text: shorten(error.message) }, true);
  }

  /** The client has lost state (HSK-2006): the session is over, and nothing is remembered of what it says of its numbers (clause 6.5.6). On a link that it is on, it hears RESET. */
  stateLost(error: HashikeError): void {
    this.pipe.carrier?.link.send(encodeShort({ kind: ShortKind.RESET }));
    this.forget(error);
  }

  /** As `stateLost`, where the client hears of it otherwise. */
  forget(error: HashikeError): void {
    if (this.#over) return;
    this.#over = true;
    this.log.warn(error.facts, 'a client has lost state; its session ends');
    this.pipe.disconnect(undefined);
    this.pipe.afterwards(() => this.services.registry.discard(this));
  }

  /** It stayed over the bound of its queue (clause 5.5.4). */
  slow(error: HashikeError): void {
    this.services.counters.counter('slow_consumers').add();
    this.log.warn(error.facts, 'a subscriber is too slow; its session ends');
    this.end({ code: Reason.SLOW_CONSUMER, text: error.message }, true);
  }

  record(): StoredSession {
    return this.#recorded.write(this.services.clock.wall());
  }

  custodyPassed(): void {
    this.#requests.proceed();
  }

  custodyDecided(): void {
    if (this.#over) this.services.registry.decided(this);
  }

  /** Custody was not possible: the client keeps its message, learns from SESSION_EXPIRED what has arrived, and sends the rest again. */
  storeFailed(error: unknown): void {
    this.custody.doubt();
    if (this.#over) return;
    this.services.counters.drops('session', 'not-stored').add();
    this.log.error({ err: error }, 'a message could not be kept; its client must come again');
    this.account.storeFailed();
    this.end({ code: Reason.LIMIT, text: 'the message could not be stored' }, true);
  }

  /** The client has no right to this session any more, or other rights. */
  dismiss(reason: ReasonValue): void {
    this.log.info({ reason: reason.code }, `a session ends: ${reason.text}`);
    this.end(reason, true);
  }

  /** Has the registry end it; `reason` is undefined when the client wanted that. */
  end(reason: ReasonValue | undefined, will: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.pipe.disconnect(reason);
    this.pipe.afterwards(() => this.services.registry.ended(this, will, reason ?? left));
  }

  /** Publishes the will, where there is one. */
  publishWill(): void {
    const { will } = this.identity.context;
    if (will) this.#requests.publishWill(will);
  }

  /** Ends it: nothing is received or delivered any more. A connection that still carries it is ended: another session took its place. */
  stop(departure: Departure): void {
    this.#over = true;
    this.pipe.carrier?.disconnect({ code: Reason.TAKEN_OVER, text: 'the client connected anew' });
    this.#watches?.cancel();
    this.subscriptions.cancel(departure);
    this.suspend();
    void this.diskQueue?.leave(this);
  }

  /** Stops it for the end of the gateway; it goes on from disk. */
  suspend(): void {
    this.#confirming?.close();
    this.#requests.stop();
    if (this.#feed && this.diskQueue) this.diskQueue.released = this.#feed.stop();
    this.detach();
  }

  get #recorded(): SessionRecord {
    this.#record ??= new SessionRecord(this);
    return this.#record;
  }

  #confirm(messageId: number): boolean {
    return this.control({ type: MessageType.CONFIRMED, timestamp: this.timestamp(), messageId });
  }
}

/** DISCONNECT by the client. */
const left: ReasonValue = { code: Reason.NORMAL, text: '' };
