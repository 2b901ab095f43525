/** Publications that devices number themselves (clause 10.5): each is done once, as long as its number is remembered. */
export class NumberedRequests {
  readonly #capacity: number;
  /** In order of their first coming. */
  readonly #done = new Map<string, Promise<void>>();

  /** @param capacity numbers to remember, of all clients together; the oldest go first. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Runs `action` unless this client's number was run before, and settles as that one did or does. A failure is not remembered. */
  once(clientId: string, id: number, action: () => Promise<void>): Promise<void> {
    const key = `${clientId} ${id}`;
    const known = this.#done.get(key);
    if (known) return known;
    const [oldest] = this.#done.keys();
    if (this.#done.size >= this.#capacity && oldest !== undefined) this.#done.delete(oldest);
    const running = action().catch((error: unknown) => {
      this.#done.delete(key);
      throw error;
    });
    this.#done.set(key, running);
    return running;
  }
}
