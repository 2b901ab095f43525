import { hex, textOf, utf8 } from '../base/bytes.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { describeError, type ErrorCode, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BrokerPort, ClientQueueFeed, Delivery, Principal } from '../broker/ports.ts';
import type { CoapConfig } from '../config/schema.ts';
import type { Profiles } from '../profiles/profiles.ts';
import { validateTopic } from '../topic/topic.ts';
import type { Publication } from '../wire/publication.ts';
import { readContent, represent } from './coap-content.ts';
import { CoapOption, uintOf } from './coap-datagram.ts';
import { CoapEndpoint } from './coap-endpoint.ts';
import { NumberedRequests } from './coap-numbered.ts';
import { Observer, Observers } from './coap-observers.ts';
import { type CoapQuery, parseQueries } from './coap-query.ts';
import {
  type CoapAnswer,
  type CoapRequest,
  MAX_PAYLOAD_BYTES,
  OBSERVE_REGISTER,
  type Responder,
  RETRY_SECONDS,
} from './coap-request.ts';
import { CommandFeed } from './command-feed.ts';

export interface CoapInletOptions {
  readonly config: CoapConfig;
  readonly broker: BrokerPort;
  /** What waits on disk for a client, where its commands do. */
  readonly queueOf: (clientId: string) => ClientQueueFeed | undefined;
  readonly profiles: Profiles;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/** What `hashike status` prints of the inlet. */
export interface CoapDescription {
  readonly name: string;
  readonly state: 'open' | 'closed';
  readonly detail: { readonly address: string; readonly pending: number; readonly observers: number };
}

export interface CoapInlet {
  /** Resolves with the port when it listens. Throws HSK-4002 when the address can't be used. */
  open(): Promise<{ readonly port: number }>;
  /** Waits for commands on their way, for ACK_TIMEOUT at most, ends the observations and stops listening. */
  close(): Promise<void>;
  describe(): CoapDescription;
}

/** CoAP devices as clients of the broker (clause 10). */
export function createCoapInlet(options: CoapInletOptions): CoapInlet {
  return new Inlet(options);
}

/** Answers to errors; others are 4.00 where the device is at fault and 5.00 where it is not. */
const statuses: Partial<Readonly<Record<ErrorCode, string>>> = {
  'HSK-3001': '4.03',
  'HSK-4003': '4.01',
  'HSK-4005': '4.04',
  'HSK-4006': '4.15',
  'HSK-4007': '4.06',
  'HSK-4008': '5.03',
};
/** Longest text that explains a refusal. */
const MAX_DIAGNOSTIC_CHARACTERS = 200;
/** How often to look whether the tokens of observations are still good; each notification looks too. */
const TOKEN_CHECK_MS = 10_000;
/** Seconds for which a notification holds when no other comes (RFC 7641, section 4.3.1): a topic says nothing about its pace. */
const OBSERVE_MAX_AGE = 86_400;

class Inlet implements CoapInlet {
  readonly #options: CoapInletOptions;
  readonly #endpoint: CoapEndpoint;
  readonly #observers: Observers;
  readonly #numbered: NumberedRequests;
  /** By CLIENT_ID, one for each client with a queue that ever observed: what it knows to be settled may not yet be deleted when its last observation ends. */
  readonly #feeds = new Map<string, CommandFeed>();
  #port: number | undefined;
  #tokenCheck: Timer | undefined;

  constructor(options: CoapInletOptions) {
    this.#options = options;
    this.#observers = new Observers(options);
    this.#numbered = new NumberedRequests(options.config.rememberedRequests);
    this.#endpoint = new CoapEndpoint({
      ...options,
      onRequest: (request, respond) => void this.#handle(request, respond),
      onReply: (peer, messageId, reset) => this.#observers.answered(peer, messageId, reset),
    });
  }

  async open(): Promise<{ readonly port: number }> {
    const { port } = await this.#endpoint.open();
    this.#port = port;
    this.#checkTokens();
    return { port };
  }

  async close(): Promise<void> {
    this.#port = undefined;
    this.#tokenCheck?.cancel();
    await this.#settleCommands();
    this.#observers.close();
    await this.#endpoint.close();
  }

  describe(): CoapDescription {
    const { host, port } = this.#options.config;
    return {
      name: 'coap',
      state: this.#port === undefined ? 'closed' : 'open',
      detail: {
        address: `${host} port ${this.#port ?? port}`,
        pending: this.#endpoint.pending,
        observers: this.#observers.size,
      },
    };
  }

  async #handle(request: CoapRequest, respond: Responder): Promise<void> {
    try {
      const query = parseQueries(request.options(CoapOption.URI_QUERY));
      const token = tokenOf(request, query);
      const by = this.#authenticate(token);
      const topic = topicOf(request);
      if (request.method !== 'GET') respond.send(await this.#publish(request, query, topic, by));
      else if (request.observe === OBSERVE_REGISTER) this.#observe(request, topic, { token, by }, respond);
      else {
        this.#observers.cancel(observationOf(request));
        respond.send(this.#read(request, topic, by));
      }
    } catch (error) {
      respond.send(this.#refusal(error));
    }
  }

  /** Clause 10.3. */
  #authenticate(token: Uint8Array): Principal {
    const by = this.#options.broker.authenticate(token);
    if (!by) throw new HashikeError('HSK-4003', 'nobody has this token');
    return by;
  }

  /** The refusal for an observation whose token is known no more, has expired, or stands for other rights now. */
  #objection(token: Uint8Array, by: Principal): CoapAnswer | undefined {
    if (this.#options.broker.authenticate(token) === by) return undefined;
    return this.#refusal(new HashikeError('HSK-4003', 'the token is good no more, or for other topics'));
  }

  #checkTokens(): void {
    this.#observers.endRefused();
    this.#tokenCheck = this.#options.clock.after(TOKEN_CHECK_MS, () => this.#checkTokens());
  }

  /** Clauses 10.1 and 10.5. */
  async #publish(request: CoapRequest, query: CoapQuery, topic: string, by: Principal): Promise<CoapAnswer> {
    const { broker, clock, profiles } = this.#options;
    if (!by.mayPublish(topic)) {
      throw new HashikeError('HSK-3001', `${by.clientId} may not publish to ${topic}`, {
        client: by.clientId,
      });
    }
    const format = request.options(CoapOption.CONTENT_FORMAT)[0];
    const content = readContent(
      profiles.forClient(by.clientId),
      topic,
      format && uintOf(format),
      request.payload,
    );
    const publish = async (): Promise<void> => {
      if (request.confirmable && broker.wouldWait(topic)) {
        throw new HashikeError('HSK-4008', 'there is no room for it now', { topic });
      }
      const publication: Publication = {
        topic,
        content,
        reliable: request.confirmable,
        retain: false,
        origin: { clientId: by.clientId, messageId: query.id },
        taken: { at: clock.wall() - query.age },
      };
      await broker.publish(publication, by);
    };
    await (query.id === undefined ? publish() : this.#numbered.once(by.clientId, query.id, publish));
    return { code: '2.04' };
  }

  /** Clause 10.2. */
  #read(request: CoapRequest, topic: string, by: Principal): CoapAnswer {
    const last = this.#options.broker.lastValue(topic, by);
    if (!last) throw new HashikeError('HSK-4005', `nothing was published to ${topic} yet`, { topic });
    return this.#answerWith(last, request, by);
  }

  /**
   * Clause 10.2. The answer is the last value, as everybody who observes expects; it is empty where there is none yet, and where commands wait on disk: each of
   * those comes once, as a notification.
   */
  #observe(
    request: CoapRequest,
    topic: string,
    { token, by }: { readonly token: Uint8Array; readonly by: Principal },
    respond: Responder,
  ): void {
    const { broker } = this.#options;
    const { clientId } = by;
    const last = broker.lastValue(topic, by);
    const queue = this.#options.queueOf(clientId);
    const hasCurrent = last && !queue?.covers(topic);
    const answer: CoapAnswer = hasCurrent ? this.#answerWith(last, request, by) : { code: '2.05' };
    if ((answer.payload?.length ?? 0) > MAX_PAYLOAD_BYTES) {
      throw new HashikeError('HSK-4007', `what is longer than ${MAX_PAYLOAD_BYTES} bytes can't be observed`, {
        topic,
      });
    }
    const key = observationOf(request);
    const known = this.#observers.find(key, clientId, topic);
    const observer =
      known ??
      this.#observers.add(key, (onEnd) => {
        const { peer } = request;
        return new Observer(this.#options, { clientId, peer, topic, queue: queue?.name, onEnd });
      });
    const notifier = respond.observe({ ...answer, maxAge: OBSERVE_MAX_AGE }, observer.answerNumber(), () =>
      observer.end('unacknowledged'),
    );
    observer.register({
      notifier,
      render: (delivery) => this.#notification(delivery, request, by),
      refusal: () => this.#objection(token, by),
    });
    const feed = queue && this.#feedOf(clientId, queue);
    if (known) feed?.pump();
    else {
      const subscription = broker.subscribe(topic, observer, by, { reliable: true });
      const detach = feed?.attach(observer);
      observer.start(() => {
        subscription.cancel();
        detach?.();
      });
    }
  }

  #feedOf(clientId: string, queue: ClientQueueFeed): CommandFeed {
    const found = this.#feeds.get(clientId);
    if (found) return found;
    const feed = new CommandFeed({ queue, log: this.#options.log });
    this.#feeds.set(clientId, feed);
    return feed;
  }

  /** A command whose acknowledgement is not waited for would come again after the next start. */
  async #settleCommands(): Promise<void> {
    const { clock, config } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const patience = clock.after(config.ackTimeoutMs, resolve);
    await Promise.race([promise, Promise.all([...this.#feeds.values()].map((feed) => feed.close()))]);
    patience.cancel();
  }

  #notification({ publication }: Delivery, request: CoapRequest, by: Principal): CoapAnswer | undefined {
    const { clock, counters, log } = this.#options;
    const { topic, expiresAt } = publication;
    const drop = (reason: string): undefined => {
      counters.drops('coap', reason).add();
      log.warn({ client: by.clientId, topic, reason }, 'CoAP: a notification was dropped');
    };
    if (expiresAt !== undefined && expiresAt <= clock.wall()) return drop('expired');
    try {
      const answer = this.#answerWith(publication, request, by);
      const tooLong = (answer.payload?.length ?? 0) > MAX_PAYLOAD_BYTES;
      return tooLong ? drop('notification-too-long') : { ...answer, maxAge: OBSERVE_MAX_AGE };
    } catch {
      // The format that the device accepts can't hold this value.
      return drop('not-representable');
    }
  }

  #answerWith({ content, origin }: Publication, request: CoapRequest, by: Principal): CoapAnswer {
    const { profiles } = this.#options;
    // A command that came from upstream is in the terms of the device that it is for.
    const publisher = profiles.forClient(origin.clientId);
    const profile = publisher.names.length > 0 ? publisher : profiles.forClient(by.clientId);
    const accept = request.options(CoapOption.ACCEPT)[0];
    return { code: '2.05', ...represent(profile, content, accept && uintOf(accept)) };
  }

  #refusal(error: unknown): CoapAnswer {
    const known = error instanceof HashikeError ? error : undefined;
    const status = known && statuses[known.code];
    if (known && (status !== undefined || known.fault === 'caller' || known.fault === 'peer')) {
      this.#options.log.debug({ code: known.code, detail: known.message }, 'CoAP: a request was refused');
      return {
        code: status ?? '4.00',
        maxAge: status === '5.03' ? RETRY_SECONDS : undefined,
        payload: utf8(known.message.slice(0, MAX_DIAGNOSTIC_CHARACTERS).toWellFormed()),
      };
    }
    this.#options.log.error({ err: error, detail: describeError(error) }, 'CoAP: a request failed');
    return { code: '5.00' };
  }
}

/** Throws HSK-4003. */
function tokenOf(request: CoapRequest, query: CoapQuery): Uint8Array {
  const token = request.options(CoapOption.TOKEN)[0] ?? query.token;
  if (!token) throw new HashikeError('HSK-4003', 'a token is needed, as query t= or option 65000');
  return token;
}

/** Clause 10.1: each segment of the path is one level. Throws HSK-4004 and HSK-1201. */
function topicOf(request: CoapRequest): string {
  const levels = request.options(CoapOption.URI_PATH).map(textOf);
  if (levels.some((level) => level.includes('/'))) {
    throw new HashikeError('HSK-4004', 'a segment of the path holds a /');
  }
  const topic = levels.join('/');
  validateTopic(topic);
  return topic;
}

/** An observation is known by its peer and its token (RFC 7641, section 4.1). */
function observationOf({ peer, token }: CoapRequest): string {
  return `${peer} ${hex(token)}`;
}
