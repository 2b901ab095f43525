import type { RemoteInfo } from 'node:dgram';
import {
  type IncomingMessage,
  type ObserveWriteStream,
  type OutgoingMessage,
  parameters,
  Server,
  updateTiming,
} from 'coap';
import type { CoapConfig } from '../config/schema.ts';
import { type CoapAnswer, optionsOf } from './coap-request.ts';

/** How long an answer may take and still travel in the acknowledgement; a device sends its request again after 2 s. */
const PIGGYBACK_MS = 500;
/** What the library keeps of answers and notifications until they are acknowledged. */
const MAX_UNACKNOWLEDGED_BYTES = 1_048_576;
/** Factor of RFC 7252, section 4.8, by which the library spreads its timeouts. */
const ACK_RANDOM_FACTOR = 1.5;

/** What the library gives to answer with: a stream where the request asks to observe. */
export type Response = OutgoingMessage | ObserveWriteStream;

/** The library's server with its ways in and out replaced; docs/decisions/coap.md says why. */
export class GuardedServer extends Server {
  readonly #guard: (bytes: Buffer, from: RemoteInfo, handle: () => void) => void;
  readonly #failed: (detail: string) => void;

  /**
   * @param guard gets each datagram, and calls `handle` to let the library have it.
   * @param failed gets what the library says went wrong.
   */
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

  /** Forgets the library's copy of an answer, with its timer. */
  release(request: IncomingMessage): void {
    this._lru.delete(this._toKey(request, request._packet, true));
  }
}

/**
 * The library has one set of timers for the whole process. The latency that it starts from, 100 s, keeps each exchange for 247 s.
 * Returns how long an exchange is kept now, in milliseconds.
 */
export function setTimers({ ackTimeoutMs, maxRetransmit, maxLatencyMs }: CoapConfig): number {
  updateTiming({
    ackTimeout: ackTimeoutMs / 1000,
    ackRandomFactor: ACK_RANDOM_FACTOR,
    maxRetransmit,
    maxLatency: maxLatencyMs / 1000,
  });
  // Its cache takes whole milliseconds only.
  parameters.exchangeLifetime = Math.ceil(parameters.exchangeLifetime);
  return parameters.exchangeLifetime * 1000;
}

export function asksToObserve(response: Response): response is ObserveWriteStream {
  return '_doSend' in response;
}

/** The one answer to a request. */
export function sendAnswer(response: Response, answer: CoapAnswer): void {
  prepare(response, answer);
  // Writing to the stream instead would say that the observation is accepted.
  if (asksToObserve(response)) response._doSend(bufferOf(answer));
  else response.end(bufferOf(answer));
}

/** The first notification of an observation, which answers the request. */
export function acceptObservation(stream: ObserveWriteStream, answer: CoapAnswer, number: number): void {
  prepare(stream, answer);
  writeNumbered(stream, answer, number);
}

/** A later notification. */
export function sendNotification(
  stream: ObserveWriteStream,
  answer: CoapAnswer,
  number: number,
  confirmable: boolean,
): void {
  prepareLater(stream, answer, confirmable);
  writeNumbered(stream, answer, number);
}

/** The last notification, which has no number. */
export function sendRefusal(stream: ObserveWriteStream, answer: CoapAnswer): void {
  prepareLater(stream, answer, true);
  stream._doSend(bufferOf(answer));
}

/** The library takes what follows the answer for an acknowledgement, where the request was not confirmable. */
function prepareLater(stream: ObserveWriteStream, answer: CoapAnswer, confirmable: boolean): void {
  prepare(stream, answer);
  Object.assign(stream._packet, { confirmable, ack: false });
}

/** The library would number each stream from 1, and so every registration of one device anew. */
function writeNumbered(stream: ObserveWriteStream, answer: CoapAnswer, number: number): void {
  stream._counter = number - 1;
  stream.write(bufferOf(answer));
}

function prepare(response: Response, answer: CoapAnswer): void {
  response.statusCode = answer.code;
  response._packet.options = optionsOf(answer).map(({ number, value }) => ({
    name: number,
    value: Buffer.from(value),
  }));
}

function bufferOf({ payload }: CoapAnswer): Buffer {
  return payload ? Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) : Buffer.alloc(0);
}
