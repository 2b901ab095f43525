import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import type { Delivery, Subscriber, Subscription } from '../broker/ports.ts';
import type { CoapConfig } from '../config/schema.ts';
import type { CoapAnswer, Notifier } from './coap-request.ts';

/** Why an observation ended. */
type Ending = 'cancelled' | 'replaced' | 'evicted' | 'reset' | 'unacknowledged' | 'unsendable' | 'closed';

export interface ObserverOptions {
  readonly config: Pick<CoapConfig, 'ackTimeoutMs' | 'observers' | 'observerQueue' | 'observerCheckMs'>;
  readonly clock: Clock;
  readonly counters: Counters;
}

/**
 * One observation (RFC 7641): notifications go one at a time. A reliable one is confirmable and waits its turn; of the best-effort
 * ones only the newest waits, for at least `ackTimeoutMs` after the one before, because nothing else tells the pace of the network.
 */
export class Observer implements Subscriber {
  readonly clientId: string;
  readonly peer: string;
  readonly #options: ObserverOptions;
  readonly #render: (delivery: Delivery) => CoapAnswer | undefined;
  readonly #onEnd: (why: Ending) => void;
  #notifier: Notifier | undefined;
  #subscription: Subscription | undefined;
  readonly #waiting: Delivery[] = [];
  #inFlight: { readonly messageId: number; readonly reliable: boolean } | undefined;
  /** Of the last notification, while it is not known to be answered. */
  #lastMessageId: number | undefined;
  #pause: Timer | undefined;
  #heardAt: number;
  #ended = false;

  constructor(
    options: ObserverOptions,
    observation: {
      readonly clientId: string;
      readonly peer: string;
      /** The answer for a delivery; undefined (and counted) where there is none. */
      readonly render: (delivery: Delivery) => CoapAnswer | undefined;
      readonly onEnd: (why: Ending) => void;
    },
  ) {
    this.clientId = observation.clientId;
    this.peer = observation.peer;
    this.#options = options;
    this.#render = observation.render;
    this.#onEnd = observation.onEnd;
    this.#heardAt = options.clock.now();
  }

  /** Milliseconds of the clock when the device last answered. */
  get heardAt(): number {
    return this.#heardAt;
  }

  start(notifier: Notifier, subscription: Subscription): void {
    this.#notifier = notifier;
    this.#subscription = subscription;
    this.#pump();
  }

  deliver(delivery: Delivery): void {
    if (this.#ended) return;
    const { counters, config } = this.#options;
    if (delivery.reliable) {
      const queued = this.#waiting.filter(({ reliable }) => reliable).length;
      if (queued >= config.observerQueue) {
        counters.drops('coap', 'observer-queue-full').add();
        return;
      }
    } else {
      const older = this.#waiting.findIndex(({ reliable }) => !reliable);
      if (older >= 0) {
        this.#waiting.splice(older, 1);
        counters.drops('coap', 'conflated').add();
      }
    }
    this.#waiting.push(delivery);
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
    if (this.#inFlight?.messageId === messageId) {
      this.#inFlight = undefined;
      this.#pump();
    }
    return true;
  }

  end(why: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pause?.cancel();
    this.#subscription?.cancel();
    this.#notifier?.end();
    const lost = this.#waiting.filter(({ reliable }) => reliable).length + (this.#inFlight?.reliable ? 1 : 0);
    this.#waiting.length = 0;
    if (lost > 0) this.#options.counters.drops('coap', 'observer-gone').add(lost);
    this.#onEnd(why);
  }

  #pump(): void {
    const { clock, config } = this.#options;
    while (this.#notifier && !this.#ended && !this.#inFlight) {
      const next = this.#waiting.findIndex(({ reliable }) => reliable || !this.#pause);
      const delivery = this.#waiting[next];
      if (!delivery) return;
      this.#waiting.splice(next, 1);
      const answer = this.#render(delivery);
      if (!answer) continue;
      const confirmable = delivery.reliable || clock.now() - this.#heardAt >= config.observerCheckMs;
      const messageId = this.#notifier.notify(answer, confirmable);
      if (messageId === undefined) return this.end('unsendable');
      this.#lastMessageId = messageId;
      if (confirmable) this.#inFlight = { messageId, reliable: delivery.reliable };
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
