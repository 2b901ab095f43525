import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How many bytes of each direction pass on one connection before it is cut; undefined: all. */
export interface Cut {
  readonly up?: number | undefined;
  readonly down?: number | undefined;
}

/** Stands between a client and a server on TCP, and cuts connections where it is told to. */
export class TcpProxy {
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cuts: Cut[];
  /** Connections that were cut. */
  cuts = 0;

  private constructor(target: number, cuts: readonly Cut[]) {
    this.#target = target;
    this.#cuts = [...cuts];
    this.#server = createServer((client) => this.#carry(client));
  }

  /** @param cuts one for each connection, in their order; later ones are not cut. @param host a loopback address to listen on. */
  static async open(target: number, cuts: readonly Cut[] = [], host = '127.0.0.1'): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, cuts);
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, host, resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts every connection now. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.cut();
    await closed;
  }

  #carry(client: Socket): void {
    const { up, down } = this.#cuts.shift() ?? {};
    const server = connect(this.#target, '127.0.0.1');
    this.#pass(client, server, up);
    this.#pass(server, client, down);
  }

  #pass(from: Socket, to: Socket, budget = Infinity): void {
    let left = budget;
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('end', () => to.end());
    from.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      if (!to.write(part)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      if (left > 0) return;
      this.cuts += 1;
      // What passed must arrive, and the rest must not.
      from.pause();
      to.end(() => {
        to.destroy();
        from.resetAndDestroy();
      });
    });
  }
}
