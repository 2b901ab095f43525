/** What is flushed at the end of a turn. */
export interface Flushable {
  flush(): void;
}

/**
 * When the connections of a source write. Where several are heard in one turn of the event loop, at its end, when everything that came was worked off: then each writes once. Where the last turn had one
 * read that made something to write, so has this one most likely, and what its read made is written as soon as that is worked off: a message that comes alone is not kept waiting.
 */
export class WriteTurn {
  #waiting: Flushable[] = [];
  /** Whether the end of this turn will be heard of. */
  #awaited = false;
  /** Reads of this turn, from the first on that made something to write. */
  #reads = 0;
  /** Whether the last turn had one. */
  #single = true;

  /** Flushes `link` at the end of this turn, or of this read. */
  atEnd(link: Flushable): void {
    this.#waiting.push(link);
    if (this.#awaited) return;
    this.#awaited = true;
    setImmediate(() => this.#end());
  }

  /** What was read from a connection is worked off. */
  afterRead(): void {
    if (!this.#awaited) return;
    this.#reads += 1;
    if (this.#single && this.#reads === 1) this.#flush();
  }

  #end(): void {
    this.#awaited = false;
    this.#single = this.#reads <= 1;
    this.#reads = 0;
    this.#flush();
  }

  #flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const link of waiting) link.flush();
  }
}
