import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { describeError, type ErrorCode, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** Bytes that wait for the operating system; what comes on top is not taken. */
const SEND_QUEUE_BYTES = 1_048_576;

export interface UdpAddress {
  readonly host: string;
  readonly port: number;
}

/** Whether two addresses are one. */
export function sameAddress(a: UdpAddress, b: UdpAddress): boolean {
  return a.port === b.port && a.host === b.host;
}

export interface UdpSocketOptions extends UdpAddress {
  readonly log: Log;
  /** Each datagram; the bytes belong to the receiver. */
  readonly received: (datagram: Uint8Array, from: UdpAddress) => void;
}

/** A UDP socket: sends and receives datagrams, and keeps what the network says of lost ones to itself. */
export class UdpSocket {
  readonly #socket: Socket;
  /** All datagrams go to one address. */
  readonly #connected: boolean;
  #queuedBytes = 0;
  #closed = false;

  private constructor(
    socket: Socket,
    connected: boolean,
    { log, received }: Pick<UdpSocketOptions, 'log' | 'received'>,
  ) {
    this.#socket = socket;
    this.#connected = connected;
    socket.on('message', (datagram, { address, port }) => {
      if (!this.#closed) received(datagram, { host: address, port });
    });
    // Such as a port that nobody listens on: the path finds out by itself, as of any other loss.
    socket.on('error', (error) => log.debug({ err: error }, 'a datagram could not be sent or received'));
  }

  /** A socket bound to `host` and `port` (0: one that is free). Rejects with HSK-2130. */
  static async listen(options: UdpSocketOptions): Promise<UdpSocket> {
    const socket = await openSocket(options, 'HSK-2130', "can't listen on", (opened, address, done) => {
      opened.bind({ address, port: options.port }, done);
    });
    return new UdpSocket(socket, false, options);
  }

  /** A socket that exchanges datagrams with one address alone. Rejects with HSK-2131. */
  static async connect(options: UdpSocketOptions): Promise<UdpSocket> {
    const socket = await openSocket(options, 'HSK-2131', "can't send to", (opened, address, done) => {
      opened.connect(options.port, address, done);
    });
    return new UdpSocket(socket, true, options);
  }

  /** Where it is bound. */
  get address(): UdpAddress {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  /** Sends a datagram; false when too much waits already, and it was left out. */
  send(datagram: Uint8Array, to: UdpAddress): boolean {
    if (this.#closed) return true;
    if (this.#queuedBytes + datagram.length > SEND_QUEUE_BYTES) return false;
    this.#queuedBytes += datagram.length;
    // An error is a loss like any other: that a datagram leaves does not say that it arrives.
    const done = (): void => {
      this.#queuedBytes -= datagram.length;
    };
    if (this.#connected) this.#socket.send(datagram, done);
    else this.#socket.send(datagram, to.port, to.host, done);
    return true;
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}

type Begin = (socket: Socket, address: string, done: (error?: Error) => void) => void;

async function openSocket(
  { host, port }: UdpAddress,
  code: ErrorCode,
  what: string,
  begin: Begin,
): Promise<Socket> {
  try {
    const { address, family } = await lookup(host);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error): void => {
        socket.removeAllListeners('error');
        if (!error) resolve();
        else {
          socket.close();
          reject(error);
        }
      };
      socket.once('error', done);
      begin(socket, address, done);
    });
    return socket;
  } catch (error) {
    throw new HashikeError(
      code,
      `${what} ${host} port ${port} (UDP): ${describeError(error)}`,
      { host, port },
      error,
    );
  }
}
