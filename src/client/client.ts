import { HashikeError } from '../base/errors.ts';
import type { Inbound } from '../session/ports.ts';
import type { SessionPipe } from '../session/pipe.ts';
import { validateFilter, validateTopic } from '../topic/topic.ts';
import type { Message } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import { type MessageOptions, publishBody } from './message-options.ts';
import type { Settings } from './options.ts';
import { Outbox } from './outbox.ts';
import { type ClientWatch, PresenceBook } from './presence-book.ts';
import { closedError, rejectionOf } from './refusals.ts';
import { Requests } from './requests.ts';
import { SessionKeeper } from './session-keeper.ts';
import { SubscriptionBook } from './subscription-book.ts';
import type { ClientSubscription } from './subscription.ts';

export interface PublishOptions extends MessageOptions {
  /** Resolves at the ACK, that is when custody has passed. Default true; false: best effort, resolves at once. */
  readonly reliable?: boolean;
  /** Resolves when the upstream has it (CONFIRMED), which may take as long as that is away. Only for a client that was connected with `confirm`. */
  readonly confirmed?: boolean;
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

/** A connection to a server that survives breaks: what is reliable arrives once and in order. Made by `connect`. Runs in Node and in browsers. */
export class HashikeClient {
  readonly #settings: Settings;
  readonly #keeper: SessionKeeper;
  readonly #outbox: Outbox;
  readonly #subscriptions: SubscriptionBook;
  readonly #presence: PresenceBook;
  readonly #requests: Requests;
  #clientId = '';

  private constructor(settings: Settings) {
    this.#settings = settings;
    const outbox = new Outbox(settings);
    this.#outbox = outbox;
    this.#subscriptions = new SubscriptionBook((message) => outbox.request(message), settings.receiveQueue);
    this.#presence = new PresenceBook((message) => outbox.request(message));
    this.#requests = new Requests(settings, (make) => this.#keeper.control(make));
    this.#keeper = new SessionKeeper(settings, {
      begun: (pipe, clientId) => this.#begun(pipe, clientId),
      connected: () => this.#requests.connected(),
      receive: (pipe, message) => this.#receive(pipe, message),
      acknowledged: (messageId) => outbox.acknowledged(messageId),
      confirmed: (messageId) => outbox.confirmed(messageId),
      ended: (error) => this.#ended(error),
    });
  }

  /** CLIENT_ID that the server gave. */
  get clientId(): string {
    return this.#clientId;
  }

  get connected(): boolean {
    return this.#keeper.connected;
  }

  /** Whether best-effort messages go by UDP at the moment. */
  get udp(): boolean {
    return this.#keeper.udp;
  }

  /** Makes the first connection; from then on the client reconnects by itself. */
  static async open(settings: Settings): Promise<HashikeClient> {
    const client = new HashikeClient(settings);
    await client.#keeper.connect();
    return client;
  }

  /**
   * Publishes raw content sections (see `encodeContent`). Rejects with HSK-3103 when the server refuses the message, HSK-3104 when the client is closed before the
   * ACK, HSK-3105 when too much waits, HSK-1201 when the topic is malformed; with `confirmed` HSK-3109 when the session ends after the ACK and before CONFIRMED, and HSK-3110 when the
   * client was not connected with `confirm`.
   */
  async publish(topic: string, content: Uint8Array, options: PublishOptions = {}): Promise<void> {
    const { reliable = true, confirmed = false } = options;
    const message = { type: MessageType.PUBLISH, ...publishBody(topic, content, options) };
    if (reliable || confirmed) return this.#outbox.request(message, confirmed);
    const sent = this.#keeper.pipe.act((session, now) => session.sendBestEffort(message, now));
    if (sent === 'full')
      this.#settings.log.debug({ topic }, 'a best-effort message was dropped: the send queue is full');
  }

  /** Subscribes; resolves when the subscription is in force. Rejects with HSK-3103, HSK-3104 or HSK-1202. */
  async subscribe(filter: string, options: SubscribeOptions = {}): Promise<ClientSubscription> {
    validateFilter(filter);
    const { reliable = true } = options;
    return this.#subscriptions.subscribe(filter, reliable);
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
    const answer = await this.#requests.ask((requestId, timestamp) => ({
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
    const answer = await this.#requests.ask((requestId, timestamp) => {
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
    return this.#keeper.close();
  }

  #begun(pipe: SessionPipe, clientId: string): void {
    this.#clientId = clientId;
    this.#outbox.begin(pipe, (send, again) => {
      this.#subscriptions.renew(send, again);
      this.#presence.renew(send);
    });
  }

  #receive(pipe: SessionPipe, message: Inbound): void {
    if (message.type === MessageType.PUBLISH) {
      this.#subscriptions.deliver(message, () => settle(pipe, message.messageId));
    } else if (message.type === MessageType.PRESENCE_JOINED || message.type === MessageType.PRESENCE_LEFT) {
      this.#presence.told(message, () => settle(pipe, message.messageId));
    } else if (message.type === MessageType.REJECTED) {
      this.#outbox.rejected(message.messageId, rejectionOf(message.reason));
    } else if (message.type === MessageType.TIME || message.type === MessageType.SUBSCRIBERS) {
      this.#requests.answered(message);
    } else if ('messageId' in message) settle(pipe, message.messageId);
  }

  #ended(error: HashikeError | undefined): void {
    // Before what waits for its ACK: a subscription that is being made again ends as the client does.
    this.#subscriptions.finish(error);
    this.#presence.finish(error);
    this.#outbox.finish(error ?? closedError());
    this.#requests.finish(error ?? closedError());
  }
}

/** The program is done with a numbered message. */
function settle(pipe: SessionPipe, messageId: number | undefined): void {
  if (messageId !== undefined) pipe.act((session, now) => session.settle(messageId, now));
}

function misplaced({ type }: Message): HashikeError {
  return new HashikeError('HSK-3102', 'the server answered a question with something else', { type });
}
