/** Silence of the peer counts after this many intervals (clause 5.6.1). */
const PATIENCE = 1.5;

/** When to send a PING and when the peer has been silent for too long (clause 5.6.1). An interval of 0 is none at all. */
export class KeepAlive {
  readonly #intervalMs: number;
  #pingEveryMs = 0;
  #sentAt = 0;
  #heardAt = 0;
  #silent = false;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** A link was taken up. Where frames get lost a PING has a second chance before the peer's patience ends. */
  attach(now: number, reliable: boolean): void {
    this.#pingEveryMs = reliable ? this.#intervalMs : this.#intervalMs / 2;
    this.#sentAt = now;
    this.#heardAt = now;
  }

  /** Something was sent. */
  sent(now: number): void {
    this.#sentAt = now;
  }

  /** Something was heard. True when it ends a silence. */
  heard(now: number): boolean {
    this.#heardAt = now;
    const wasSilent = this.#silent;
    this.#silent = false;
    return wasSilent;
  }

  /** When a PING is due, if nothing is sent before. */
  get pingAt(): number | undefined {
    return this.#intervalMs === 0 ? undefined : this.#sentAt + this.#pingEveryMs;
  }

  /** When the silence will have lasted too long; undefined once it was noticed. */
  get silentAt(): number | undefined {
    return this.#intervalMs === 0 || this.#silent ? undefined : this.#heardAt + PATIENCE * this.#intervalMs;
  }

  /** True once for each silence that has lasted too long. */
  fallsSilent(now: number): boolean {
    const at = this.silentAt;
    if (at === undefined || now < at) return false;
    this.#silent = true;
    return true;
  }
}
