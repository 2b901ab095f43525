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
  readonly #connections = new Set<Socket>();
  readonly #streams = new Set<Socket>();
  #server: Server | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Where it listens; undefined before `open` and after `close`. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#server?.address();
    return address && typeof address === 'object' ? { host: address.address, port: address.port } : undefined;
  }

  /** Resolves when it listens. Rejects with HSK-2102 when the address can't be used, and with HSK-2104 when the certificate can't. */
  async open(onAccepted: (accepted: Accepted) => void): Promise<void> {
    const { host, port, tls, log } = this.#options;
    const accept = (accepted: Accepted): void => {
      track(this.#streams, accepted.socket);
      onAccepted(accepted);
    };
    await tls?.open(accept);
    const server = createServer((socket) => {
      track(this.#connections, socket);
      if (tls) tls.take(socket);
      else accept({ socket, certificate: undefined });
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
    await Promise.all([...this.#streams].map(gone));
    // Left are those whose TLS handshake is not finished.
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}

function track(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}
