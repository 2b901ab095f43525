import type { HashikeError } from '../base/errors.ts';

interface Waiting<T> {
  readonly item: T;
  /** To be called when the item was taken. */
  readonly taken: () => void;
}

type Result<T> = IteratorResult<T, undefined>;

/** Hands items to one reader, in order. An item counts as taken when the reader asks for the next: so a slow reader holds back whoever waits for that. */
export class Reader<T> implements AsyncIterableIterator<T, undefined> {
  readonly #onEnd: () => void;
  readonly #queue: Waiting<T>[] = [];
  #reader: { resolve(result: Result<T>): void; reject(error: HashikeError): void } | undefined;
  #current: Waiting<T> | undefined;
  #end: { readonly error: HashikeError | undefined } | undefined;

  /** @param onEnd is called once, when the reader is done with it. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** Items that wait for the reader. */
  protected get waiting(): number {
    return this.#queue.length;
  }

  /** Hands an item over; false when it came too late. */
  push(item: T, taken: () => void): boolean {
    if (this.#end) {
      taken();
      return false;
    }
    this.#queue.push({ item, taken });
    this.#serve();
    return true;
  }

  /** No more will come; what waits can still be read. With an error, the reader gets that after it. */
  finish(error: HashikeError | undefined): void {
    this.#end ??= { error };
    this.#serve();
  }

  /** One at a time. Rejects with HSK-31xx when the client was closed by an error. */
  next(): Promise<Result<T>> {
    this.#current?.taken();
    this.#current = undefined;
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#serve();
    });
  }

  /** Ends it: nothing more is wanted. */
  return(): Promise<Result<T>> {
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
      reader.resolve({ done: false, value: waiting.item });
    } else if (this.#end?.error) {
      reader.reject(this.#end.error);
    } else {
      reader.resolve({ done: true, value: undefined });
    }
  }
}
