const MAX_TIMEOUT_MS = 10_000;
const REPEATS_THAT_TELL_OF_LOSS = 2;

/**
 * When to send the oldest unacknowledged message again on a link that may lose frames (clause 6.3.2): after the retransmission timer, after an ACK
 * that repeats twice, and at each ACK that moves forward but does not cover all that was in flight when the loss was noticed.
 */
export class Recovery {
  #deadline: number | undefined;
  #doublings = 0;
  #repeats = 0;
  /** Last number in flight when the loss was noticed. */
  #until = 0;
  #resend = false;

  /** When `expire` is due. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Whether the oldest message is to be sent again now. */
  get resend(): boolean {
    return this.#resend;
  }

  /** Starts the timer anew: `timeoutMs`, doubled by each expiry so far, counted from `from`. */
  arm(from: number, timeoutMs: number): void {
    this.#deadline = from + Math.min(MAX_TIMEOUT_MS, timeoutMs * 2 ** this.#doublings);
  }

  /** Nothing is in flight any more. */
  rest(): void {
    this.#deadline = undefined;
    this.#resend = false;
  }

  /** The timer ran out with `last` as the last number in flight. */
  expire(last: number): void {
    this.#deadline = undefined;
    this.#repeats = 0;
    if (this.#doublings < 16) this.#doublings += 1;
    this.#noticed(last);
  }

  /** An ACK moved forward to `acknowledged`. */
  advanced(acknowledged: number): void {
    this.#doublings = 0;
    this.#repeats = 0;
    this.#resend = acknowledged < this.#until;
  }

  /** An ACK said nothing new while messages up to `last` are in flight. */
  repeated(last: number): void {
    this.#repeats += 1;
    if (this.#repeats === REPEATS_THAT_TELL_OF_LOSS) this.#noticed(last);
  }

  /** The oldest message was sent again. */
  resent(): void {
    this.#resend = false;
  }

  #noticed(last: number): void {
    this.#until = last;
    this.#resend = true;
  }
}
