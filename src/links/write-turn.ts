/** What is flushed at the end of a turn. */
export interface Flushable {
  flush(): void;
}

/** The end of a turn of the event loop, when everything that came in it was worked off: then each connection writes once. */
export class WriteTurn {
  #waiting: Flushable[] = [];

  /** Flushes `link` at the end of this turn. */
  atEnd(link: Flushable): void {
    this.#waiting.push(link);
    if (this.#waiting.length === 1) setImmediate(() => this.#end());
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const link of waiting) link.flush();
  }
}
