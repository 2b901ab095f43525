import type { Log } from '../base/log.ts';
import type { Link } from '../links/link.ts';
import type { UdpTicket } from '../wire/message.ts';

/** The UDP path of one connection, as `UdpSide` has it. */
export interface UdpPath {
  /** Whether best-effort messages take it at the moment. */
  readonly up: boolean;
  start(): void;
  ticket(ticket: UdpTicket): void;
  offer(frame: Uint8Array): boolean;
  close(): void;
}

export interface ClientUdpOptions {
  /** Makes the path to the server at an IP address; undefined: none is wanted, or there can be none, as in a browser. */
  readonly openUdp: ((host: string, effects: ClientUdpEffects) => Promise<UdpPath>) | undefined;
  readonly log: Log;
}

/** What a client's UDP path needs of its session. */
export interface ClientUdpEffects {
  /** Sends UDP_OPEN. */
  readonly ask: (requestId: number) => void;
  /** Takes a PUBLISH that came by UDP. */
  readonly receive: (frame: Uint8Array) => void;
}

/** The UDP path of a client over all its connections. */
export class ClientUdp {
  readonly #options: ClientUdpOptions;
  readonly #effects: ClientUdpEffects;
  #side: UdpPath | undefined;
  #link: Link | undefined;
  #offered = false;

  constructor(options: ClientUdpOptions, effects: ClientUdpEffects) {
    this.#options = options;
    this.#effects = effects;
  }

  /** Whether best-effort messages take it at the moment. */
  get up(): boolean {
    return this.#side?.up ?? false;
  }

  /** A connection stands. @param offered whether the server offers UDP; default: what it said when the session began. */
  connected(link: Link, offered = this.#offered): void {
    const { openUdp, log } = this.#options;
    const host = link.remoteAddress;
    this.#link = link;
    this.#offered = offered;
    if (!openUdp || !offered || host === undefined) return;
    const open = async (): Promise<void> => {
      const side = await openUdp(host, this.#effects);
      if (link !== this.#link) return;
      this.#side = side;
      side.start();
    };
    open().catch((error: unknown) => log.debug({ err: error }, 'UDP cannot be used here'));
  }

  ticket(ticket: UdpTicket): void {
    this.#side?.ticket(ticket);
  }

  /** Takes a best-effort message for the server; false when it has to go by the link. */
  offer(frame: Uint8Array): boolean {
    return this.#side?.offer(frame) ?? false;
  }

  /** The connection is gone, and its path with it. */
  lost(): void {
    this.#side?.close();
    this.#side = undefined;
    this.#link = undefined;
  }
}
