import type { Link, LinkSource } from './link.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { sharedByLinks, TcpLink, type TcpLinkOptions } from './tcp-link.ts';

export interface TcpSourceOptions extends ListenerOptions, TcpLinkOptions {}

/** Listens on one TCP address, with TLS or without, and makes a link of each connection. */
export class TcpSource implements LinkSource {
  readonly #options: TcpSourceOptions;
  readonly #listener: Listener;
  readonly #shared = sharedByLinks();

  constructor(options: TcpSourceOptions) {
    this.#options = options;
    this.#listener = new Listener(options);
  }

  get address(): Listener['address'] {
    return this.#listener.address;
  }

  /** Resolves when it listens. Rejects with HSK-2102 when the address can't be used, and with HSK-2104 when the certificate can't. */
  open(onLink: (link: Link) => void): Promise<void> {
    const name = this.#options.tls ? 'tls' : 'tcp';
    return this.#listener.open(({ socket, certificate }) => {
      onLink(new TcpLink(socket, { name, certificate }, this.#options, this.#shared));
    });
  }

  /** Stops listening, closes the links that are still open and resolves when all are gone. */
  close(): Promise<void> {
    return this.#listener.close(() => {
      for (const link of this.#shared.open) link.close();
    });
  }
}
