import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Link } from '../links/link.ts';
import type { UdpTicket } from '../wire/message.ts';
import type { UdpSide } from './udp-side.ts';

export interface ClientUdpOptions {
  /** Whether to use UDP where the server offers it. */
  readonly udp: boolean;
  readonly udpProbeMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What a client's UDP path needs of its session. */
export interface ClientUdpEffects {
  /** Sends UDP_OPEN. */
  readonly ask: (requestId: number) => void;
  /** Takes a PUBLISH that came by UDP. */
  readonly receive: (frame: Uint8Array) => void;
}

/** The UDP path of a client over all its connections; its code is loaded when the first one can have a path, so never in a browser. */
export class ClientUdp {
  readonly #options: ClientUdpOptions;
  readonly #effects: ClientUdpEffects;
  #side: UdpSide | undefined;
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
    const { udp, udpProbeMs, clock, random, log } = this.#options;
    const host = link.remoteAddress;
    this.#link = link;
    this.#offered = offered;
    if (!udp || !offered || host === undefined) return;
    const open = async (): Promise<void> => {
      const { UdpSide } = await import('./udp-side.ts');
      if (link !== this.#link) return;
      this.#side = new UdpSide({ ...this.#effects, host, probeMs: udpProbeMs, clock, random, log });
      this.#side.start();
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
