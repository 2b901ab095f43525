import type { Clock, Timer } from '../clock.ts';
import { Malformed } from '../codec/bytes.ts';
import type { Random } from '../random.ts';
import { type CoapMessage, type CoapOption, decodeCoap, empty, encodeCoap } from './codec.ts';
import type { DatagramPort } from './datagram-port.ts';

export interface Request {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export interface Answer {
  /** Each response; more than one only where the request observes. */
  response(message: CoapMessage): void;
  /** No answer came, or a reset. */
  failed(): void;
}

/** Transmission parameters of RFC 7252, 4.8. */
export interface Transmission {
  readonly ackTimeoutMs: number;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
}

export const standardTransmission: Transmission = {
  ackTimeoutMs: 2000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
};

/** How long a separate response may take after its empty ACK. */
const SEPARATE_MS = 60_000;
const REMEMBERED = 64;

interface Exchange {
  readonly answer: Answer;
  readonly observes: boolean;
  messageId: number;
  timer: Timer | undefined;
}

/** The client's message layer: confirmable messages, matching by token and message id, duplicates (RFC 7252, 4 and 5). */
export class CoapEndpoint {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #port: DatagramPort;
  readonly #transmission: Transmission;
  readonly #exchanges = new Map<string, Exchange>();
  /** Answers to the peer's latest messages, by their ids, to be given again. */
  readonly #answered = new Map<number, CoapMessage | undefined>();
  #messageId: number;
  #tokens = 0;
  retransmissions = 0;

  constructor(clock: Clock, random: Random, port: DatagramPort, transmission: Transmission) {
    this.#clock = clock;
    this.#random = random;
    this.#port = port;
    this.#transmission = transmission;
    this.#messageId = random.below(0x1_0000);
    port.onMessage((bytes) => this.#heard(bytes));
  }

  /** A token of its own for a request; the same one may be used again to renew an observation. */
  newToken(): Uint8Array {
    const number = ++this.#tokens;
    return Uint8Array.of(this.#random.below(256), this.#random.below(256), number >> 8, number);
  }

  /** Sends a confirmable request; `observes` keeps its token for notifications until `forget`. */
  confirmable(token: Uint8Array, request: Request, observes: boolean, answer: Answer): void {
    this.forget(token);
    const messageId = this.#nextId();
    const bytes = encodeCoap({ type: 'CON', messageId, token, ...request });
    const exchange: Exchange = { answer, observes, messageId, timer: undefined };
    this.#exchanges.set(keyOf(token), exchange);
    const { ackTimeoutMs, ackRandomFactor, maxRetransmit } = this.#transmission;
    const transmit = (wait: number, again: number): void => {
      this.#port.send(bytes);
      exchange.timer = this.#clock.after(wait, () => {
        if (again === 0) this.#fail(token);
        else {
          this.retransmissions++;
          transmit(wait * 2, again - 1);
        }
      });
    };
    transmit(ackTimeoutMs * (1 + this.#random.fraction() * (ackRandomFactor - 1)), maxRetransmit);
  }

  /** Sends a request that wants no acknowledgement and whose response is ignored. */
  nonConfirmable(request: Request): void {
    this.#port.send(
      encodeCoap({ type: 'NON', messageId: this.#nextId(), token: this.newToken(), ...request }),
    );
  }

  /** Ends an exchange without a word; a later notification for it is answered with a reset. */
  forget(token: Uint8Array): void {
    this.#exchanges.get(keyOf(token))?.timer?.cancel();
    this.#exchanges.delete(keyOf(token));
  }

  /** Forgets every exchange. */
  stop(): void {
    for (const { timer } of this.#exchanges.values()) timer?.cancel();
    this.#exchanges.clear();
  }

  #nextId(): number {
    this.#messageId = (this.#messageId + 1) % 0x1_0000;
    return this.#messageId;
  }

  #fail(token: Uint8Array): void {
    const exchange = this.#exchanges.get(keyOf(token));
    this.forget(token);
    exchange?.answer.failed();
  }

  #heard(bytes: Uint8Array): void {
    let message: CoapMessage;
    try {
      message = decodeCoap(bytes);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      // What can't be read is passed over without a word (RFC 7252, 4.2 and 4.3).
      return;
    }
    if (message.type === 'ACK' || message.type === 'RST') this.#acknowledged(message);
    else this.#received(message);
  }

  #acknowledged(message: CoapMessage): void {
    const found = [...this.#exchanges].find(([, { messageId }]) => messageId === message.messageId);
    if (!found) return;
    const [key, exchange] = found;
    const token = Uint8Array.from(Buffer.from(key, 'hex'));
    if (message.type === 'RST') this.#fail(token);
    else if (message.code === 0) {
      exchange.timer?.cancel();
      exchange.timer = this.#clock.after(SEPARATE_MS, () => this.#fail(token));
    } else if (keyOf(message.token) === key) this.#respond(exchange, message);
  }

  /** A CON or NON of the peer: a separate response or a notification. */
  #received(message: CoapMessage): void {
    const { type, messageId } = message;
    if (this.#answered.has(messageId)) {
      const again = this.#answered.get(messageId);
      if (again) this.#port.send(encodeCoap(again));
      return;
    }
    const exchange = this.#exchanges.get(keyOf(message.token));
    const known = exchange !== undefined && message.code >> 5 >= 2;
    const answer = known && type === 'NON' ? undefined : empty(known ? 'ACK' : 'RST', messageId);
    this.#answered.set(messageId, answer);
    if (this.#answered.size > REMEMBERED) {
      const [oldest] = this.#answered.keys();
      if (oldest !== undefined) this.#answered.delete(oldest);
    }
    if (answer) this.#port.send(encodeCoap(answer));
    if (known) this.#respond(exchange, message);
  }

  #respond(exchange: Exchange, message: CoapMessage): void {
    exchange.timer?.cancel();
    exchange.messageId = -1;
    if (!exchange.observes) this.forget(message.token);
    exchange.answer.response(message);
  }
}

function keyOf(token: Uint8Array): string {
  return Buffer.from(token).toString('hex');
}
