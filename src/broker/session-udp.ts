import type { UdpPath } from './udp-path.ts';
import type { UdpPaths, UdpTicketValues } from './udp-paths.ts';

/** The UDP path of one session: one ticket at a time, which ends with the connection that asked for it (clause 8.3.1). */
export class SessionUdp {
  readonly #paths: UdpPaths | undefined;
  readonly #receive: (frame: Uint8Array) => void;
  #path: UdpPath | undefined;

  /** @param receive gets each PUBLISH that comes by UDP. */
  constructor(paths: UdpPaths | undefined, receive: (frame: Uint8Array) => void) {
    this.#paths = paths;
    this.#receive = receive;
  }

  /** A ticket in place of the one before; undefined where UDP is not offered. */
  open(): UdpTicketValues | undefined {
    this.close();
    const granted = this.#paths?.grant(this.#receive);
    this.#path = granted?.path;
    return granted?.ticket;
  }

  /** Whether the client has a ticket, so that best-effort messages may go beside the link. */
  get granted(): boolean {
    return this.#path !== undefined;
  }

  /** Takes a best-effort message for the client; false when it has to go by the link. */
  offer(frame: Uint8Array): boolean {
    return this.#path?.offer(frame) ?? false;
  }

  /** The connection is gone. */
  close(): void {
    if (this.#path) this.#paths?.revoke(this.#path);
    this.#path = undefined;
  }
}
