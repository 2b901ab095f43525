/**
 * The peer's numbered messages: what comes next, what came early, what is settled (clauses 5.1.3 and 6.3.1). Both what is kept early and what waits to be settled
 * is bounded.
 */
export class Inbound<T> {
  readonly #maxEarly: number;
  /** What came early; undefined while nothing has. */
  #early: Map<number, T> | undefined;
  /** Settled before an older one was; undefined while none is. */
  #settledEarly: Set<number> | undefined;
  #received: number;
  #settled: number;

  constructor(options: { readonly received: number; readonly reorderMessages: number }) {
    this.#maxEarly = options.reorderMessages;
    this.#received = options.received;
    this.#settled = options.received;
  }

  /** Last number received in order. */
  get received(): number {
    return this.#received;
  }

  /** Last number up to which everything is settled. */
  get settled(): number {
    return this.#settled;
  }

  /** Messages between the two. */
  get unsettled(): number {
    return this.#received - this.#settled;
  }

  /** Counts the next message as received and gives its number. */
  advance(): number {
    this.#received += 1;
    return this.#received;
  }

  /** Counts `messageId` as received and settled, where it comes next and nothing older waits. */
  advanceSettled(messageId: number): boolean {
    if (this.#settled !== this.#received || messageId !== this.#received + 1) return false;
    this.#received = messageId;
    this.#settled = messageId;
    return true;
  }

  /** Keeps a message that came early. False when there is no room. */
  keep(messageId: number, message: T): boolean {
    const early = this.#early ?? new Map<number, T>();
    if (early.size >= this.#maxEarly && !early.has(messageId)) return false;
    this.#early = early.set(messageId, message);
    return true;
  }

  /** Takes out the next message where it came early; the caller counts it with `advance`. */
  takeNext(): T | undefined {
    const message = this.#early?.get(this.#received + 1);
    if (message !== undefined) this.#early?.delete(this.#received + 1);
    if (this.#early?.size === 0) this.#early = undefined;
    return message;
  }

  /** Forgets what came early: the peer sends it again. */
  forgetEarly(): void {
    this.#early = undefined;
  }

  /** Notes that `messageId` is settled, in any order, repetitions allowed. True when `settled` moved. */
  settle(messageId: number): boolean {
    if (messageId <= this.#settled || messageId > this.#received) return false;
    if (messageId !== this.#settled + 1) {
      this.#settledEarly ??= new Set();
      this.#settledEarly.add(messageId);
      return false;
    }
    this.#settled = messageId;
    while (this.#settledEarly?.delete(this.#settled + 1)) this.#settled += 1;
    if (this.#settledEarly?.size === 0) this.#settledEarly = undefined;
    return true;
  }
}
