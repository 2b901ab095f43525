import { hex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { UdpSocket, type UdpAddress } from '../links/udp.ts';
import { DatagramChannel } from '../wire/datagram-channel.ts';
import { readDatagram } from '../wire/datagram.ts';
import { UdpPath } from './udp-path.ts';

const KEY_BYTES = 24;
/** With 2 bytes while at most half of them are taken (clause 8.2.5). */
const SHORT_ID = { bytes: 2, most: 0x8000 };
const LONG_ID_BYTES = 4;

export interface UdpPathsOptions {
  readonly host: string;
  /** 0: one that is free, see `address`. */
  readonly port: number;
  /** Without proof for so long that a client hears, it gets nothing by UDP. */
  readonly silenceMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

/** What a client needs to open its path: UDP_TICKET. */
export interface UdpTicketValues {
  readonly connectionId: Uint8Array;
  readonly key: Uint8Array;
  readonly port: number;
}

/** The server's UDP port, and the path of each session that asked for one (clause 8.3). */
export class UdpPaths {
  readonly #options: UdpPathsOptions;
  /** By the hex of the CONNECTION_ID. */
  readonly #paths = new Map<string, UdpPath>();
  readonly #stopGauges: readonly (() => void)[];
  #socket: UdpSocket | undefined;

  constructor(options: UdpPathsOptions) {
    this.#options = options;
    const { counters } = options;
    this.#stopGauges = [
      counters.gauge('udp_paths', { state: 'open' }, () => this.#paths.size),
      counters.gauge('udp_paths', { state: 'up' }, () => this.#up()),
    ];
  }

  /** Where it listens; undefined before `open` and after `close`. */
  get address(): UdpAddress | undefined {
    return this.#socket?.address;
  }

  /** Resolves when it listens. Rejects with HSK-2130. */
  async open(): Promise<void> {
    const { host, port, log } = this.#options;
    this.#socket = await UdpSocket.listen({
      host,
      port,
      log,
      received: (datagram, from) => this.#received(datagram, from),
    });
  }

  /** Gives a ticket; undefined when the port is closed. @param receive gets each PUBLISH that comes by the path. */
  grant(
    receive: (frame: Uint8Array) => void,
  ): { readonly path: UdpPath; readonly ticket: UdpTicketValues } | undefined {
    const { clock, random, silenceMs } = this.#options;
    const socket = this.#socket;
    if (!socket) return undefined;
    const key = random.bytes(KEY_BYTES);
    const connectionId = this.#freeId();
    const path = new UdpPath({
      channel: new DatagramChannel({ side: 'server', connectionId, key }),
      clock,
      random,
      silenceMs,
      send: (datagram, to) => socket.send(datagram, to),
      receive,
      dropped: (reason) => this.#dropped(reason),
    });
    this.#paths.set(hex(connectionId), path);
    return { path, ticket: { connectionId, key, port: socket.address.port } };
  }

  /** Makes the ticket of a path void. */
  revoke(path: UdpPath): void {
    path.close();
    this.#paths.delete(hex(path.connectionId));
  }

  async close(): Promise<void> {
    for (const stop of this.#stopGauges) stop();
    for (const path of this.#paths.values()) this.revoke(path);
    const socket = this.#socket;
    this.#socket = undefined;
    await socket?.close();
  }

  #received(bytes: Uint8Array, from: UdpAddress): void {
    try {
      const datagram = readDatagram(bytes);
      const path = this.#paths.get(hex(datagram.connectionId));
      if (path) path.heard(datagram, from);
      else this.#dropped('unknown-connection');
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#dropped('malformed');
    }
  }

  #dropped(reason: string): void {
    this.#options.counters.drops('udp', reason).add();
  }

  #freeId(): Uint8Array {
    const bytes = this.#paths.size < SHORT_ID.most ? SHORT_ID.bytes : LONG_ID_BYTES;
    for (;;) {
      const id = this.#options.random.bytes(bytes);
      if (!this.#paths.has(hex(id))) return id;
    }
  }

  #up(): number {
    let count = 0;
    for (const path of this.#paths.values()) if (path.up) count += 1;
    return count;
  }
}
