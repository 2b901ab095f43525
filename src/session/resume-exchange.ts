const MAX_TIMEOUT_MS = 10_000;

/**
 * Our side of a RESUME exchange (clause 6.5.2): who has no RESUME outstanding answers one, who has takes it as the answer and repeats his until then. Of two sides that repeated
 * theirs, each would answer the other's for ever; so one that comes soon after our own is not answered.
 */
export class ResumeExchange {
  #outstanding = false;
  #owed = false;
  #deadline: number | undefined;
  #doublings = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether a RESUME is to be sent now. */
  get owed(): boolean {
    return this.#owed;
  }

  /** When it is to be repeated. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  begin(): void {
    this.stop();
    this.#outstanding = true;
    this.#owed = true;
  }

  /** A RESUME of the peer was heard. */
  heard(now: number, timeoutMs: number): void {
    const answers = this.#outstanding || now < this.#lastAt + timeoutMs;
    this.stop();
    this.#owed = !answers;
  }

  /** One was put on the line, which was free `from` then; unless it was an answer it is repeated after `timeoutMs`, doubled by each repetition. */
  sent(from: number, timeoutMs: number): void {
    this.#owed = false;
    this.#lastAt = from;
    if (!this.#outstanding) return;
    this.#deadline = from + Math.min(MAX_TIMEOUT_MS, timeoutMs * 2 ** this.#doublings);
    if (this.#doublings < 16) this.#doublings += 1;
  }

  tick(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    this.#deadline = undefined;
    this.#owed = true;
  }

  stop(): void {
    this.#outstanding = false;
    this.#owed = false;
    this.#deadline = undefined;
    this.#doublings = 0;
  }
}
