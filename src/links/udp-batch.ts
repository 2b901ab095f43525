import { concat } from '../base/bytes.ts';

/** Puts the messages of one turn of the event loop into as few datagrams as they fit (clause 8.1.3). */
export class UdpBatch {
  readonly #capacity: number;
  readonly #send: (payload: Uint8Array) => void;
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;

  /** @param capacity bytes of payload in one datagram. */
  constructor(capacity: number, send: (payload: Uint8Array) => void) {
    this.#capacity = capacity;
    this.#send = send;
  }

  /** Takes a message up; false when no datagram can hold it. */
  add(message: Uint8Array): boolean {
    if (message.length > this.#capacity) return false;
    if (this.#bytes + message.length > this.#capacity) this.flush();
    this.#messages.push(message);
    this.#bytes += message.length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
    return true;
  }

  /** Sends what waits. */
  flush(): void {
    const messages = this.#messages;
    if (messages.length === 0) return;
    this.#messages = [];
    this.#bytes = 0;
    this.#send(concat(messages));
  }

  /** Leaves out what waits. */
  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
