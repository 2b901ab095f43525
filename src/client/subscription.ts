import type { HashikeError } from '../base/errors.ts';
import type { Outgoing } from '../session/ports.ts';
import { MessageType } from '../wire/numbers.ts';

/** One delivery. */
export interface ClientMessage {
  readonly topic: string;
  /** Raw content sections, padded, in order: see `contentSections`. */
  readonly content: Uint8Array;
  readonly reliable: boolean;
  /** It was published before the subscription was made, and retained. */
  readonly retained: boolean;
  /** CLIENT_ID of the publisher, where the server says it. */
  readonly publisher: string | undefined;
  readonly responseTopic: string | undefined;
  readonly correlation: Uint8Array | undefined;
}

interface Waiting {
  readonly message: ClientMessage;
  /** To be called when the message was taken. */
  readonly taken: () => void;
}

type Result = IteratorResult<ClientMessage, undefined>;

/**
 * The deliveries of one subscription, for one reader. A reliable one counts as received when the reader asks for the next: so a slow reader holds the server
 * back. Best-effort ones are dropped while `limit` messages wait.
 */
export class ClientSubscription implements AsyncIterableIterator<ClientMessage, undefined> {
  readonly filter: string;
  /** What asks the server for it. */
  readonly request: Outgoing;
  readonly #limit: number;
  readonly #onEnd: () => void;
  readonly #queue: Waiting[] = [];
  #reader: { resolve(result: Result): void; reject(error: HashikeError): void } | undefined;
  #current: Waiting | undefined;
  #end: { readonly error: HashikeError | undefined } | undefined;

  /** @param options.onEnd is called once, when the reader is done with it. */
  constructor(options: {
    readonly filter: string;
    readonly reliable: boolean;
    readonly limit: number;
    readonly onEnd: () => void;
  }) {
    this.filter = options.filter;
    this.request = { type: MessageType.SUBSCRIBE, topics: [options.filter], bestEffort: !options.reliable };
    this.#limit = options.limit;
    this.#onEnd = options.onEnd;
  }

  /** Hands a delivery over; false when it was dropped. */
  push(message: ClientMessage, taken: () => void): boolean {
    if (this.#end || (!message.reliable && this.#queue.length >= this.#limit)) {
      taken();
      return false;
    }
    this.#queue.push({ message, taken });
    this.#serve();
    return true;
  }

  /** No more will come; what waits can still be read. With an error, the reader gets that after it. */
  finish(error: HashikeError | undefined): void {
    this.#end ??= { error };
    this.#serve();
  }

  /** One at a time. Rejects with HSK-31xx when the client was closed by an error. */
  next(): Promise<Result> {
    this.#current?.taken();
    this.#current = undefined;
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#serve();
    });
  }

  /** Ends the subscription. */
  return(): Promise<Result> {
    this.finish(undefined);
    this.#current?.taken();
    for (const { taken } of this.#queue.splice(0)) taken();
    this.#onEnd();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    const reader = this.#reader;
    if (!reader) return;
    const waiting = this.#queue.shift();
    if (!waiting && !this.#end) return;
    this.#reader = undefined;
    if (waiting) {
      this.#current = waiting;
      reader.resolve({ done: false, value: waiting.message });
    } else if (this.#end?.error) {
      reader.reject(this.#end.error);
    } else {
      reader.resolve({ done: true, value: undefined });
    }
  }
}
