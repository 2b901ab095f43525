import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import { RateLimit } from './rate-limit.ts';

export interface TokenLimits {
  readonly connectionsPerToken?: number | undefined;
  readonly subscriptionsPerToken: number;
  readonly messagesPerSecond?: number | undefined;
  readonly messageBurst: number;
}

/** A client whose message could not be stored is told to come again after this. */
const STORE_RETRY_MS = 5000;

/** Why a client can have no session now. */
export interface Busy {
  readonly text: string;
  /** When it may come again; undefined: at the usual time. */
  readonly retryMs?: number | undefined;
}

/** What the clients of one token use between them. */
export class TokenAccount {
  /** Absent where the rate has no limit. */
  readonly rate: RateLimit | undefined;
  readonly #limits: TokenLimits;
  readonly #clock: Clock;
  #sessions = 0;
  #storedAgainAt = 0;
  #subscriptions = 0;

  constructor(limits: TokenLimits, clock: Clock) {
    const { messagesPerSecond, messageBurst } = limits;
    this.#limits = limits;
    this.#clock = clock;
    this.rate =
      messagesPerSecond === undefined
        ? undefined
        : new RateLimit({ clock, perSecond: messagesPerSecond, burst: messageBurst });
  }

  /** Why there can be no more sessions. */
  get full(): Busy | undefined {
    if (this.#sessions < (this.#limits.connectionsPerToken ?? Infinity)) return undefined;
    return { text: 'too many sessions of one token (limits.connectionsPerToken)' };
  }

  /** Why there can be no session at all, for the time being. */
  get unstorable(): Busy | undefined {
    const retryMs = this.#storedAgainAt - this.#clock.now();
    return retryMs > 0 ? { text: 'the disk takes no messages at the moment', retryMs } : undefined;
  }

  /** A message could not be stored: to come back at once would end the same way. */
  storeFailed(): void {
    this.#storedAgainAt = this.#clock.now() + STORE_RETRY_MS;
  }

  addSession(): void {
    this.#sessions += 1;
  }

  removeSession(): void {
    this.#sessions -= 1;
  }

  /** Throws HSK-3003 when `count` more subscriptions would be too many. */
  checkSubscriptions(count: number): void {
    const { subscriptionsPerToken } = this.#limits;
    if (this.#subscriptions + count <= subscriptionsPerToken) return;
    const text = `more than ${subscriptionsPerToken} subscriptions of one token (limits.subscriptionsPerToken)`;
    throw new HashikeError('HSK-3003', text, { limit: subscriptionsPerToken });
  }

  addSubscription(): void {
    this.#subscriptions += 1;
  }

  removeSubscription(): void {
    this.#subscriptions -= 1;
  }
}

/** The accounts of all tokens that were used. */
export class TokenAccounts {
  readonly #limits: TokenLimits;
  readonly #clock: Clock;
  readonly #accounts = new Map<string, TokenAccount>();

  constructor(limits: TokenLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** That of the token of a client. */
  of(clientId: string): TokenAccount {
    const token = tokenNameOf(clientId);
    let account = this.#accounts.get(token);
    if (!account) this.#accounts.set(token, (account = new TokenAccount(this.#limits, this.#clock)));
    return account;
  }
}

/** The client of the configuration that a CLIENT_ID belongs to (clause 5.3.4). */
export function tokenNameOf(clientId: string): string {
  const slash = clientId.indexOf('/');
  return slash < 0 ? clientId : clientId.slice(0, slash);
}
