import { Fifo } from '../base/fifo.ts';
import type { HashikeError } from '../base/errors.ts';
import type { Outgoing } from '../session/ports.ts';

/** A numbered message that waits for its ACK. */
export interface Pending {
  readonly messageId: number;
  readonly message: Outgoing;
  readonly resolve: () => void;
  readonly reject: (error: HashikeError) => void;
}

/** What was sent reliably and is not acknowledged, in the order of its numbers. */
export class PendingMessages {
  #waiting = new Fifo<Pending>();
  readonly #rejected = new Map<number, HashikeError>();

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
      else next.resolve();
    }
  }

  /** Empties it, and gives what waited. */
  take(): readonly Pending[] {
    const all: Pending[] = [];
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) all.push(next);
    this.#rejected.clear();
    return all;
  }
}
