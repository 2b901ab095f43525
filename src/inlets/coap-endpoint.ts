import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import {
  type IncomingMessage,
  type ObserveWriteStream,
  type OutgoingMessage,
  parameters,
  Server,
  updateTiming,
} from 'coap';
import { utf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { CoapConfig } from '../config/schema.ts';
import {
  codeByte,
  type CoapDatagram,
  CoapOption,
  type CoapOptionValue,
  CoapType,
  EMPTY_CODE,
  encodeDatagram,
  malformedConfirmable,
  parseDatagram,
  uintOf,
  uintOption,
} from './coap-datagram.ts';
import { Exchanges, type Exchange } from './coap-exchanges.ts';

export const OBSERVE_REGISTER = 0;
/** Payload that fits one datagram on every network (RFC 7252, section 4.6). */
export const MAX_PAYLOAD_BYTES = 1024;
/** How long an answer may take and still travel in the acknowledgement; a device sends its request again after 2 s. */
const PIGGYBACK_MS = 500;
/** What the library keeps of answers and notifications until they are acknowledged. */
const MAX_UNACKNOWLEDGED_BYTES = 1_048_576;
/** What a device shall wait for when the gateway has no room, in seconds. */
export const RETRY_SECONDS = 5;
/** Factor of RFC 7252, section 4.8, by which the library spreads its timeouts. */
const ACK_RANDOM_FACTOR = 1.5;

/** A request that is well-formed and not a repetition. */
export interface CoapRequest {
  /** Address and port of the sender. */
  readonly peer: string;
  readonly method: string;
  readonly confirmable: boolean;
  readonly token: Uint8Array;
  readonly observe: number | undefined;
  readonly payload: Uint8Array;
  /** Values of an option, in order. */
  options(number: number): readonly Uint8Array[];
}

export interface CoapAnswer {
  /** Such as `2.05`. */
  readonly code: string;
  readonly contentFormat?: number | undefined;
  /** Seconds. */
  readonly maxAge?: number | undefined;
  readonly payload?: Uint8Array | undefined;
}

/** Sends the notifications of one observation. */
export interface Notifier {
  /** Sends `answer` and returns its Message ID; undefined when it could not be sent. */
  notify(answer: CoapAnswer, confirmable: boolean): number | undefined;
  end(): void;
}

/** Where answers go. Each request gets one, by `send` or `observe`. */
export interface Responder {
  send(answer: CoapAnswer): void;
  /** Answers a GET with Observe 0 and keeps the observation. `onGone` is called when a notification stays unacknowledged. */
  observe(answer: CoapAnswer, onGone: () => void): Notifier;
}

export interface CoapEndpointOptions {
  readonly config: CoapConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly onRequest: (request: CoapRequest, respond: Responder) => void;
  /** A message of ours was acknowledged or (`reset`) refused. */
  readonly onReply: (peer: string, messageId: number, reset: boolean) => void;
}

type Send = (bytes: Buffer, port: number, host: string, done: (error: Error | null) => void) => void;

const methods: ReadonlyMap<number, string> = new Map([
  [1, 'GET'],
  [2, 'POST'],
  [3, 'PUT'],
]);
const { URI_HOST, URI_PORT, URI_PATH, URI_QUERY, ACCEPT, BLOCK1, BLOCK2, PROXY_URI, PROXY_SCHEME } =
  CoapOption;
/** Options with an odd number must be understood (RFC 7252, section 5.4.1); these are. */
const understood: ReadonlySet<number> = new Set([URI_HOST, URI_PORT, URI_PATH, URI_QUERY, ACCEPT, BLOCK2]);

/** The library's server with its two ways in replaced; see docs/decisions/coap.md. */
class GuardedServer extends Server {
  readonly #guard: (bytes: Buffer, from: RemoteInfo, handle: () => void) => void;
  readonly #failed: (detail: string) => void;

  constructor(
    guard: (bytes: Buffer, from: RemoteInfo, handle: () => void) => void,
    failed: (detail: string) => void,
  ) {
    super({ piggybackReplyMs: PIGGYBACK_MS, cacheSize: MAX_UNACKNOWLEDGED_BYTES });
    this.#guard = guard;
    this.#failed = failed;
    // Blocks of a long answer are cut from the value anew each time, so that nothing is kept for a client that asks once.
    this._block2Cache.add = () => undefined;
  }

  override handleRequest(): ReturnType<Server['handleRequest']> {
    const handle = super.handleRequest();
    return (bytes, from) => this.#guard(bytes, from as unknown as RemoteInfo, () => handle(bytes, from));
  }

  /** The library would send its error to this very machine, at the port of the sender. */
  override _sendError(payload: Buffer): void {
    this.#failed(payload.toString());
  }
}

/**
 * A CoAP server on one UDP address. The library carries answers (piggy-backed or separate, in blocks where they are long) and
 * notifications; what it gets wrong is done here: malformed datagrams, repetitions, bounds, errors of sending.
 */
export class CoapEndpoint {
  readonly #options: CoapEndpointOptions;
  readonly #server: GuardedServer;
  readonly #exchanges: Exchanges;
  #socket: Socket | undefined;
  /** Of the datagram that was sent last. */
  #lastMessageId: number | undefined;

  constructor(options: CoapEndpointOptions) {
    this.#options = options;
    setTimers(options.config);
    this.#exchanges = new Exchanges({
      capacity: options.config.rememberedRequests,
      lifetimeMs: parameters.exchangeLifetime * 1000,
      clock: options.clock,
    });
    this.#server = new GuardedServer(
      (bytes, from, handle) => this.#receive(bytes, from, handle),
      (detail) => this.#drop('library-error', { detail }),
    );
    this.#server.on('request', (request: IncomingMessage, response: OutgoingMessage | ObserveWriteStream) => {
      this.#handle(request, response);
    });
    this.#server.on('error', (error: Error) => this.#drop('socket-error', { err: error }));
  }

  get pending(): number {
    return this.#exchanges.pending;
  }

  /** Resolves with the port when it listens. Throws HSK-4002 when the address can't be used. */
  async open(): Promise<{ readonly port: number }> {
    const { host, port } = this.#options.config;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(
          new HashikeError(
            'HSK-4002',
            `can't listen on ${host} port ${port}: ${error.message}`,
            { host, port },
            error,
          ),
        );
      });
      socket.bind(port, host, () => {
        socket.removeAllListeners('error');
        resolve();
      });
    });
    const send: Send = socket.send.bind(socket);
    // All that the library sends passes here: its own handling of a failed send throws out of the process.
    Object.assign(socket, {
      send: (bytes: Buffer, _offset: number, _length: number, toPort: number, toHost: string) => {
        this.#sent(bytes, peerOf(toHost, toPort));
        this.#transmit(send, bytes, toPort, toHost);
      },
    });
    this.#socket = socket;
    this.#server.listen(socket);
    return { port: socket.address().port };
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    this.#server.close();
    await new Promise<void>((resolve) => {
      socket.close(resolve);
    });
  }

  #transmit(send: Send, bytes: Buffer, port: number, host: string): void {
    // Timers of the library outlive the socket.
    if (!this.#socket) return;
    try {
      send(bytes, port, host, (error) => {
        if (error) this.#drop('send-failed', { err: error });
      });
    } catch (error) {
      this.#drop('send-failed', { detail: describeError(error) });
    }
  }

  /** Sends what needs no memory: resets, acknowledgements, refusals. */
  #reply(from: RemoteInfo, message: CoapDatagram): void {
    const bytes = Buffer.from(encodeDatagram(message));
    this.#socket?.send(bytes, 0, bytes.length, from.port, from.address);
  }

  #receive(bytes: Buffer, from: RemoteInfo, handle: () => void): void {
    let datagram: CoapDatagram;
    try {
      datagram = parseDatagram(bytes);
    } catch (error) {
      this.#drop('malformed', { detail: describeError(error) });
      const messageId = malformedConfirmable(bytes);
      if (messageId !== undefined) this.#reply(from, empty(CoapType.RST, messageId));
      return;
    }
    const { type, code, messageId } = datagram;
    const peer = peerOf(from.address, from.port);
    if (type === CoapType.ACK || type === CoapType.RST) {
      if (code !== EMPTY_CODE) return this.#drop('unexpected-response');
      this.#options.onReply(peer, messageId, type === CoapType.RST);
      return handle();
    }
    if (code === EMPTY_CODE || code >> 5 !== 0) {
      // A ping (RFC 7252, section 4.3), or a response to a request that nobody sent.
      if (type === CoapType.CON) this.#reply(from, empty(CoapType.RST, messageId));
      return code === EMPTY_CODE ? undefined : this.#drop('unexpected-response');
    }
    const known = this.#exchanges.find(peer, messageId);
    if (known) return this.#repeat(known, from, datagram);
    const refusal = this.#refusal(datagram);
    if (refusal) return this.#refuse(from, datagram, refusal);
    const exchange = this.#exchanges.open(peer, datagram);
    handle();
    // Where the library stumbled over the request there will be no answer.
    if (!exchange.handled) this.#exchanges.settle(exchange);
  }

  /** A repetition is never handled again: it gets the answer that the first one got, or an acknowledgement that it is on its way. */
  #repeat(exchange: Exchange, from: RemoteInfo, { type, messageId }: CoapDatagram): void {
    this.#options.counters.counter('coap_repetitions').add();
    if (exchange.reply) {
      const bytes = Buffer.from(exchange.reply);
      this.#socket?.send(bytes, 0, bytes.length, from.port, from.address);
    } else if (exchange.acknowledged && type === CoapType.CON) {
      this.#reply(from, empty(CoapType.ACK, messageId));
    }
  }

  /** Why a request is answered without being looked at, or undefined. */
  #refusal({ code, options, payload }: CoapDatagram): (CoapAnswer & { readonly size1?: number }) | undefined {
    const has = (number: number): boolean => options.some((option) => option.number === number);
    if (!methods.has(code)) return { code: '4.05', payload: utf8('GET, POST and PUT are offered') };
    if (has(PROXY_URI) || has(PROXY_SCHEME)) return { code: '5.05' };
    if (has(BLOCK1) || payload.length > MAX_PAYLOAD_BYTES) {
      const text = `at most ${MAX_PAYLOAD_BYTES} bytes, in one datagram`;
      return { code: '4.13', payload: utf8(text), size1: MAX_PAYLOAD_BYTES };
    }
    const strange = options.find(({ number }) => number % 2 === 1 && !understood.has(number));
    if (strange) return { code: '4.02', payload: utf8(`option ${strange.number} is not understood`) };
    const observe = options.find(({ number }) => number === CoapOption.OBSERVE);
    if (observe && code !== 1 && uintOf(observe.value) === OBSERVE_REGISTER) {
      return { code: '4.02', payload: utf8('Observe goes with GET') };
    }
    if (this.#exchanges.pending >= this.#options.config.pendingRequests) {
      this.#drop('too-many-requests');
      return { code: '5.03', maxAge: RETRY_SECONDS };
    }
    return undefined;
  }

  #refuse(
    from: RemoteInfo,
    { type, messageId, token }: CoapDatagram,
    { code, maxAge, payload = new Uint8Array(0), size1 }: CoapAnswer & { readonly size1?: number },
  ): void {
    this.#options.counters.counter('coap_answers', { code }).add();
    const options: CoapOptionValue[] = [];
    if (maxAge !== undefined) options.push(uintOption(CoapOption.MAX_AGE, maxAge));
    if (size1 !== undefined) options.push(uintOption(CoapOption.SIZE1, size1));
    this.#reply(from, {
      type: type === CoapType.CON ? CoapType.ACK : CoapType.NON,
      code: codeByte(code),
      messageId,
      token,
      options,
      payload,
    });
  }

  /** Looks at what is sent: an answer is kept for repetitions of its request. */
  #sent(bytes: Buffer, peer: string): void {
    const messageId = bytes.readUInt16BE(2);
    const type = (bytes.readUInt8(0) >> 4) & 3;
    this.#lastMessageId = messageId;
    const exchange = this.#exchanges.find(peer, messageId);
    // Notifications have numbers of our own, which may be the same.
    if (type !== (exchange?.datagram.type === CoapType.CON ? CoapType.ACK : CoapType.NON)) return;
    if (!exchange || exchange.reply) return;
    if (bytes.readUInt8(1) === EMPTY_CODE) exchange.acknowledged = true;
    else exchange.reply = bytes;
  }

  #handle(request: IncomingMessage, response: OutgoingMessage | ObserveWriteStream): void {
    const peer = peerOf(request.rsinfo.address, request.rsinfo.port);
    const exchange = this.#exchanges.find(peer, request._packet.messageId ?? -1);
    if (!exchange) return this.#drop('library-error', { detail: 'a request came without its exchange' });
    // A separate answer that nobody acknowledges ends in this event, and without a listener in the end of the process.
    response.on('error', (error: Error) => this.#drop('answer-lost', { detail: error.message }));
    exchange.handled = true;
    const { datagram } = exchange;
    const { code, type, token, payload } = datagram;
    const values = (number: number): readonly Uint8Array[] =>
      datagram.options.filter((option) => option.number === number).map(({ value }) => value);
    const [observe] = values(CoapOption.OBSERVE);
    const answered = (answer: CoapAnswer): void => {
      this.#options.counters.counter('coap_answers', { code: answer.code }).add();
      this.#exchanges.settle(exchange);
    };
    this.#options.onRequest(
      {
        peer,
        method: methods.get(code) ?? '',
        confirmable: type === CoapType.CON,
        token,
        observe: observe && uintOf(observe),
        payload,
        options: values,
      },
      {
        send: (answer) => {
          answered(answer);
          prepare(response, answer);
          if ('_doSend' in response) response._doSend(bufferOf(answer.payload));
          else response.end(bufferOf(answer.payload));
          this.#release(request);
        },
        observe: (answer, onGone) => {
          if (!('_doSend' in response))
            throw new HashikeError('HSK-1001', 'the request does not ask to observe');
          answered(answer);
          const notifier = this.#notifier(response, onGone);
          notifier.notify(answer, false);
          return notifier;
        },
      },
    );
  }

  #notifier(stream: ObserveWriteStream, onGone: () => void): Notifier {
    let first = true;
    // The library ends the stream when a notification stays unacknowledged.
    stream.once('finish', onGone);
    return {
      notify: (answer, confirmable) => {
        prepare(stream, answer);
        // The first one answers the request, in its acknowledgement where it is confirmable; the library takes the others for the same.
        if (!first) Object.assign(stream._packet, { confirmable, ack: false });
        first = false;
        this.#lastMessageId = undefined;
        stream.write(bufferOf(answer.payload));
        return this.#lastMessageId;
      },
      end: () => {
        stream.removeListener('finish', onGone);
        stream.end();
      },
    };
  }

  /** Forgets the library's copy of an answer, with its timer: repetitions are answered from here. */
  #release(request: IncomingMessage): void {
    const key = this.#server._toKey(request, request._packet, true);
    this.#server._lru.delete(key);
  }

  #drop(reason: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#options.counters.drops('coap', reason).add();
    this.#options.log.debug({ reason, ...fields }, 'CoAP: dropped');
  }
}

/**
 * The library has one set of timers for the whole process. The latency that it starts from, 100 s, keeps each exchange for 247 s.
 */
function setTimers({ ackTimeoutMs, maxRetransmit, maxLatencyMs }: CoapConfig): void {
  updateTiming({
    ackTimeout: ackTimeoutMs / 1000,
    ackRandomFactor: ACK_RANDOM_FACTOR,
    maxRetransmit,
    maxLatency: maxLatencyMs / 1000,
  });
  // Its cache takes whole milliseconds only.
  parameters.exchangeLifetime = Math.ceil(parameters.exchangeLifetime);
}

function empty(type: CoapType, messageId: number): CoapDatagram {
  const nothing = new Uint8Array(0);
  return { type, code: EMPTY_CODE, messageId, token: nothing, options: [], payload: nothing };
}

function peerOf(address: string, port: number): string {
  return `${address} ${port}`;
}

function bufferOf(payload: Uint8Array | undefined): Buffer {
  return payload ? Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) : Buffer.alloc(0);
}

function prepare(
  response: OutgoingMessage | ObserveWriteStream,
  { code, contentFormat, maxAge }: CoapAnswer,
): void {
  response.statusCode = code;
  response._packet.options = [];
  const options: CoapOptionValue[] = [];
  if (contentFormat !== undefined) options.push(uintOption(CoapOption.CONTENT_FORMAT, contentFormat));
  if (maxAge !== undefined) options.push(uintOption(CoapOption.MAX_AGE, maxAge));
  response._packet.options = options.map(({ number, value }) => ({
    name: number,
    value: Buffer.from(value),
  }));
}
