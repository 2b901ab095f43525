import { connect, createServer, type Server } from 'node:net';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Link, LinkSource } from './link.ts';
import { TcpLink, type TcpLinkOptions } from './tcp-link.ts';

export interface TcpSourceOptions extends TcpLinkOptions {
  readonly host: string;
  /** 0: one that is free, see `address`. */
  readonly port: number;
  readonly log: Log;
}

/** Listens on one TCP address and makes a link of each connection. */
export class TcpSource implements LinkSource {
  readonly #options: TcpSourceOptions;
  readonly #links = new Set<TcpLink>();
  #server: Server | undefined;

  constructor(options: TcpSourceOptions) {
    this.#options = options;
  }

  /** Where it listens; undefined before `open` and after `close`. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#server?.address();
    return address && typeof address === 'object' ? { host: address.address, port: address.port } : undefined;
  }

  /** Resolves when it listens. Throws HSK-2102 when the address can't be used. */
  open(onLink: (link: Link) => void): Promise<void> {
    const { host, port, log } = this.#options;
    const server = createServer((socket) => {
      const link = new TcpLink(socket, this.#options);
      this.#links.add(link);
      socket.once('close', () => this.#links.delete(link));
      onLink(link);
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
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

  /** Stops listening, closes the links that are still open and resolves when all are gone. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server?.listening) return;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const link of this.#links) link.close();
    await closed;
  }
}

export interface ConnectTcpOptions extends TcpLinkOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** A link to a server. Rejects with HSK-2103 when it does not answer in time or refuses. */
export function connectTcp(options: ConnectTcpOptions): Promise<Link> {
  const { host, port, timeoutMs, clock } = options;
  const where = { host, port };
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (detail: string, cause?: unknown): void => {
      timer.cancel();
      socket.destroy();
      reject(new HashikeError('HSK-2103', `can't connect to ${host} port ${port}: ${detail}`, where, cause));
    };
    const timer = clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
    const failed = (error: Error): void => fail(error.message, error);
    socket.once('error', failed);
    socket.once('connect', () => {
      timer.cancel();
      socket.off('error', failed);
      resolve(new TcpLink(socket, options));
    });
  });
}
