import { Fifo } from '../base/fifo.ts';
import { HashikeError } from '../base/errors.ts';
import type { Outgoing } from '../session/ports.ts';

/** A numbered message that waits for its ACK, or after that for CONFIRMED. */
export interface Pending {
  readonly messageId: number;
  readonly message: Outgoing;
  /** It is done with CONFIRMED, not with the ACK. */
  readonly confirmed?: boolean | undefined;
  readonly resolve: () => void;
  readonly reject: (error: HashikeError) => void;
}

/** What was sent reliably and is not acknowledged, or not confirmed, in the order of its numbers. */
export class PendingMessages {
  #waiting = new Fifo<Pending>();
  /** Acknowledged. */
  readonly #unconfirmed = new Fifo<Pending>();
  #confirmedUpTo = 0;
  readonly #rejected = new Map<number, HashikeError>();

  /** How many are acknowledged and not confirmed. */
  get unconfirmed(): number {
    return this.#unconfirmed.length;
  }

  add(pending: Pending): void {
    this.#waiting.push(pending);
  }

  /** REJECTED: the ACK that covers it follows. */
  reject(messageId: number, error: HashikeError): void {
    const oldest = this.#waiting.at(0);
    if (oldest && messageId >= oldest.messageId) this.#rejected.set(messageId, error);
  }

  /** Everything up to `messageId` has arrived. */
  acknowledge(messageId: number): void {
    for (let next = this.#waiting.at(0); next && next.messageId <= messageId; next = this.#waiting.at(0)) {
      this.#waiting.shift();
      const error = this.#rejected.get(next.messageId);
      this.#rejected.delete(next.messageId);
      if (error) next.reject(error);
      else if (next.confirmed && next.messageId > this.#confirmedUpTo) this.#unconfirmed.push(next);
      else next.resolve();
    }
  }

  /** The upstream has taken everything up to `messageId`. */
  confirm(messageId: number): void {
    this.#confirmedUpTo = Math.max(this.#confirmedUpTo, messageId);
    const waiting = this.#unconfirmed;
    for (let next = waiting.at(0); next && next.messageId <= messageId; next = waiting.at(0)) {
      waiting.shift();
      next.resolve();
    }
  }

  /** The session is over: empties it, and gives what was not acknowledged. What was, and not confirmed, never will be. */
  take(): readonly Pending[] {
    const all: Pending[] = [];
    for (let next = this.#unconfirmed.shift(); next; next = this.#unconfirmed.shift()) {
      next.reject(new HashikeError('HSK-3109', 'the session ended before the message was confirmed'));
    }
    this.#confirmedUpTo = 0;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) all.push(next);
    this.#rejected.clear();
    return all;
  }
}
