/** Connections in a row that end with the same message alone in flight and unanswered. */
const MAX_STRIKES = 10;

/** What was in flight when a connection ended. */
export interface LastFlight {
  /** Seqs of the messages without an answer, in order. */
  readonly unanswered: readonly number[];
  /** Whether the first of them is the first that is not settled. */
  readonly inFront: boolean;
  /** Answers of the whole connection. */
  readonly answers: number;
  /** The upstream said that a message was at fault. */
  readonly blamed: boolean;
}

/**
 * Finds the message that ends connections: an upstream may close on what it does not like, without a word, and the same message would come first on
 * the next connection, for ever. When a connection ends without one answer, or with blame, the messages that were in flight go one by one on
 * the next ones, until the culprit is alone.
 */
export class Suspicion {
  #oneByOne = 0;
  #suspect: { readonly seq: number; strikes: number } | undefined;

  /** Whether only one message may be in flight. */
  get active(): boolean {
    return this.#oneByOne > 0;
  }

  /** A message was answered, whatever the answer: that one ends no connection. */
  clear(seq: number): void {
    this.#oneByOne = Math.max(0, this.#oneByOne - 1);
    if (this.#suspect?.seq === seq) this.#suspect = undefined;
  }

  /** A connection ended. True when the first unanswered message is convicted: blamed while alone, or alone too often. */
  judge({ unanswered, inFront, answers, blamed }: LastFlight): boolean {
    const [seq] = unanswered;
    if (seq === undefined || (answers > 0 && !blamed)) return false;
    this.#oneByOne = unanswered.length;
    if (unanswered.length > 1 || !inFront) return false;
    if (this.#suspect?.seq !== seq) this.#suspect = { seq, strikes: 0 };
    this.#suspect.strikes += 1;
    return blamed || this.#suspect.strikes >= MAX_STRIKES;
  }
}
