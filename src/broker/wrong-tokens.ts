import type { Clock } from '../base/clock.ts';
import type { Link } from '../links/link.ts';

export interface WrongTokenLimits {
  readonly wrongTokenDelayMs: number;
  readonly wrongTokenMaxDelayMs: number;
  readonly wrongTokenMemoryMs: number;
  readonly wrongTokensAtOnce: number;
  readonly wrongTokenAddresses: number;
}

interface Culprit {
  count: number;
  /** Answers that are delayed at the moment. */
  waiting: number;
  lastAt: number;
}

/** Who came with wrong tokens: each one from an address delays the next answer twice as long (clause 5.3.5). A right token is never delayed. */
export class WrongTokens {
  readonly #limits: WrongTokenLimits;
  readonly #clock: Clock;
  /** By address; the one that was heard of last stands last. */
  readonly #culprits = new Map<string, Culprit>();

  constructor(limits: WrongTokenLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Notes a wrong token: milliseconds after which it is to be answered; undefined when too many answers wait already. Each that waits ends with `answered`. */
  note(address: string): number | undefined {
    const { wrongTokenDelayMs, wrongTokenMaxDelayMs, wrongTokenMemoryMs, wrongTokensAtOnce } = this.#limits;
    const now = this.#clock.now();
    let culprit = this.#culprits.get(address);
    if (!culprit || now - culprit.lastAt > wrongTokenMemoryMs) {
      culprit = { count: 0, waiting: culprit?.waiting ?? 0, lastAt: now };
    }
    culprit.lastAt = now;
    culprit.count += 1;
    this.#remember(address, culprit);
    if (culprit.waiting >= wrongTokensAtOnce) return undefined;
    culprit.waiting += 1;
    return Math.min(wrongTokenMaxDelayMs, wrongTokenDelayMs * 2 ** (culprit.count - 1));
  }

  answered(address: string): void {
    const culprit = this.#culprits.get(address);
    if (culprit) culprit.waiting -= 1;
  }

  #remember(address: string, culprit: Culprit): void {
    this.#culprits.delete(address);
    this.#culprits.set(address, culprit);
    const [oldest] = this.#culprits.keys();
    if (this.#culprits.size > this.#limits.wrongTokenAddresses && oldest !== undefined) {
      this.#culprits.delete(oldest);
    }
  }
}

/** The address of a peer without its port; for a wire, its place. */
export function addressOf({ remoteAddress, peer, capabilities }: Link): string {
  return remoteAddress ?? capabilities.place ?? peer.replace(/:\d+$/, '');
}
