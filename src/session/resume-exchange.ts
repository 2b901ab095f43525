const MAX_TIMEOUT_MS = 10_000;

/**
 * Our side of a RESUME exchange (clause 6.5.2): we ask, again and again until a RESUME of the peer is heard, and answer the peer that asks. Either says where its sender stands, so where both
 * ask the question of the one is enough of an answer for the other.
 */
export class ResumeExchange {
  #outstanding = false;
  #owed = false;
  #deadline: number | undefined;
  #doublings = 0;

  /** Whether a RESUME is to be sent now. */
  get owed(): boolean {
    return this.#owed;
  }

  /** Whether we asked and have heard nothing yet. */
  get outstanding(): boolean {
    return this.#outstanding;
  }

  /** When the question is to be repeated. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  begin(): void {
    this.stop();
    this.#outstanding = true;
    this.#owed = true;
  }

  /** A RESUME of the peer was heard. */
  heard(answer: boolean): void {
    this.stop();
    this.#owed = !answer;
  }

  /** What is owed was put on the line, which was free `from` then; a question is repeated after `timeoutMs`, doubled by each repetition. Gives whether it is an answer. */
  sent(from: number, timeoutMs: number): boolean {
    this.#owed = false;
    if (!this.#outstanding) return true;
    this.#deadline = from + Math.min(MAX_TIMEOUT_MS, timeoutMs * 2 ** this.#doublings);
    if (this.#doublings < 16) this.#doublings += 1;
    return false;
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
