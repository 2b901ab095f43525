import type { Peer } from '../peers/peer.ts';
import { Connection } from './connection.ts';

/** Clients that say hello at the same time: below what a broker takes as unfinished handshakes. */
const CONNECTING = 32;
const KEEP_ALIVE_MS = 20_000;

/** The clients of one broker, kept alive as long as they are open. */
export class Fleet {
  readonly #peer: Peer;
  readonly #connections: Connection[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #resumable: boolean;

  constructor(peer: Peer, options: { readonly resumable: boolean }) {
    this.#peer = peer;
    this.#resumable = options.resumable;
    this.#timer = setInterval(() => {
      for (const connection of this.#connections) connection.keepAlive();
    }, KEEP_ALIVE_MS);
  }

  /** Connects `count` more clients. */
  async connect(count: number): Promise<readonly Connection[]> {
    const first = this.#connections.length;
    while (this.#connections.length < first + count) {
      const batch = Math.min(CONNECTING, first + count - this.#connections.length);
      await Promise.all(Array.from({ length: batch }, () => this.#connect()));
    }
    return this.#connections.slice(first);
  }

  /** Fails when a connection was lost: what was measured counts for nothing then. */
  check(): void {
    for (const { failed } of this.#connections) {
      if (failed) throw new Error(`a client of ${this.#peer.name} lost its broker`, { cause: failed });
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.close();
  }

  async #connect(): Promise<void> {
    const connection = new Connection(this.#peer.protocol, this.#peer.port);
    this.#connections.push(connection);
    await connection.hello(`c${this.#connections.length}`, this.#resumable);
  }
}
