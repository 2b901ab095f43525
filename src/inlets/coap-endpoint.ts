import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { IncomingMessage, ObserveWriteStream } from 'coap';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { CoapConfig } from '../config/schema.ts';
import {
  type CoapDatagram,
  CoapType,
  EMPTY_CODE,
  emptyDatagram,
  encodeDatagram,
  malformedConfirmable,
  parseDatagram,
} from './coap-datagram.ts';
import { Exchanges, type Exchange } from './coap-exchanges.ts';
import {
  acceptObservation,
  asksToObserve,
  GuardedServer,
  type Response,
  sendAnswer,
  sendNotification,
  sendRefusal,
  setTimers,
} from './coap-library.ts';
import {
  type CoapAnswer,
  type CoapRequest,
  directAnswer,
  type Notifier,
  refusalOf,
  requestOf,
  type Responder,
  RETRY_SECONDS,
} from './coap-request.ts';

export interface CoapEndpointOptions {
  readonly config: CoapConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  /** Must answer each request, now or later. */
  readonly onRequest: (request: CoapRequest, respond: Responder) => void;
  /** A message of ours was acknowledged or (`reset`) refused. */
  readonly onReply: (peer: string, messageId: number, reset: boolean) => void;
}

type Send = (bytes: Uint8Array, port: number, host: string, done: (error: Error | null) => void) => void;

/** A request on its way through the library. */
interface Arrival {
  readonly peer: string;
  readonly datagram: CoapDatagram;
  readonly exchange: Exchange;
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
  #send: Send | undefined;
  /** While the library has it. */
  #arrival: Arrival | undefined;
  /** Of the datagram that was sent last. */
  #lastMessageId: number | undefined;

  constructor(options: CoapEndpointOptions) {
    this.#options = options;
    const { config, clock } = options;
    this.#exchanges = new Exchanges({
      capacity: config.rememberedRequests,
      lifetimeMs: setTimers(config),
      clock,
    });
    this.#server = new GuardedServer(
      (bytes, from, handle) => this.#receive(bytes, from, handle),
      (detail) => this.#drop('library-error', { detail }),
    );
    this.#server.on('request', (request: IncomingMessage, response: Response) => {
      this.#handle(request, response);
    });
    this.#server.on('error', (error: Error) => this.#drop('socket-error', { err: error }));
  }

  /** Requests that have no answer yet. */
  get pending(): number {
    return this.#exchanges.pending;
  }

  /** Resolves with the port when it listens. Throws HSK-4002 when the address can't be used. */
  async open(): Promise<{ readonly port: number }> {
    const { host, port } = this.#options.config;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    try {
      socket.bind(port, host);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      const detail = `can't listen on ${host} port ${port}: ${describeError(error)}`;
      throw new HashikeError('HSK-4002', detail, { host, port }, error);
    }
    this.#send = socket.send.bind(socket);
    // All that the library sends passes here: its own handling of a failed send throws out of the process.
    Object.assign(socket, {
      send: (bytes: Buffer, _offset: number, _length: number, toPort: number, toHost: string) => {
        this.#transmit(bytes, toPort, toHost);
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
    // Timers of the library outlive the socket.
    this.#send = undefined;
    this.#server.close();
    await new Promise<void>((resolve) => {
      socket.close(resolve);
    });
  }

  #transmit(bytes: Uint8Array, port: number, host: string): void {
    this.#note(bytes, peerOf(host, port));
    try {
      this.#send?.(bytes, port, host, (error) => {
        if (error) this.#drop('send-failed', { err: error });
      });
    } catch (error) {
      this.#drop('send-failed', { detail: describeError(error) });
    }
  }

  /** Looks at what is sent: an answer is kept for repetitions of its request. */
  #note(bytes: Uint8Array, peer: string): void {
    const [first = 0, code = 0, high = 0, low = 0] = bytes;
    const messageId = (high << 8) | low;
    this.#lastMessageId = messageId;
    const exchange = this.#exchanges.find(peer, messageId);
    // Notifications have numbers of our own, which may be the same.
    if (!exchange || exchange.reply) return;
    if (((first >> 4) & 3) !== (exchange.confirmable ? CoapType.ACK : CoapType.NON)) return;
    if (code === EMPTY_CODE) exchange.acknowledged = true;
    // A copy, because the library ties everything it knows of the exchange to its own.
    else exchange.reply = Uint8Array.from(bytes);
  }

  #receive(bytes: Buffer, from: RemoteInfo, handle: () => void): void {
    const reply = (message: CoapDatagram): void =>
      this.#transmit(encodeDatagram(message), from.port, from.address);
    let datagram: CoapDatagram;
    try {
      datagram = parseDatagram(bytes);
    } catch (error) {
      this.#drop('malformed', { detail: describeError(error) });
      const messageId = malformedConfirmable(bytes);
      if (messageId !== undefined) reply(emptyDatagram(CoapType.RST, messageId));
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
      if (type === CoapType.CON) reply(emptyDatagram(CoapType.RST, messageId));
      return code === EMPTY_CODE ? undefined : this.#drop('unexpected-response');
    }
    const known = this.#exchanges.find(peer, messageId);
    if (known) return this.#repeat(known, from, messageId);
    const refusal = refusalOf(datagram) ?? this.#overload();
    if (refusal) {
      this.#count(refusal);
      return reply(directAnswer(datagram, refusal));
    }
    const exchange = this.#exchanges.open(peer, messageId, type === CoapType.CON);
    this.#arrival = { peer, datagram, exchange };
    handle();
    // Where the library stumbled over the request there will be no answer.
    if (this.#arrival) this.#exchanges.settle(exchange);
    this.#arrival = undefined;
  }

  /** A repetition is never handled again: it gets the answer that the first one got, or an acknowledgement that it is on its way. */
  #repeat({ reply, acknowledged }: Exchange, from: RemoteInfo, messageId: number): void {
    this.#options.counters.counter('coap_repetitions').add();
    if (reply) this.#transmit(reply, from.port, from.address);
    else if (acknowledged) {
      this.#transmit(encodeDatagram(emptyDatagram(CoapType.ACK, messageId)), from.port, from.address);
    }
  }

  #overload(): CoapAnswer | undefined {
    if (this.pending < this.#options.config.pendingRequests) return undefined;
    this.#drop('too-many-requests');
    return { code: '5.03', maxAge: RETRY_SECONDS };
  }

  #handle(request: IncomingMessage, response: Response): void {
    // A separate answer that nobody acknowledges ends in this event, and without a listener in the end of the process.
    response.on('error', (error: Error) => this.#drop('answer-lost', { detail: error.message }));
    const arrival = this.#arrival;
    if (!arrival) return this.#drop('library-error', { detail: 'a request came without a datagram' });
    this.#arrival = undefined;
    const { peer, datagram, exchange } = arrival;
    const settle = (answer: CoapAnswer): void => {
      this.#count(answer);
      this.#exchanges.settle(exchange);
    };
    this.#options.onRequest(requestOf(peer, datagram), {
      send: (answer) => {
        settle(answer);
        sendAnswer(response, answer);
        // Repetitions are answered from here.
        this.#server.release(request);
      },
      observe: (answer, number, onGone) => {
        if (!asksToObserve(response)) throw new HashikeError('HSK-1001', 'nobody asked to observe');
        settle(answer);
        acceptObservation(response, answer, number);
        return this.#notifier(response, onGone);
      },
    });
  }

  #notifier(stream: ObserveWriteStream, onGone: () => void): Notifier {
    // The library ends the stream when a notification stays unacknowledged.
    stream.once('finish', onGone);
    return {
      notify: (answer, number, confirmable) => {
        this.#lastMessageId = undefined;
        sendNotification(stream, answer, number, confirmable);
        return this.#lastMessageId;
      },
      refuse: (answer) => {
        this.#count(answer);
        sendRefusal(stream, answer);
      },
      end: () => {
        stream.removeListener('finish', onGone);
        stream.end();
      },
    };
  }

  #count({ code }: CoapAnswer): void {
    this.#options.counters.counter('coap_answers', { code }).add();
  }

  #drop(reason: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#options.counters.drops('coap', reason).add();
    this.#options.log.debug({ reason, ...fields }, 'CoAP: dropped');
  }
}

function peerOf(address: string, port: number): string {
  return `${address} ${port}`;
}
