/** Puts the peer's numbered messages in order and drops repetitions (5.1.3); keeps a few that came early (6.3.1). */
export class Receiver<M> {
  readonly #keep: number;
  readonly #early = new Map<number, M>();
  /** The last one in order. */
  received = 0;

  constructor(keep = 8) {
    this.#keep = keep;
  }

  restart(): void {
    this.received = 0;
    this.#early.clear();
  }

  /** What is in order with this message, to be processed now: none when it was a repetition or came early. */
  *accept(id: number, message: M): Generator<M> {
    if (id > this.received && id <= this.received + this.#keep) this.#early.set(id, message);
    for (let next = this.#early.get(this.received + 1); next !== undefined;) {
      this.#early.delete(++this.received);
      yield next;
      next = this.#early.get(this.received + 1);
    }
  }
}
