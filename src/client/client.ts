import { Backoff } from '../base/backoff.ts';
import type { Timer } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Link } from '../links/link.ts';
import type { Inbound, Outgoing, SessionMachine } from '../session/ports.ts';
import { SessionPipe } from '../session/pipe.ts';
import { matches, validateFilter, validateTopic } from '../topic/topic.ts';
import type { ConnackSuccess, Message, Publish, ReasonValue } from '../wire/message.ts';
import { MessageType, Reason } from '../wire/numbers.ts';
import { shakeHands } from './handshake.ts';
import type { Settings } from './options.ts';
import { type Pending, PendingMessages } from './pending-messages.ts';
import { type ClientWatch, PresenceBook } from './presence-book.ts';
import { isFinal, refusalOf } from './refusals.ts';
import { Requests } from './requests.ts';
import { ClientSubscription } from './subscription.ts';
import { ClientUdp } from './udp.ts';

const RECONNECT = { initialMs: 200, maxMs: 10_000 };
/** Publishes that are acknowledged and wait for CONFIRMED at most. */
const MAX_UNCONFIRMED = 10_000;

type ControlMessage = Parameters<SessionMachine['sendControl']>[0];

export interface PublishOptions {
  /** Resolves at the ACK, that is when custody has passed. Default true; false: best effort, resolves at once. */
  readonly reliable?: boolean;
  /** Resolves when the upstream has it (CONFIRMED), which may take as long as that is away. Only for a client that was connected with `confirm`. */
  readonly confirmed?: boolean;
  /** The server keeps it as the newest of its topic, and gives it to new subscriptions; without content it clears that. */
  readonly retain?: boolean;
  /** Nobody wants it after so many milliseconds. */
  readonly expiryMs?: number;
  readonly responseTopic?: string;
  readonly correlation?: Uint8Array;
}

export interface SubscribeOptions {
  /** Default true. */
  readonly reliable?: boolean;
}

/** What the server's clock says. */
export interface ServerTime {
  /** Milliseconds since the Unix epoch at which the promise resolved. */
  readonly wall: number;
  /** The true value lies within so many milliseconds of that. */
  readonly uncertaintyMs: number;
}

/** What a session needs to be resumed. */
interface SessionKey {
  readonly sessionId: Uint8Array;
  readonly resumeKey: Uint8Array;
}

/** A connection to a server that survives breaks: what is reliable arrives once and in order. Made by `connect`. Runs in Node and in browsers. */
export class HashikeClient {
  readonly #settings: Settings;
  readonly #pending = new PendingMessages();
  readonly #subscriptions = new Set<ClientSubscription>();
  readonly #presence = new PresenceBook((message) => this.#request(message));
  readonly #requests: Requests;
  readonly #backoff: Backoff;
  readonly #udp: ClientUdp;
  #clientId = '';
  #link: Link | undefined;
  #pipe: SessionPipe | undefined;
  /** Undefined before the first session, and when the server has forgotten it. */
  #key: SessionKey | undefined;
  #retry: Timer | undefined;
  /** Settled when the last connection is closed. */
  readonly #gone = Promise.withResolvers<void>();
  #ended: { readonly error: HashikeError | undefined } | undefined;

  private constructor(settings: Settings) {
    this.#settings = settings;
    this.#backoff = new Backoff({ ...RECONNECT, random: settings.random });
    this.#requests = new Requests(settings);
    this.#udp = new ClientUdp(settings, {
      ask: (requestId) => this.#openUdp(requestId),
      receive: (frame) => this.#pipe?.act((session, now) => session.frameBeside(frame, now)),
    });
  }

  /** CLIENT_ID that the server gave. */
  get clientId(): string {
    return this.#clientId;
  }

  get connected(): boolean {
    return this.#link !== undefined;
  }

  /** Whether best-effort messages go by UDP at the moment. */
  get udp(): boolean {
    return this.#udp.up;
  }

  /** Makes the first connection; from then on the client reconnects by itself. */
  static async open(settings: Settings): Promise<HashikeClient> {
    const client = new HashikeClient(settings);
    await client.#connect();
    return client;
  }

  /**
   * Publishes raw content sections (see `encodeContent`). Rejects with HSK-3103 when the server refuses the message, HSK-3104 when the client is closed before the
   * ACK, HSK-3105 when too much waits, HSK-1201 when the topic is malformed; with `confirmed` HSK-3109 when the session ends after the ACK and before CONFIRMED, and HSK-3110 when the
   * client was not connected with `confirm`.
   */
  async publish(topic: string, content: Uint8Array, options: PublishOptions = {}): Promise<void> {
    validateTopic(topic);
    const { reliable = true, confirmed = false, retain = false } = options;
    const { expiryMs: expiry, responseTopic, correlation } = options;
    const message = {
      type: MessageType.PUBLISH,
      topic,
      retain,
      expiry,
      responseTopic,
      correlation,
      content,
    };
    if (reliable || confirmed) return this.#request(message, confirmed);
    if (this.#ended) throw this.#ended.error ?? closedError();
    const sent = this.#pipe?.act((session, now) => session.sendBestEffort(message, now));
    if (sent === 'full')
      this.#settings.log.debug({ topic }, 'a best-effort message was dropped: the send queue is full');
  }

  /** Subscribes; resolves when the subscription is in force. Rejects with HSK-3103, HSK-3104 or HSK-1202. */
  async subscribe(filter: string, options: SubscribeOptions = {}): Promise<ClientSubscription> {
    validateFilter(filter);
    const { reliable = true } = options;
    const subscription = new ClientSubscription({
      filter,
      reliable,
      limit: this.#settings.receiveQueue,
      onEnd: () => this.#unsubscribe(subscription),
    });
    this.#subscriptions.add(subscription);
    try {
      await this.#request(subscription.request);
    } catch (error) {
      this.#subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  /**
   * Watches who is present on the topics that `filter` takes: first those who are, then who comes and goes, as an async iterable. Resolves when the server has taken
   * it up. Rejects with HSK-3103, HSK-3104 or HSK-1202.
   */
  async watch(filter: string): Promise<ClientWatch> {
    validateFilter(filter);
    return this.#presence.watch(filter);
  }

  /** The CLIENT_IDs of those who are present on `topic` now, in order. Rejects with HSK-3103 when the server refuses, HSK-3108 when it does not answer, HSK-3104 or HSK-1201. */
  async subscribers(topic: string): Promise<readonly string[]> {
    validateTopic(topic);
    const answer = await this.#ask((requestId, timestamp) => ({
      type: MessageType.LIST_SUBSCRIBERS,
      timestamp,
      requestId,
      topic,
    }));
    if (answer.type !== MessageType.SUBSCRIBERS) throw misplaced(answer);
    if (answer.reason) throw rejectionOf(answer.reason);
    return answer.clientIds;
  }

  /** The time of the server. Rejects with HSK-3108 when it does not answer, or HSK-3104. */
  async time(): Promise<ServerTime> {
    const { clock } = this.#settings;
    let askedAt = 0;
    const answer = await this.#ask((requestId, timestamp) => {
      askedAt = clock.now();
      return { type: MessageType.TIME_REQUEST, timestamp, requestId };
    });
    if (answer.type !== MessageType.TIME) throw misplaced(answer);
    const uncertaintyMs = (clock.now() - askedAt) / 2;
    return { wall: answer.serverTime + uncertaintyMs, uncertaintyMs };
  }

  /**
   * Says goodbye: the session ends. What is not acknowledged is rejected with HSK-3104, and readers come to their end. Resolves when everything that was sent is
   * with the operating system, or the server has not taken it in a bounded time.
   */
  close(): Promise<void> {
    if (this.#pipe) sayGoodbye(this.#pipe, { code: Reason.NORMAL, text: '' });
    this.#finish(undefined);
    if (!this.#link) this.#gone.resolve();
    return this.#gone.promise;
  }

  /** Sends a numbered message, now or as soon as there is a connection, and resolves at its ACK, or at CONFIRMED. */
  #request(message: Outgoing, confirmed = false): Promise<void> {
    const pipe = this.#pipe;
    if (confirmed && !this.#settings.confirm) {
      return Promise.reject(new HashikeError('HSK-3110', 'the client was connected without `confirm`'));
    }
    if (this.#ended || !pipe) return Promise.reject(this.#ended?.error ?? closedError());
    if (
      pipe.session.queuedBytes > this.#settings.sendQueueBytes ||
      (confirmed && this.#pending.unconfirmed >= MAX_UNCONFIRMED)
    ) {
      const what = confirmed ? 'confirmed' : 'acknowledged';
      return Promise.reject(new HashikeError('HSK-3105', `too much waits to be ${what}`));
    }
    return new Promise((resolve, reject) => this.#send(pipe, { message, confirmed, resolve, reject }));
  }

  /** Puts a question with a REQUEST_ID, now and after each break until it is answered. */
  #ask(make: (requestId: number, timestamp: number) => ControlMessage): ReturnType<Requests['ask']> {
    if (this.#ended) return Promise.reject(this.#ended.error ?? closedError());
    return this.#requests.ask((requestId) => {
      this.#pipe?.act((session, now) => session.sendControl(make(requestId, session.timestamp(now)), now));
    });
  }

  #send(pipe: SessionPipe, pending: Omit<Pending, 'messageId'>): void {
    const messageId = pipe.act((session, now) => session.sendReliable(pending.message, now));
    if (messageId !== undefined) this.#pending.add({ ...pending, messageId });
    else pending.reject(new HashikeError('HSK-3105', 'too much waits to be acknowledged'));
  }

  /** Resumes the session, or begins a new one where there is none or the server has forgotten it. */
  async #connect(): Promise<void> {
    for (;;) {
      const resuming = this.#key !== undefined;
      try {
        await this.#dial();
        return;
      } catch (error) {
        if (!resuming || this.#key !== undefined) throw error;
      }
    }
  }

  async #dial(): Promise<void> {
    const { dial, clock, timeoutMs } = this.#settings;
    const link = await dial();
    if (this.#ended) {
      link.close();
      throw closedError();
    }
    await shakeHands(link, {
      hello: this.#hello(),
      clock,
      timeoutMs,
      answered: (message) => this.#answered(link, message),
      after: {
        frame: (bytes) => {
          if (link === this.#link) this.#pipe?.frame(bytes);
        },
        drained: () => {
          if (link === this.#link) this.#pipe?.drained();
        },
        closed: () => this.#lost(link),
      },
    });
  }

  #hello(): Message {
    const { token, clientName, keepAliveMs, resumeWindowMs, will, confirm } = this.#settings;
    if (this.#key) {
      const messageId = this.#pipe?.session.settled ?? 0;
      return { type: MessageType.CONNECT_RESUME, timestamp: 0, messageId, ...this.#key };
    }
    return {
      type: MessageType.CONNECT_TOKEN,
      timestamp: 0,
      token,
      clientName,
      keepAlive: keepAliveMs,
      resumeWindow: resumeWindowMs,
      confirm,
      will,
      aliases: [],
    };
  }

  #answered(link: Link, message: Message): void {
    if (message.type === MessageType.CONNACK_SUCCESS) {
      this.#begin(link, message);
    } else if (message.type === MessageType.CONNACK_RESUMED) {
      this.#link = link;
      this.#pipe?.attach(link, message.messageId);
      // No key any more: it turned out that the server has lost state.
      if (this.#key) this.#udp.connected(link);
      this.#requests.connected();
    } else if (message.type === MessageType.CONNACK_FAILED_SESSION_EXPIRED) {
      // What had arrived is not sent again (clause 5.4.3).
      this.#key = undefined;
      if (message.messageId !== undefined) this.#pending.acknowledge(message.messageId);
      throw new HashikeError('HSK-3104', 'the server has ended the session');
    } else {
      throw refusalOf(message);
    }
  }

  /** A new session: what is in force, and what has not arrived, is said again under new numbers. */
  #begin(link: Link, { clientId, sessionId, resumeKey, keepAlive, port }: ConnackSuccess): void {
    const { clock, sendQueueBytes, receiveQueue, log } = this.#settings;
    const pipe = new SessionPipe({
      clock,
      session: {
        side: 'client',
        sessionId,
        keepAliveMs: keepAlive,
        epoch: clock.now(),
        // Twice what publishes may take: there is room for subscriptions, and for saying everything again.
        limits: { sendQueueBytes: 2 * sendQueueBytes, unsettledMessages: receiveQueue, reorderMessages: 0 },
        aliases: [],
        received: 0,
        sent: 0,
        restored: false,
      },
      effects: {
        dropped: (reason) => log.debug({ reason }, 'a message was dropped'),
        transmitBeside: (frame) => this.#udp.offer(frame),
        receive: (message) => this.#receive(pipe, message),
        acknowledged: (messageId) => this.#pending.acknowledge(messageId),
        confirmed: (messageId) => this.#pending.confirm(messageId),
        violated: (error) => {
          log.warn({ err: error }, 'the server broke the protocol');
          this.#link?.close();
        },
        stateLost: (error) => this.#beginAnew(pipe, error),
        silent: () => this.#link?.close(),
        heard: () => undefined,
        reset: () => undefined,
      },
    });
    const again = this.#pending.take();
    this.#clientId = clientId;
    this.#key = { sessionId: sessionId.slice(), resumeKey: resumeKey.slice() };
    this.#pipe = pipe;
    this.#link = link;
    pipe.attach(link, 0);
    this.#udp.connected(link, port !== undefined);
    const asked = new Set(again.map(({ message }) => message));
    for (const subscription of this.#subscriptions) {
      if (asked.has(subscription.request)) continue;
      const reject = (error: HashikeError): void => subscription.finish(error);
      this.#send(pipe, { message: subscription.request, resolve: nothing, reject });
    }
    this.#presence.renew((message, resolve, reject) => this.#send(pipe, { message, resolve, reject }));
    for (const pending of again) this.#send(pipe, pending);
    this.#requests.connected();
  }

  /** The server has lost state: what it has not acknowledged goes over to a new session (clause 6.5.6). */
  #beginAnew(pipe: SessionPipe, error: HashikeError): void {
    this.#settings.log.warn(error.facts, 'the server has lost state; a new session begins');
    this.#key = undefined;
    sayGoodbye(pipe, { code: Reason.STATE_LOST, text: 'less is claimed than was acknowledged' });
    this.#link?.close();
  }

  #receive(pipe: SessionPipe, message: Inbound): void {
    if (message.type === MessageType.PUBLISH) this.#deliver(pipe, message);
    else if (message.type === MessageType.REJECTED) {
      this.#pending.reject(message.messageId, rejectionOf(message.reason));
    } else if (message.type === MessageType.DISCONNECT) this.#dismissed(message.reason);
    else if (message.type === MessageType.UDP_TICKET) this.#udp.ticket(message);
    else if (message.type === MessageType.TIME || message.type === MessageType.SUBSCRIBERS) {
      this.#requests.answered(message);
    } else if (message.type === MessageType.PRESENCE_JOINED || message.type === MessageType.PRESENCE_LEFT) {
      this.#presence.told(message, () => settle(pipe, message.messageId));
    } else if ('messageId' in message && message.messageId !== undefined) settle(pipe, message.messageId);
  }

  /** To each subscription that takes it; it counts as received when all have read it. */
  #deliver(
    pipe: SessionPipe,
    { topic = '', messageId, content, retain, expiry, clientId, responseTopic, correlation }: Publish,
  ): void {
    const reliable = messageId !== undefined;
    const message = {
      topic,
      content,
      reliable,
      retained: retain,
      publisher: clientId,
      responseTopic,
      correlation,
    };
    // One that has expired comes for its number only (clause 5.5.6).
    const readers =
      expiry === 0 ? [] : [...this.#subscriptions].filter(({ filter }) => matches(filter, topic));
    let open = readers.length;
    const taken = (): void => {
      open -= 1;
      if (open <= 0 && reliable) settle(pipe, messageId);
    };
    for (const reader of readers) reader.push(message, taken);
    if (readers.length === 0) taken();
  }

  #openUdp(requestId: number): void {
    this.#pipe?.act((session, now) => {
      const timestamp = session.timestamp(now);
      session.sendControl({ type: MessageType.UDP_OPEN, timestamp, requestId }, now);
    });
  }

  #unsubscribe(subscription: ClientSubscription): void {
    this.#subscriptions.delete(subscription);
    const { filter } = subscription;
    if (this.#ended || [...this.#subscriptions].some((other) => other.filter === filter)) return;
    // Nobody waits for it; a session that ends before has none any more.
    this.#request({ type: MessageType.UNSUBSCRIBE, topics: [filter] }).catch(nothing);
  }

  /** DISCONNECT by the server. Another connection with our token would be fought for ever, so that is final. */
  #dismissed(reason: ReasonValue | undefined): void {
    const link = this.#link;
    if (reason?.code === Reason.TAKEN_OVER) {
      this.#finish(new HashikeError('HSK-3104', `the server ended the connection: ${reason.text}`));
    }
    link?.close();
  }

  #lost(link: Link): void {
    if (link !== this.#link) return;
    this.#link = undefined;
    this.#udp.lost();
    this.#pipe?.detach();
    if (this.#ended) this.#gone.resolve();
    else this.#reconnectLater(0);
  }

  #reconnectLater(leastMs: number): void {
    this.#retry = this.#settings.clock.after(Math.max(leastMs, this.#backoff.next()), () => {
      this.#connect().then(
        () => this.#backoff.reset(),
        (error: unknown) => {
          this.#settings.log.debug({ err: error }, 'could not reconnect');
          if (this.#ended) return;
          if (isFinal(error)) this.#finish(error);
          else this.#reconnectLater(retryAfter(error));
        },
      );
    });
  }

  #finish(error: HashikeError | undefined): void {
    if (this.#ended) return;
    this.#ended = { error };
    this.#retry?.cancel();
    // Before what is pending: a subscription that is being made again ends as the client does.
    for (const subscription of this.#subscriptions) subscription.finish(error);
    this.#presence.finish(error);
    for (const { reject } of this.#pending.take()) reject(error ?? closedError());
    this.#requests.fail(error ?? closedError());
    this.#udp.lost();
    this.#link?.close();
  }
}

function settle(pipe: SessionPipe, messageId: number): void {
  pipe.act((session, now) => session.settle(messageId, now));
}

function sayGoodbye(pipe: SessionPipe, reason: ReasonValue): void {
  pipe.act((session, now) =>
    session.sendControl({ type: MessageType.DISCONNECT, timestamp: session.timestamp(now), reason }, now),
  );
}

function closedError(): HashikeError {
  return new HashikeError('HSK-3104', 'the client is closed');
}

function rejectionOf(reason: ReasonValue): HashikeError {
  return new HashikeError('HSK-3103', `the server refused the message: ${reason.text}`, {
    reason: reason.code,
  });
}

function misplaced({ type }: Message): HashikeError {
  return new HashikeError('HSK-3102', 'the server answered a question with something else', { type });
}

/** Milliseconds that a busy server asked for. */
function retryAfter(error: unknown): number {
  const wish = error instanceof HashikeError ? error.context['retryAfter'] : undefined;
  return typeof wish === 'number' ? wish : 0;
}

function nothing(): void {}
