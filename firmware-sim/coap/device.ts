import type { Clock, Timer } from '../clock.ts';
import { toUint, uint, utf8 } from '../codec/bytes.ts';
import type { Behaviour, Device } from '../node/behaviour.ts';
import { Ledger } from '../node/ledger.ts';
import { NumberSet } from '../node/number-set.ts';
import type { Random } from '../random.ts';
import {
  code,
  codeName,
  type CoapMessage,
  type CoapOption,
  method,
  option,
  optionUint,
  shortUint,
} from './codec.ts';
import type { DatagramPort } from './datagram-port.ts';
import { CoapEndpoint, type Request, standardTransmission, type Transmission } from './endpoint.ts';

export interface CoapDeviceOptions {
  readonly name: string;
  readonly token: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly port: DatagramPort;
  readonly behaviours?: readonly Behaviour<Device>[];
  /** Topic to observe for commands; none by default. */
  readonly observe?: string;
  /** How often the observation is renewed, which finds a gateway that was started anew; default 10,000. */
  readonly renewMs?: number;
  /** Readings that are kept until they are acknowledged; default 10,000. */
  readonly outboxReadings?: number;
  readonly transmission?: Transmission;
}

interface Waiting {
  readonly topic: string;
  readonly sequence: number;
  readonly content: Uint8Array;
  readonly takenAt: number;
  /** The device's own name for the message (10.5). */
  readonly number: number;
}

const RETRY_FIRST_MS = 1000;
const RETRY_LAST_MS = 10_000;
const JSON_FORMAT = 50;
/** A notification is newer than the last when its number is ahead by less than half the range, or much time went by (RFC 7641, 3.4). */
const HALF_OF_OBSERVE = 2 ** 23;
const OBSERVE_AGE_MS = 128_000;

/** A CoAP device (clause 10): posts its readings confirmably, one at a time and in order, and observes a topic for commands. */
export class CoapDevice implements Device {
  readonly clock: Clock;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly #options: CoapDeviceOptions;
  readonly #endpoint: CoapEndpoint;
  readonly #observation: Uint8Array;
  /** Commands seen: one whose acknowledgement was lost may come again. */
  readonly #seen = new NumberSet();
  #outbox: Waiting[] = [];
  #posting = false;
  #running = false;
  #numbers = 0;
  #retry: Timer | undefined;
  #renew: Timer | undefined;
  #notified: { number: number; at: number } | undefined;

  constructor(options: CoapDeviceOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.random = options.random;
    this.ledger = new Ledger(options.name);
    this.#endpoint = new CoapEndpoint(
      options.clock,
      options.random.fork(),
      options.port,
      options.transmission ?? standardTransmission,
    );
    this.#observation = this.#endpoint.newToken();
  }

  get settled(): boolean {
    return this.#outbox.length === 0;
  }

  get retransmissions(): number {
    return this.#endpoint.retransmissions;
  }

  start(): void {
    this.#running = true;
    if (this.#options.observe !== undefined) this.#observe(this.#options.observe);
    for (const behaviour of this.#options.behaviours ?? []) behaviour.start(this);
    this.#post();
  }

  /** Power off; what waits is kept. The port stays the caller's. */
  stop(): void {
    this.#running = false;
    for (const behaviour of this.#options.behaviours ?? []) behaviour.stop();
    this.#retry?.cancel();
    this.#renew?.cancel();
    this.#endpoint.stop();
    this.#posting = false;
  }

  take(topic: string, content: (sequence: number) => Uint8Array, reliable = true): void {
    const sequence = this.ledger.make(topic);
    const reading = { topic, sequence, content: content(sequence), takenAt: this.clock.now() };
    if (!reliable) {
      if (this.#running)
        this.#endpoint.nonConfirmable(this.#publish({ ...reading, number: ++this.#numbers }));
      this.ledger.settle('bestEffort', topic, sequence);
    } else if (this.#outbox.length >= (this.#options.outboxReadings ?? 10_000)) {
      this.ledger.settle('overflowed', topic, sequence);
    } else {
      this.#outbox.push({ ...reading, number: ++this.#numbers });
      this.#post();
    }
  }

  #publish({ topic, content, takenAt, number }: Waiting): Request {
    const age = Math.max(0, Math.round(this.clock.now() - takenAt));
    const queries = [`t=${this.#options.token}`, `id=${number}`, ...(age > 0 ? [`age=${age}`] : [])];
    return { code: method.post, options: [...path(topic), ...queries.map(query)], payload: content };
  }

  /** Posts the oldest reading, again and again until the gateway has taken or refused it (10.1). */
  #post(wait = RETRY_FIRST_MS): void {
    const [oldest] = this.#outbox;
    if (!oldest || this.#posting || !this.#running) return;
    this.#posting = true;
    const again = (ms: number): void => {
      this.#retry = this.clock.after(ms, () => {
        this.#posting = false;
        this.#post(Math.min(RETRY_LAST_MS, wait * 2));
      });
    };
    this.#endpoint.confirmable(this.#endpoint.newToken(), this.#publish(oldest), false, {
      response: (message) => {
        const group = message.code >> 5;
        if (group === 5 || message.code === code(4, 29)) {
          this.ledger.count(`answer-${codeName(message.code)}`);
          const seconds = optionUint(message, option.maxAge) ?? 0;
          again(Math.min(RETRY_LAST_MS, Math.max(wait, seconds * 1000)));
          return;
        }
        this.#outbox.shift();
        if (group !== 2) this.ledger.count(`answer-${codeName(message.code)}`, true);
        this.ledger.settle(group === 2 ? 'acknowledged' : 'rejected', oldest.topic, oldest.sequence);
        this.#posting = false;
        this.#post();
      },
      failed: () => {
        this.ledger.count('no-answer');
        again(wait);
      },
    });
  }

  /** GET with Observe 0, and again with the same token before the gateway could have forgotten it (RFC 7641, 3). */
  #observe(topic: string): void {
    const { token, renewMs = 10_000 } = this.#options;
    const options = [{ number: option.observe, value: shortUint(0) }, ...path(topic), query(`t=${token}`)];
    const request = { code: method.get, options, payload: new Uint8Array() };
    const later = (): void => {
      this.#renew?.cancel();
      this.#renew = this.clock.after(renewMs, () => this.#observe(topic));
    };
    later();
    this.#endpoint.confirmable(this.#observation, request, true, {
      response: (message) => this.#notification(topic, message),
      failed: () => {
        this.ledger.count('observe-without-answer');
        later();
      },
    });
  }

  #notification(topic: string, message: CoapMessage): void {
    if (message.code !== code(2, 5)) {
      this.ledger.count(`observe-${codeName(message.code)}`, true);
      return;
    }
    if (!this.#isNewer(optionUint(message, option.observe))) {
      this.ledger.count('stale-notification');
      return;
    }
    const content = commandOf(message);
    // Registered, and nothing was commanded yet.
    if (content.length < 4) return;
    const number = toUint(content.subarray(0, 4));
    if (number > 0 && !this.#seen.add(number)) {
      this.ledger.count('repeated-command');
      return;
    }
    const hex = Buffer.from(content).toString('hex');
    this.ledger.command({ topic, content: hex, number, at: this.clock.wall() });
    for (const behaviour of this.#options.behaviours ?? []) behaviour.command?.({ topic, content });
  }

  #isNewer(number: number | undefined): boolean {
    if (number === undefined) return true;
    const last = this.#notified;
    const now = this.clock.now();
    const ahead = last && (number - last.number + 2 * HALF_OF_OBSERVE) % (2 * HALF_OF_OBSERVE);
    if (
      last &&
      ahead !== undefined &&
      now - last.at < OBSERVE_AGE_MS &&
      (ahead === 0 || ahead > HALF_OF_OBSERVE)
    )
      return false;
    this.#notified = { number, at: now };
    return true;
  }
}

/** The command's values concatenated: as they are, or from JSON by the profile's name (10.4). */
function commandOf(message: CoapMessage): Uint8Array {
  if (optionUint(message, option.contentFormat) !== JSON_FORMAT) return message.payload;
  try {
    const value = JSON.parse(Buffer.from(message.payload).toString()) as { command?: number };
    return uint(value.command ?? NaN, 4);
  } catch {
    // Neither JSON nor a whole number.
    return new Uint8Array();
  }
}

function path(topic: string): CoapOption[] {
  return topic.split('/').map((level) => ({ number: option.uriPath, value: utf8(level) }));
}

function query(item: string): CoapOption {
  return { number: option.uriQuery, value: utf8(item) };
}
