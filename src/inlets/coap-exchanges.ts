import type { Clock } from '../base/clock.ts';

/** A request and what became of it. */
export interface Exchange {
  readonly confirmable: boolean;
  /** Milliseconds of the clock. */
  readonly openedAt: number;
  /** It was acknowledged with an empty message; the answer comes, or came, in one of its own. */
  acknowledged: boolean;
  /** The answer, where it went in the acknowledgement or was not confirmable. */
  reply: Uint8Array | undefined;
  settled: boolean;
}

/**
 * Requests by sender and Message ID, so that a repetition is told from a new one (RFC 7252, section 4.5). Remembers `capacity` of them
 * for `lifetimeMs`; the oldest go first.
 */
export class Exchanges {
  readonly #capacity: number;
  readonly #lifetimeMs: number;
  readonly #clock: Clock;
  /** In order of time. */
  readonly #byKey = new Map<string, Exchange>();
  #pending = 0;

  constructor(options: { readonly capacity: number; readonly lifetimeMs: number; readonly clock: Clock }) {
    this.#capacity = options.capacity;
    this.#lifetimeMs = options.lifetimeMs;
    this.#clock = options.clock;
  }

  /** Requests that have no answer yet. */
  get pending(): number {
    return this.#pending;
  }

  find(peer: string, messageId: number): Exchange | undefined {
    const exchange = this.#byKey.get(`${peer} ${messageId}`);
    return exchange && this.#clock.now() - exchange.openedAt < this.#lifetimeMs ? exchange : undefined;
  }

  open(peer: string, messageId: number, confirmable: boolean): Exchange {
    const now = this.#clock.now();
    for (const [key, { openedAt }] of this.#byKey) {
      if (this.#byKey.size < this.#capacity && now - openedAt < this.#lifetimeMs) break;
      this.#byKey.delete(key);
    }
    const key = `${peer} ${messageId}`;
    this.#byKey.delete(key);
    const exchange: Exchange = {
      confirmable,
      openedAt: now,
      acknowledged: false,
      reply: undefined,
      settled: false,
    };
    this.#byKey.set(key, exchange);
    this.#pending += 1;
    return exchange;
  }

  /** To be called with the answer. */
  settle(exchange: Exchange): void {
    if (exchange.settled) return;
    exchange.settled = true;
    this.#pending -= 1;
  }
}
