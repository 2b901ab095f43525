import { hex } from '../base/bytes.ts';
import { DropReport } from '../base/drop-report.ts';
import type { ErrorCode, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SessionPipeOptions } from '../session/pipe.ts';
import type { ReasonValue } from '../wire/message.ts';
import { MAX_SHORT_IN_FLIGHT, MessageType, Reason, ShortKind } from '../wire/numbers.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { encodeShort } from '../wire/short-form.ts';
import type { ClientQueue } from './client-queues.ts';
import type { Confirming } from './confirmations.ts';
import { Custody } from './custody.ts';
import { Deliveries } from './deliveries.ts';
import { DurableFeed } from './durable-feed.ts';
import { GuardedPipe } from './guarded-pipe.ts';
import type { Delivery, Subscriber } from './ports.ts';
import { shorten } from './reasons.ts';
import { Relay, type RelaySession } from './relay.ts';
import { SessionRecord } from './session-record.ts';
import { SessionRequests } from './session-requests.ts';
import { SessionUdp } from './session-udp.ts';
import type {
  Carrier,
  Departure,
  SessionEvents,
  SessionIdentity,
  SessionServices,
} from './session-surroundings.ts';
import { Subscriptions } from './subscriptions.ts';
import type { TokenAccount } from './token-accounts.ts';
import { Watches } from './watches.ts';

/** Messages that came early on a lossy link and are kept: as many as can be in flight, for a sender finds it hard to recover what was received and let go. */
const REORDER_MESSAGES = MAX_SHORT_IN_FLIGHT;
/** What the configuration may have to mend, as against damage: an alias that nobody declared, and content that its layout does not fit. */
const misfits: ReadonlySet<ErrorCode> = new Set(['HSK-1104', 'HSK-1109']);

/**
 * The server's side of one session after the handshake (clause 5): it carries out what the client asks, and hands it what it subscribed to. It outlives
 * its connections.
 */
export class ClientSession implements Subscriber {
  readonly identity: SessionIdentity;
  readonly clientId: string;
  /** Hex of the SESSION_ID. */
  readonly idHex: string;
  readonly queue: string | undefined;
  readonly custody: Custody;
  readonly #services: SessionServices;
  readonly #account: TokenAccount;
  readonly #events: SessionEvents;
  readonly #queue: ClientQueue | undefined;
  readonly #feed: DurableFeed | undefined;
  readonly #pipe: GuardedPipe;
  readonly #subscriptions: Subscriptions;
  readonly #watches: Watches;
  readonly #deliveries: Deliveries;
  readonly #record: SessionRecord;
  readonly #requests: SessionRequests;
  readonly #misfits: DropReport;
  readonly #udp: SessionUdp;
  readonly #relay: Relay;
  /** Where the client asked with CONFIRM. */
  readonly #confirming: Confirming | undefined;
  readonly #log: Log;
  #carrier: Carrier | undefined;
  #away = false;
  #over = false;

  /** @param queue makes the session durable: its reliable deliveries wait on disk, and its context survives a restart. */
  constructor(
    identity: SessionIdentity,
    services: SessionServices,
    queue: ClientQueue | undefined,
    events: SessionEvents,
  ) {
    const { sessionId, principal, context, received, sent } = identity;
    const { broker, presence, spool, clock, counters, limits } = services;
    this.identity = identity;
    this.clientId = principal.clientId;
    this.idHex = hex(sessionId);
    this.queue = queue?.consumer.name;
    this.#services = services;
    this.#account = services.accounts.of(this.clientId);
    this.#events = events;
    this.#queue = queue;
    queue?.take(this);
    this.#log = services.log.child({ client: this.clientId, session: this.idHex });
    const text =
      'frames of a client do not fit its aliases: they are not acknowledged, and it keeps what is reliable';
    this.#misfits = new DropReport({ place: 'session', text, clock, counters, log: this.#log });
    this.#record = new SessionRecord(identity, () => ({
      comesBack: this.durable && !this.#over,
      over: this.#over,
      received: this.settled,
      sent: this.#feed?.sent ?? 0,
      aliases: this.#pipe.session.aliases,
      subscriptions: this.#subscriptions.list,
    }));
    this.custody = new Custody({
      spool,
      sessionId,
      durable: this.durable,
      snapshot: () => this.#record.write(clock.wall()),
      failed: (error) => this.#failed(error),
      completed: () => this.#requests.proceed(),
    });
    this.#pipe = new GuardedPipe({
      clock,
      session: {
        side: 'server',
        sessionId,
        keepAliveMs: context.keepAliveMs,
        epoch: clock.now() - (clock.wall() - context.epochWall),
        limits: { ...limits, reorderMessages: REORDER_MESSAGES },
        aliases: context.aliases,
        received,
        sent,
        restored: identity.restored,
      },
      effects: this.#effects(),
    });
    this.#udp = new SessionUdp(services.udp, (frame) => this.#frameBeside(frame));
    this.#subscriptions = new Subscriptions({
      broker,
      subscriber: this,
      principal,
      queue,
      limit: limits.subscriptionsPerClient,
      presence,
      account: this.#account,
    });
    this.#deliveries = new Deliveries({
      pipe: this.#pipe,
      udp: this.#udp,
      queue: this.queue,
      services,
      log: this.#log,
      wanted: (topic) => this.#subscriptions.covers(topic),
      isOver: () => this.#over,
      mayWait: () => this.#carrier?.link.capabilities.reliable === true,
      slow: (error) => this.#slow(error),
    });
    this.#watches = new Watches({
      presence,
      principal,
      limit: limits.watchesPerClient,
      room: () => limits.sendQueueBytes - this.queuedBytes,
      tell: (change) => this.#deliveries.announce(change),
    });
    this.#subscriptions.restore(context.subscriptions);
    this.#requests = new SessionRequests({
      session: {
        idHex: this.idHex,
        durable: this.durable,
        timestamp: () => this.timestamp(),
        settle: (messageId) => {
          this.#pipe.act((session, now) => session.settle(messageId, now));
          this.#confirming?.changed();
        },
        control: (message) => this.#pipe.act((session, now) => session.sendControl(message, now)),
        openUdp: () => (this.#carrier?.link.capabilities.reliable ? this.#udp.open() : undefined),
        end: (reason, will) => this.#end(reason, will),
        violated: (error) => this.violated(error),
      },
      principal,
      subscriptions: this.#subscriptions,
      watches: this.#watches,
      replay: this.#deliveries.replay,
      presence,
      messageBytes: limits.messageBytes,
      custody: this.custody,
      broker,
      clock,
      counters,
      log: this.#log,
    });
    this.#confirming = context.confirm
      ? broker.confirmations.open({
          clock,
          sessionId: this.idHex,
          settled: () => this.settled,
          tell: (messageId) => this.#confirm(messageId),
        })
      : undefined;
    this.#relay = new Relay({ session: this.#relayed(), principal, broker, clock });
    this.#feed =
      queue &&
      new DurableFeed({
        consumer: queue.consumer,
        sessionId,
        sent,
        before: queue.released,
        send: (publication, seq) => (this.attached ? this.#deliveries.send(publication, seq) : 'full'),
        failed: (error) => this.#log.error({ err: error }, 'could not read or shorten the queue of a client'),
      });
  }

  get attached(): boolean {
    return this.#carrier !== undefined;
  }

  /** A node that has not been heard for longer than its keep-alive; it may sleep. */
  get away(): boolean {
    return this.#away;
  }

  get durable(): boolean {
    return this.#queue !== undefined;
  }

  /** Last MESSAGE_ID of the client of which custody has passed: what it must not send again. */
  get settled(): number {
    return this.#pipe.session.settled;
  }

  /** Last number of ours that the client acknowledged. */
  get acknowledged(): number {
    return this.#pipe.session.acknowledged;
  }

  /** Bytes of reliable messages that wait for the client. */
  get queuedBytes(): number {
    return this.#pipe.session.queuedBytes;
  }

  /** Messages that wait on disk for the client. */
  get queued(): number {
    return this.#queue?.consumer.depth.messages ?? 0;
  }

  get roundTripMs(): number | undefined {
    return this.#pipe.session.roundTripMs;
  }

  get subscriptions(): readonly string[] {
    return this.#subscriptions.list.map(({ filter }) => filter);
  }

  /** The session clock (clause 3.1.3). */
  timestamp(): number {
    return this.#pipe.act((session, now) => session.timestamp(now));
  }

  /**
   * Takes up a connection; one that carried the session before gets DISCONNECT (clause 5.4.2).
   * @param peerReceived last number of ours that the client has; undefined: begins with RESUME (clause 6.5.3).
   */
  attach(carrier: Carrier, peerReceived: number | undefined): void {
    this.#carrier?.disconnect({ code: Reason.TAKEN_OVER, text: 'another connection took the session over' });
    this.#carrier = carrier;
    this.#away = false;
    this.#pipe.drive((pipe) => {
      pipe.attach(carrier.link, peerReceived);
      if (peerReceived === undefined) pipe.act((session, now) => session.sendResume(now));
    });
    this.#feed?.pump();
    this.#confirming?.again();
  }

  /** The connection is gone. */
  detach(): void {
    if (!this.#carrier) return;
    this.#carrier = undefined;
    this.#udp.close();
    this.#deliveries.detached();
    this.#pipe.drive((pipe) => pipe.detach());
    if (!this.#over) this.#events.detached();
  }

  /** One frame of the client. */
  frame(bytes: Uint8Array): void {
    this.#pipe.drive((pipe) => pipe.frame(bytes));
    if (this.#record.isChangedBy(bytes)) this.custody.saveSoon();
  }

  /** As `frame`, for the plain PUBLISHes at the beginning of a run of messages. Returns where the first message begins that is for `frame`; `to` when there is none. */
  run(bytes: Uint8Array, from: number, to: number): number {
    return this.#pipe.drive((pipe) => {
      const end = this.#relay.run(bytes, from, to);
      if (end === from) return end;
      pipe.act((session, now) => session.admitted(now));
      this.#confirming?.changed();
      return end;
    });
  }

  relay(publish: PublishView, reliable: boolean, now: number): boolean {
    return this.#over || this.#deliveries.relay(publish, reliable, now);
  }

  /** What comes by UDP can't wait: over the rate of its token it is dropped. */
  #frameBeside(frame: Uint8Array): void {
    const { rate } = this.#account;
    if (rate?.available === 0) {
      this.#services.counters.drops('session', 'over-rate').add();
      return;
    }
    rate?.take(1);
    this.#pipe.act((session, now) => session.frameBeside(frame, now));
  }

  drained(): void {
    this.#pipe.drive((pipe) => pipe.drained());
    this.#deliveries.drained();
    this.#confirming?.changed();
  }

  deliver(delivery: Delivery): void {
    this.#deliveries.deliver(delivery);
  }

  /** The client broke the protocol: the session is over (clauses 5.7.2 and 5.7.3). */
  violated(error: HashikeError): void {
    this.#services.counters.counter('protocol_errors').add();
    this.#log.warn(error.facts, 'a client broke the protocol');
    this.#end({ code: Reason.PROTOCOL_ERROR, text: shorten(error.message) }, true);
  }

  /** The client has lost state (HSK-2006): the session is over, and nothing is remembered of what it says of its numbers (clause 6.5.6). */
  stateLost(error: HashikeError): void {
    if (this.#over) return;
    this.#over = true;
    this.#log.warn(error.facts, 'a client has lost state; its session ends');
    this.#disconnect(undefined);
    this.#pipe.afterwards(() => this.#events.forgotten());
  }

  /** The client has no right to this session any more, or other rights. */
  dismiss(reason: ReasonValue): void {
    this.#log.info({ reason: reason.code }, `a session ends: ${reason.text}`);
    this.#end(reason, true);
  }

  /** Publishes the will, where there is one. */
  publishWill(): void {
    const { will } = this.identity.context;
    if (will) this.#requests.publishWill(will);
  }

  /** Ends it: nothing is received or delivered any more. A connection that still carries it is ended: another session took its place. */
  stop(departure: Departure): void {
    this.#over = true;
    this.#carrier?.disconnect({ code: Reason.TAKEN_OVER, text: 'the client connected anew' });
    this.#watches.cancel();
    this.#subscriptions.cancel(departure);
    this.suspend();
    void this.#queue?.leave(this);
  }

  /** Stops it for the end of the gateway; it goes on from disk. */
  suspend(): void {
    this.#confirming?.close();
    this.#requests.stop();
    if (this.#feed && this.#queue) this.#queue.released = this.#feed.stop();
    this.detach();
  }

  #relayed(): RelaySession {
    const { idHex } = this;
    // Of a session on disk even what goes nowhere else leaves its mark there.
    const flows = (): boolean => !this.#over && !this.durable && this.attached && this.#requests.flow;
    return {
      idHex,
      get flows() {
        return flows();
      },
      admit: (messageId, timestamp) => this.#pipe.raw.admit(messageId, timestamp),
      age: (timestamp, now) => this.#pipe.session.age(timestamp, now),
    };
  }

  #effects(): SessionPipeOptions['effects'] {
    return {
      dropped: (reason, error) => {
        if (error && misfits.has(error.code)) this.#misfits.add(reason, error.facts);
        else this.#services.counters.drops('session', reason).add();
      },
      transmitBeside: (frame) => this.#udp.offer(frame),
      receive: (message, age) => this.#requests.receive(message, age),
      acknowledged: (messageId, tag) => {
        this.#feed?.acknowledged(messageId, tag);
        this.#deliveries.acknowledged();
      },
      confirmed: () => undefined,
      violated: (error) => this.violated(error),
      stateLost: (error) => {
        this.#carrier?.link.send(encodeShort({ kind: ShortKind.RESET }));
        this.stateLost(error);
      },
      silent: () => this.#silent(),
      heard: () => {
        this.#away = false;
      },
      reset: () => undefined,
    };
  }

  #confirm(messageId: number): boolean {
    const type = MessageType.CONFIRMED;
    return this.#pipe.act((session, now) =>
      session.sendControl({ type, timestamp: session.timestamp(now), messageId }, now),
    );
  }

  /** Custody was not possible: the client keeps its message, learns from SESSION_EXPIRED what has arrived, and sends the rest again. */
  #failed(error: unknown): void {
    this.custody.doubt();
    if (this.#over) return;
    this.#services.counters.drops('session', 'not-stored').add();
    this.#log.error({ err: error }, 'a message could not be kept; its client must come again');
    this.#account.storeFailed();
    this.#end({ code: Reason.LIMIT, text: 'the message could not be stored' }, true);
  }

  /** It stayed over the bound of its queue (clause 5.5.4). */
  #slow(error: HashikeError): void {
    this.#services.counters.counter('slow_consumers').add();
    this.#log.warn(error.facts, 'a subscriber is too slow; its session ends');
    this.#end({ code: Reason.SLOW_CONSUMER, text: error.message }, true);
  }

  /** Where a link cannot be closed the node is away, and may be asleep (clause 5.6.1). */
  #silent(): void {
    if (this.identity.place === undefined) {
      this.#disconnect({ code: Reason.KEEP_ALIVE_TIMEOUT, text: 'nothing was heard' });
    } else {
      this.#away = true;
    }
  }

  #disconnect(reason: ReasonValue | undefined): void {
    this.#pipe.afterwards(() => this.#carrier?.disconnect(reason));
  }

  #end(reason: ReasonValue | undefined, will: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#disconnect(reason);
    this.#pipe.afterwards(() => this.#events.over(will, reason ?? left));
  }
}

/** DISCONNECT by the client. */
const left: ReasonValue = { code: Reason.NORMAL, text: '' };
