import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** Whether a datagram passes. */
export type Gate = (datagram: Buffer) => boolean;

const open: Gate = () => true;
/** Lets nothing through. */
export const shut: Gate = () => false;

/**
 * Stands between clients and a server on UDP as a NAT does: the server sees the relay's own port. Listens on another loopback address than the server, on the same
 * port, so that a client whose TCP goes to that address finds it.
 */
export class UdpRelay {
  readonly #front: Socket;
  readonly #target: { readonly host: string; readonly port: number };
  #back: Socket;
  #client: RemoteInfo | undefined;
  /** Clients to server, and back. */
  up: Gate = open;
  down: Gate = open;
  /** Datagrams that passed. */
  readonly passed = { up: 0, down: 0 };

  private constructor(front: Socket, back: Socket, target: { readonly host: string; readonly port: number }) {
    this.#front = front;
    this.#back = back;
    this.#target = target;
    front.on('message', (datagram, from) => {
      this.#client = from;
      if (!this.up(datagram)) return;
      this.passed.up += 1;
      this.#back.send(datagram, target.port, target.host);
    });
    this.#listen();
  }

  /** @param host where clients find it. */
  static async open(
    host: string,
    target: { readonly host: string; readonly port: number },
  ): Promise<UdpRelay> {
    return new UdpRelay(await bound(host, target.port), await bound(target.host, 0), target);
  }

  /** The relay's port that the server sees. */
  get port(): number {
    return this.#back.address().port;
  }

  /** Takes another port, as a NAT does that has forgotten. */
  async rebind(): Promise<void> {
    this.#back.close();
    this.#back = await bound(this.#target.host, 0);
    this.#listen();
  }

  close(): void {
    this.#front.close();
    this.#back.close();
  }

  #listen(): void {
    this.#back.on('message', (datagram) => {
      if (!this.#client || !this.down(datagram)) return;
      this.passed.down += 1;
      this.#front.send(datagram, this.#client.port, this.#client.address);
    });
  }
}

/** A UDP socket on `host`. */
export async function bound(host: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}
