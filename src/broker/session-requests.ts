import { DropReport } from '../base/drop-report.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Age, Inbound, SessionMachine } from '../session/ports.ts';
import { validateTopic } from '../topic/topic.ts';
import type { PublishBody, ReasonValue, Subscribe } from '../wire/message.ts';
import { MessageType, Reason } from '../wire/numbers.ts';
import type { Publication } from '../wire/publication.ts';
import type { Custody } from './custody.ts';
import type { Deliveries } from './deliveries.ts';
import type { Principal } from './ports.ts';
import { fromBatch, fromPublish, fromWill, type Publisher } from './publications.ts';
import { isRefusal, reasonOf } from './reasons.ts';
import type { SessionServices } from './session-surroundings.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { UdpTicketValues } from './udp-paths.ts';
import type { Watches } from './watches.ts';

const REQUEST_ID_BYTES = 8;
/** Header and padding of a section, at most. */
const SECTION_OVERHEAD_BYTES = 7;

/** The session, as far as the requests of its client need it. */
export interface RequestedSession {
  /** Hex of the SESSION_ID. */
  readonly idHex: string;
  readonly principal: Principal;
  readonly services: SessionServices;
  readonly durable: boolean;
  readonly custody: Custody;
  readonly subscriptions: Subscriptions;
  readonly watches: Watches;
  readonly deliveries: Deliveries;
  readonly log: Log;
  /** The session clock (clause 3.1.3). */
  timestamp(): number;
  settle(messageId: number): void;
  control(message: Parameters<SessionMachine['sendControl']>[0]): void;
  /** A ticket for a UDP path; undefined where none is offered. */
  openUdp(): UdpTicketValues | undefined;
  end(reason: ReasonValue | undefined, will: boolean): void;
  violated(error: HashikeError): void;
}

interface Deferred {
  readonly message: Inbound;
  readonly age: Age;
}

/** Carries out what one client asks for within its session (clauses 3.3 and 5), in order. */
export class SessionRequests {
  readonly #session: RequestedSession;
  /** Once something was refused. */
  #refusals: DropReport | undefined;
  /** Received while something that must be on disk before them was not. */
  #deferred: Deferred[] | undefined;

  constructor(session: RequestedSession) {
    this.#session = session;
  }

  /** Whether messages are carried out as they come. */
  get flow(): boolean {
    return this.#deferred === undefined;
  }

  /** What changes a durable context is on disk before its ACK, and what came before it is as well: such a message waits, and so do later ones. */
  receive(message: Inbound, age: Age): void {
    if (this.#deferred) this.#deferred.push({ message, age });
    else if (this.#mustWait(message)) this.#deferred = [{ message, age }];
    else this.#carryOut(message, age);
  }

  /** To be called when custody of something has passed. */
  proceed(): void {
    for (let next = this.#deferred?.[0]; next && !this.#mustWait(next.message); next = this.#deferred?.[0]) {
      this.#deferred?.shift();
      this.#carryOut(next.message, next.age);
    }
    if (this.#deferred?.length === 0) this.#deferred = undefined;
  }

  /** Leaves out what waits: it is not settled, so the client sends it again. */
  stop(): void {
    this.#deferred = undefined;
  }

  publishWill(will: PublishBody): void {
    this.#publish(undefined, [fromWill(will, this.#publisher())]);
  }

  #mustWait({ type }: Inbound): boolean {
    const changesContext = type === MessageType.SUBSCRIBE || type === MessageType.UNSUBSCRIBE;
    return changesContext && this.#session.durable && this.#session.custody.busy;
  }

  #carryOut(message: Inbound, age: Age): void {
    const session = this.#session;
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
        this.#change(message.messageId, () => session.subscriptions.remove(message.topics));
        break;
      case MessageType.WATCH:
        this.#change(message.messageId, () => this.#watch(message.topics));
        break;
      case MessageType.UNWATCH:
        this.#change(message.messageId, () => session.watches.unwatch(message.topics));
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
          serverTime: session.services.clock.wall(),
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
    const { subscriptions, deliveries } = this.#session;
    const added = subscriptions.add(topics, !bestEffort);
    return added.length > 0 ? deliveries.replay(added, !bestEffort) : Promise.resolve();
  }

  /** The numbers of a session on disk belong to what its queue there holds, so that they stay the same after a crash. */
  #watch(filters: readonly string[]): void {
    const { durable, watches } = this.#session;
    if (durable) throw notOffered('presence to a client whose session it keeps on disk');
    watches.watch(filters);
  }

  /** What has no number can't be REJECTED: the answer itself says why it is none (clause 5.8.6). */
  #listSubscribers(requestId: number, topic: string): void {
    const session = this.#session;
    const { principal, services } = session;
    const answer = { type: MessageType.SUBSCRIBERS, timestamp: session.timestamp(), requestId, topic };
    try {
      validateTopic(topic);
      if (!principal.maySubscribe(topic)) {
        throw new HashikeError('HSK-3001', `${principal.clientId} may not list ${topic}`, { topic });
      }
      const clientIds = services.presence.on(topic);
      if (sectionBytes([topic, ...clientIds]) + REQUEST_ID_BYTES > services.limits.messageBytes) {
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
    const { services, log } = this.#session;
    services.counters.counter('state_lost').add();
    const error = new HashikeError(
      'HSK-3008',
      'the gateway has lost state: what it acknowledged to a client it does not remember',
    );
    log.error(error.facts, 'the gateway has lost state; its client connects anew');
  }

  #openUdp(requestId: number): void {
    const session = this.#session;
    const ticket = session.openUdp();
    if (!ticket) this.#endUnsupported();
    else {
      const timestamp = session.timestamp();
      session.control({ type: MessageType.UDP_TICKET, timestamp, requestId, ...ticket });
    }
  }

  /** What has no number can't be refused alone (clause 3.3.2). */
  #endUnsupported(): void {
    this.#session.end({ code: Reason.UNSUPPORTED, text: 'the server does not offer this' }, true);
  }

  /** The number of a PUBLISH is settled when custody has passed (clause 5.2.2). */
  #publish(messageId: number | undefined, publications: readonly Publication[]): void {
    const { services, principal, custody, durable: kept } = this.#session;
    const { broker } = services;
    this.#settleAfter(messageId, async () => {
      const durable = publications.some(({ topic }) => broker.isDurable(topic));
      if (messageId !== undefined && durable) custody.saveOnce();
      await broker.publishAll(publications, principal);
      if (!durable && kept && messageId !== undefined) await custody.mark(messageId);
    });
  }

  /** An acknowledged SUBSCRIBE is in force (clause 5.2.2), for a durable session also after a crash. */
  #change(messageId: number, change: () => void | Promise<void>): void {
    const { durable, custody } = this.#session;
    this.#settleAfter(messageId, async () => {
      // Both are asked for before anything else of the session can be.
      const changed = change();
      const kept = durable ? [custody.save(), custody.mark(messageId)] : [];
      await Promise.all([changed, ...kept]);
    });
  }

  #settleAfter(messageId: number | undefined, work: () => Promise<void>): void {
    const session = this.#session;
    void session.custody.track(async () => {
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
    const session = this.#session;
    const { custody } = session;
    this.#refusals ??= this.#reportRefusals();
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
    const { idHex, principal, services } = this.#session;
    return { clientId: principal.clientId, sessionId: idHex, wall: services.clock.wall() };
  }

  #reportRefusals(): DropReport {
    const { services, log } = this.#session;
    const { clock, counters } = services;
    const text = 'messages of a client were refused';
    return new DropReport({ place: 'session', text, clock, counters, log });
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
