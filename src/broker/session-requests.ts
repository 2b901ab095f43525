import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Age, Inbound, SessionMachine } from '../session/ports.ts';
import { validateTopic } from '../topic/topic.ts';
import type { PublishBody, ReasonValue, Subscribe } from '../wire/message.ts';
import { MessageType, Reason } from '../wire/numbers.ts';
import type { Publication } from '../wire/publication.ts';
import type { Broker } from './broker.ts';
import type { Custody } from './custody.ts';
import type { Principal } from './ports.ts';
import type { Presence } from './presence.ts';
import { fromBatch, fromPublish, fromWill, type Publisher } from './publications.ts';
import { isRefusal, reasonOf } from './reasons.ts';
import type { RetainedReplay } from './retained-replay.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { UdpTicketValues } from './udp-paths.ts';
import type { Watches } from './watches.ts';

const REQUEST_ID_BYTES = 8;
/** Header and padding of a section, at most. */
const SECTION_OVERHEAD_BYTES = 7;

/** What the requests of a client do to its session. */
export interface RequestedSession {
  /** Hex of the SESSION_ID. */
  readonly idHex: string;
  readonly durable: boolean;
  /** The session clock (clause 3.1.3). */
  timestamp(): number;
  settle(messageId: number): void;
  control(message: Parameters<SessionMachine['sendControl']>[0]): void;
  /** A ticket for a UDP path; undefined where none is offered. */
  openUdp(): UdpTicketValues | undefined;
  end(reason: ReasonValue | undefined, will: boolean): void;
  violated(error: HashikeError): void;
}

export interface SessionRequestsOptions {
  readonly session: RequestedSession;
  readonly principal: Principal;
  readonly subscriptions: Subscriptions;
  readonly watches: Watches;
  readonly presence: Presence;
  readonly replay: RetainedReplay;
  readonly messageBytes: number;
  readonly custody: Custody;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/** Carries out what one client asks for within its session (clauses 3.3 and 5), in order. */
export class SessionRequests {
  readonly #options: SessionRequestsOptions;
  readonly #refusals: DropReport;
  /** Received while something that must be on disk before them was not. */
  readonly #deferred: { readonly message: Inbound; readonly age: Age }[] = [];

  constructor(options: SessionRequestsOptions) {
    this.#options = options;
    const { clock, counters, log } = options;
    const text = 'messages of a client were refused';
    this.#refusals = new DropReport({ place: 'session', text, clock, counters, log });
  }

  /** Whether messages are carried out as they come. */
  get flow(): boolean {
    return this.#deferred.length === 0;
  }

  /** What changes a durable context is on disk before its ACK, and what came before it is as well: such a message waits, and so do later ones. */
  receive(message: Inbound, age: Age): void {
    if (this.#deferred.length > 0 || this.#mustWait(message)) this.#deferred.push({ message, age });
    else this.#carryOut(message, age);
  }

  /** To be called when custody of something has passed. */
  proceed(): void {
    for (let next = this.#deferred[0]; next && !this.#mustWait(next.message); next = this.#deferred[0]) {
      this.#deferred.shift();
      this.#carryOut(next.message, next.age);
    }
  }

  /** Leaves out what waits: it is not settled, so the client sends it again. */
  stop(): void {
    this.#deferred.length = 0;
  }

  publishWill(will: PublishBody): void {
    this.#publish(undefined, [fromWill(will, this.#publisher())]);
  }

  #mustWait({ type }: Inbound): boolean {
    const changesContext = type === MessageType.SUBSCRIBE || type === MessageType.UNSUBSCRIBE;
    return changesContext && this.#options.session.durable && this.#options.custody.busy;
  }

  #carryOut(message: Inbound, age: Age): void {
    const { session, subscriptions, watches, clock } = this.#options;
    if (!isRequest(message)) {
      session.violated(
        new HashikeError('HSK-3005', 'a client sent what only a server sends', { type: message.type }),
      );
      return;
    }
    switch (message.type) {
      case MessageType.PUBLISH:
        this.#publish(message.messageId, [fromPublish(message, age, this.#publisher())]);
        break;
      case 'BATCH':
        this.#publish(message.messageId, fromBatch(message, age, this.#publisher()));
        break;
      case MessageType.SUBSCRIBE:
        this.#change(message.messageId, () => this.#subscribe(message));
        break;
      case MessageType.UNSUBSCRIBE:
        this.#change(message.messageId, () => subscriptions.remove(message.topics));
        break;
      case MessageType.WATCH:
        this.#change(message.messageId, () => this.#watch(message.topics));
        break;
      case MessageType.UNWATCH:
        this.#change(message.messageId, () => watches.unwatch(message.topics));
        break;
      case MessageType.LIST_SUBSCRIBERS:
        this.#listSubscribers(message.requestId, message.topic);
        break;
      case MessageType.UDP_OPEN:
        this.#openUdp(message.requestId);
        break;
      case MessageType.TIME_REQUEST:
        session.control({
          type: MessageType.TIME,
          timestamp: session.timestamp(),
          requestId: message.requestId,
          serverTime: clock.wall(),
          echo: message.timestamp,
        });
        break;
      case MessageType.DISCONNECT:
        if (message.reason?.code === Reason.STATE_LOST) this.#weLostState();
        session.end(undefined, false);
        break;
    }
  }

  #subscribe({ topics, bestEffort }: Subscribe): Promise<void> {
    const { subscriptions, replay } = this.#options;
    const added = subscriptions.add(topics, !bestEffort);
    return replay.begin(added, !bestEffort);
  }

  /** The numbers of a session on disk belong to what its queue there holds, so that they stay the same after a crash. */
  #watch(filters: readonly string[]): void {
    const { session, watches } = this.#options;
    if (session.durable) throw notOffered('presence to a client whose session it keeps on disk');
    watches.watch(filters);
  }

  /** What has no number can't be REJECTED: the answer itself says why it is none (clause 5.8.6). */
  #listSubscribers(requestId: number, topic: string): void {
    const { session, principal, presence, messageBytes } = this.#options;
    const answer = { type: MessageType.SUBSCRIBERS, timestamp: session.timestamp(), requestId, topic };
    try {
      validateTopic(topic);
      if (!principal.maySubscribe(topic)) {
        throw new HashikeError('HSK-3001', `${principal.clientId} may not list ${topic}`, { topic });
      }
      const clientIds = presence.on(topic);
      if (sectionBytes([topic, ...clientIds]) + REQUEST_ID_BYTES > messageBytes) {
        throw new HashikeError('HSK-3003', 'the list is longer than a message (limits.messageBytes)', {
          topic,
          clients: clientIds.length,
        });
      }
      session.control({ ...answer, clientIds });
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      session.control({ ...answer, clientIds: [], reason: reasonOf(error) });
    }
  }

  /** The client holds acknowledgements that we do not remember (clause 6.5.6): it comes back with a new session, but somebody must know of the loss. */
  #weLostState(): void {
    const { counters, log } = this.#options;
    counters.counter('state_lost').add();
    const error = new HashikeError(
      'HSK-3008',
      'the gateway has lost state: what it acknowledged to a client it does not remember',
    );
    log.error(error.facts, 'the gateway has lost state; its client connects anew');
  }

  #openUdp(requestId: number): void {
    const { session } = this.#options;
    const ticket = session.openUdp();
    if (!ticket) this.#endUnsupported();
    else {
      const timestamp = session.timestamp();
      session.control({ type: MessageType.UDP_TICKET, timestamp, requestId, ...ticket });
    }
  }

  /** What has no number can't be refused alone (clause 3.3.2). */
  #endUnsupported(): void {
    this.#options.session.end({ code: Reason.UNSUPPORTED, text: 'the server does not offer this' }, true);
  }

  /** The number of a PUBLISH is settled when custody has passed (clause 5.2.2). */
  #publish(messageId: number | undefined, publications: readonly Publication[]): void {
    const { session, broker, principal, custody } = this.#options;
    this.#settleAfter(messageId, async () => {
      const durable = publications.some(({ topic }) => broker.isDurable(topic));
      if (messageId !== undefined && durable) custody.saveOnce();
      await broker.publishAll(publications, principal);
      if (!durable && session.durable && messageId !== undefined) await custody.mark(messageId);
    });
  }

  /** An acknowledged SUBSCRIBE is in force (clause 5.2.2), for a durable session also after a crash. */
  #change(messageId: number, change: () => void | Promise<void>): void {
    const { session, custody } = this.#options;
    this.#settleAfter(messageId, async () => {
      // Both are asked for before anything else of the session can be.
      const changed = change();
      const kept = session.durable ? [custody.save(), custody.mark(messageId)] : [];
      await Promise.all([changed, ...kept]);
    });
  }

  #settleAfter(messageId: number | undefined, work: () => Promise<void>): void {
    const { session, custody } = this.#options;
    void custody.track(async () => {
      try {
        await work();
        if (messageId !== undefined) session.settle(messageId);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.#refuse(messageId, error);
      }
    });
  }

  /** Refuses one message alone (clause 5.7.1), and says so: it is for the integrator to mend. */
  #refuse(messageId: number | undefined, error: HashikeError): void {
    const { session, custody } = this.#options;
    this.#refusals.add('refused', error.facts);
    if (messageId === undefined) return;
    session.control({
      type: MessageType.REJECTED,
      timestamp: session.timestamp(),
      messageId,
      reason: reasonOf(error),
    });
    void custody.track(async () => {
      if (session.durable) await custody.mark(messageId);
      session.settle(messageId);
    });
  }

  #publisher(): Publisher {
    const { session, principal, clock } = this.#options;
    return { clientId: principal.clientId, sessionId: session.idHex, wall: clock.wall() };
  }
}

/** Bytes of the sections that hold `texts`, at most. */
function sectionBytes(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + SECTION_OVERHEAD_BYTES + Buffer.byteLength(text), 0);
}

const requestTypes = [
  MessageType.PUBLISH,
  'BATCH',
  MessageType.SUBSCRIBE,
  MessageType.UNSUBSCRIBE,
  MessageType.WATCH,
  MessageType.UNWATCH,
  MessageType.LIST_SUBSCRIBERS,
  MessageType.UDP_OPEN,
  MessageType.TIME_REQUEST,
  MessageType.DISCONNECT,
] as const;

type RequestType = (typeof requestTypes)[number];

/** Whether a client sends this within a session (clause 3.3). */
function isRequest(message: Inbound): message is Inbound & { readonly type: RequestType } {
  const types: readonly unknown[] = requestTypes;
  return types.includes(message.type);
}

function notOffered(what: string): HashikeError {
  return new HashikeError('HSK-3004', `the server does not offer ${what}`);
}
