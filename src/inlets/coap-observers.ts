import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import type { Delivery, Subscriber } from '../broker/ports.ts';
import type { CoapConfig } from '../config/schema.ts';
import type { Publication } from '../wire/publication.ts';
import { nextNumber, numberBefore } from './coap-observe-number.ts';
import type { CoapAnswer, Notifier } from './coap-request.ts';
import type { CommandTaker, Outcome } from './command-feed.ts';

/** Why an observation ended. */
type Ending =
  | 'cancelled'
  | 'replaced'
  | 'evicted'
  | 'reset'
  | 'unacknowledged'
  | 'unsendable'
  | 'unauthorized'
  | 'closed';

export interface ObserverOptions {
  readonly config: Pick<CoapConfig, 'ackTimeoutMs' | 'observers' | 'observerQueue' | 'observerCheckMs'>;
  readonly clock: Clock;
  readonly counters: Counters;
}

/** Makes the answer for a delivery; undefined (and counted) where there is none. */
export type Render = (delivery: Delivery) => CoapAnswer | undefined;

/** What the newest registration of a device brought. */
export interface Registration {
  readonly notifier: Notifier;
  readonly render: Render;
  /** The refusal that is due, once the token of the registration is good no more. */
  readonly refusal: () => CoapAnswer | undefined;
}

interface Waiting {
  readonly delivery: Delivery;
  /** Where it came from the client's queue on disk: to be told what became of it. */
  readonly settle?: (outcome: Outcome) => void;
}

interface InFlight {
  readonly messageId: number;
  readonly waiting: Waiting;
  /** A registration that came later has another one. */
  readonly notifier: Notifier;
}

/**
 * One observation (RFC 7641): notifications go one at a time. A reliable one is confirmable and waits its turn; of the best-effort
 * ones only the newest waits, for at least `ackTimeoutMs` after the one before, because nothing else tells the pace of the network.
 */
export class Observer implements Subscriber, CommandTaker {
  readonly clientId: string;
  readonly peer: string;
  readonly topic: string;
  readonly queue: string | undefined;
  readonly #options: ObserverOptions;
  readonly #onEnd: (why: Ending) => void;
  #registration: Registration | undefined;
  #release: (() => void) | undefined;
  readonly #waiting: Waiting[] = [];
  #inFlight: InFlight | undefined;
  /** Of the last notification, while it is not known to be answered. */
  #lastMessageId: number | undefined;
  /** Of the last notification. */
  #number: number | undefined;
  #pause: Timer | undefined;
  #heardAt: number;
  #ended = false;

  constructor(
    options: ObserverOptions,
    observation: Pick<Observer, 'clientId' | 'peer' | 'topic' | 'queue'> & {
      readonly onEnd: (why: Ending) => void;
    },
  ) {
    this.clientId = observation.clientId;
    this.peer = observation.peer;
    this.topic = observation.topic;
    this.queue = observation.queue;
    this.#options = options;
    this.#onEnd = observation.onEnd;
    this.#heardAt = options.clock.now();
  }

  /** Milliseconds of the clock when the device was last heard. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Serves it. `release` is called when it ends. */
  start(release: () => void): void {
    this.#release = release;
  }

  /** The number for the answer to a registration, the first one or a later one. */
  answerNumber(): number {
    // What is still on its way would seem older than the answer, and a device would acknowledge it and let it go.
    if (this.#inFlight && this.#number !== undefined) return numberBefore(this.#number);
    return this.#nextNumber();
  }

  /** The device has registered, for the first time or again; what is on its way to it may still be acknowledged. */
  register(registration: Registration): void {
    const before = this.#registration?.notifier;
    if (before !== this.#inFlight?.notifier) before?.end();
    this.#registration = registration;
    this.#heardAt = this.#options.clock.now();
    this.#pump();
  }

  command(publication: Publication): Promise<Outcome> {
    if (this.#ended) return Promise.resolve('gone');
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.push({ delivery: { publication, reliable: true }, settle: resolve });
    this.#pump();
    return promise;
  }

  deliver(delivery: Delivery): void {
    if (this.#ended) return;
    const { counters, config } = this.#options;
    if (delivery.reliable) {
      if (this.#unqueued >= config.observerQueue) {
        counters.drops('coap', 'observer-queue-full').add();
        return;
      }
    } else {
      const older = this.#waiting.findIndex((waiting) => !waiting.delivery.reliable);
      if (older >= 0) {
        this.#waiting.splice(older, 1);
        counters.drops('coap', 'conflated').add();
      }
    }
    this.#waiting.push({ delivery });
    this.#pump();
  }

  /** The device answered the message of that number; false when it is none of this observation. */
  answered(messageId: number, reset: boolean): boolean {
    if (messageId !== this.#lastMessageId) return false;
    this.#heardAt = this.#options.clock.now();
    if (reset) {
      this.end('reset');
      return true;
    }
    const sent = this.#inFlight;
    if (sent?.messageId === messageId) {
      this.#inFlight = undefined;
      if (sent.notifier !== this.#registration?.notifier) sent.notifier.end();
      sent.waiting.settle?.('acknowledged');
      this.#pump();
    }
    return true;
  }

  /** Ends it, and tells the device so, where its token is good no more (clause 10.3). */
  endIfRefused(): void {
    const refusal = this.#registration?.refusal();
    if (!refusal || this.#ended) return;
    this.#registration?.notifier.refuse(refusal);
    this.end('unauthorized');
  }

  end(why: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pause?.cancel();
    this.#release?.();
    this.#registration?.notifier.end();
    this.#inFlight?.notifier.end();
    const lost = this.#unqueued + (this.#inFlight && isUnqueued(this.#inFlight.waiting) ? 1 : 0);
    if (lost > 0) this.#options.counters.drops('coap', 'observer-gone').add(lost);
    this.#inFlight?.waiting.settle?.('gone');
    for (const { settle } of this.#waiting.splice(0)) settle?.('gone');
    this.#onEnd(why);
  }

  /** Reliable ones that wait here and nowhere else. */
  get #unqueued(): number {
    return this.#waiting.filter(isUnqueued).length;
  }

  #nextNumber(): number {
    this.#number = nextNumber(this.#number, this.#options.clock.wall());
    return this.#number;
  }

  #pump(): void {
    const { clock, config } = this.#options;
    while (this.#registration && !this.#ended && !this.#inFlight) {
      const next = this.#waiting.findIndex(({ delivery }) => delivery.reliable || !this.#pause);
      const waiting = this.#waiting[next];
      if (!waiting) return;
      this.endIfRefused();
      if (this.#ended) return;
      const { notifier, render } = this.#registration;
      this.#waiting.splice(next, 1);
      const { delivery, settle } = waiting;
      const answer = render(delivery);
      if (!answer) {
        settle?.('undeliverable');
        continue;
      }
      const confirmable = delivery.reliable || clock.now() - this.#heardAt >= config.observerCheckMs;
      const messageId = notifier.notify(answer, this.#nextNumber(), confirmable);
      if (messageId === undefined) {
        this.#waiting.unshift(waiting);
        return this.end('unsendable');
      }
      this.#lastMessageId = messageId;
      if (confirmable) this.#inFlight = { messageId, waiting, notifier };
      else this.#rest();
    }
  }

  #rest(): void {
    const { clock, config } = this.#options;
    this.#pause = clock.after(config.ackTimeoutMs, () => {
      this.#pause = undefined;
      this.#pump();
    });
  }
}

function isUnqueued({ delivery, settle }: Waiting): boolean {
  return delivery.reliable && !settle;
}

/** Every observation, by peer and token. */
export class Observers {
  readonly #options: ObserverOptions;
  readonly #byKey = new Map<string, Observer>();

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** The observation with that key, where it is of that client and topic. */
  find(key: string, clientId: string, topic: string): Observer | undefined {
    const found = this.#byKey.get(key);
    return found?.clientId === clientId && found.topic === topic ? found : undefined;
  }

  /** Makes room for, and remembers, the observation that `make` makes; one with the same key is replaced. */
  add(key: string, make: (onEnd: (why: Ending) => void) => Observer): Observer {
    this.#byKey.get(key)?.end('replaced');
    if (this.#byKey.size >= this.#options.config.observers) this.#longestUnheard()?.end('evicted');
    const observer = make((why) => {
      this.#byKey.delete(key);
      this.#options.counters.counter('coap_observations_ended', { why }).add();
    });
    this.#byKey.set(key, observer);
    return observer;
  }

  /** The client does not want any more (RFC 7641, section 3.6). */
  cancel(key: string): void {
    this.#byKey.get(key)?.end('cancelled');
  }

  /** A device acknowledged or refused a message. */
  answered(peer: string, messageId: number, reset: boolean): void {
    for (const observer of this.#byKey.values()) {
      if (observer.peer === peer && observer.answered(messageId, reset)) return;
    }
  }

  /** Ends those whose tokens are good no more. */
  endRefused(): void {
    for (const observer of this.#byKey.values()) observer.endIfRefused();
  }

  close(): void {
    for (const observer of this.#byKey.values()) observer.end('closed');
  }

  #longestUnheard(): Observer | undefined {
    let oldest: Observer | undefined;
    for (const observer of this.#byKey.values()) {
      if (!oldest || observer.heardAt < oldest.heardAt) oldest = observer;
    }
    return oldest;
  }
}
