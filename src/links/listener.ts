import { createServer, type Server, type Socket } from 'node:net';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Accepted } from './accepted.ts';
import type { TlsServer } from './tls-server.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0: one that is free, see `address`. */
  readonly port: number;
  /** Connections are handed on once their TLS handshake is done. */
  readonly tls?: TlsServer | undefined;
  readonly log: Log;
}

/** Listens on one TCP address: what the sources of TCP, TLS and WebSocket links have in common. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #connections = new Tracked();
  /** What was handed on: with TLS it is not the connection itself. */
  readonly #streams: Tracked;
  #server: Server | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#streams = options.tls ? new Tracked() : this.#connections;
  }

  /** Where it listens; undefined before `open` and after `close`. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#server?.address();
    return address && typeof address === 'object' ? { host: address.address, port: address.port } : undefined;
  }

  /** Resolves when it listens. Rejects with HSK-2102 when the address can't be used, and with HSK-2104 when the certificate can't. */
  async open(onAccepted: (accepted: Accepted) => void): Promise<void> {
    const { host, port, tls, log } = this.#options;
    await tls?.open((accepted) => {
      this.#streams.add(accepted.socket);
      onAccepted(accepted);
    });
    const server = createServer((socket) => {
      this.#connections.add(socket);
      if (tls) tls.take(socket);
      else onAccepted({ socket, certificate: undefined });
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        tls?.close();
        reject(
          new HashikeError(
            'HSK-2102',
            `can't listen on ${host} port ${port}: ${error.message}`,
            { host, port },
            error,
          ),
        );
      });
      server.listen({ host, port }, () => {
        server.removeAllListeners('error');
        // Such as no file descriptor left for one more connection: those that are there go on.
        server.on('error', (error) => log.error({ err: error }, 'could not accept a connection'));
        resolve();
      });
    });
  }

  /** Stops listening, has `closeStreams` close what was handed on, and resolves when every connection is gone. */
  async close(closeStreams: () => void): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server?.listening) return;
    this.#options.tls?.close();
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    closeStreams();
    await Promise.all(this.#streams.all.map(gone));
    // Left are those whose TLS handshake is not finished.
    for (const connection of this.#connections.all) connection.destroy();
    await closed;
  }
}

/** The sockets that are open; one listener serves them all. */
class Tracked {
  readonly #sockets = new Set<Socket>();
  readonly #forget: (this: Socket) => void;

  constructor() {
    const sockets = this.#sockets;
    this.#forget = function forget() {
      sockets.delete(this);
    };
  }

  get all(): readonly Socket[] {
    return [...this.#sockets];
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', this.#forget);
  }
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}
