import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';

/** An aedes on a port of 127.0.0.1, which speaks MQTT 3.1.1 only and forgets everything when it stops. */
export class AedesUpstream implements AsyncDisposable {
  readonly url: string;
  /** Set to false before `start`: nobody may subscribe. */
  subscriptions = true;
  readonly #port: number;
  readonly #heard: string[] = [];
  readonly #sockets = new Set<Socket>();
  #running: { readonly server: Server; readonly broker: Aedes } | undefined;

  constructor(port: number) {
    this.#port = port;
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  /** Identifiers of the readings that came, in order. */
  heard(): readonly string[] {
    return this.#heard;
  }

  async start(): Promise<void> {
    const broker = await Aedes.createBroker();
    broker.authorizeSubscribe = (_client, subscription, done) =>
      done(null, this.subscriptions ? subscription : null);
    broker.on('publish', ({ topic, payload }) => {
      if (!topic.startsWith('gw/greenhouse/')) return;
      this.#heard.push((JSON.parse(payload.toString()) as { id: string }).id);
    });
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      broker.handle(socket);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#running = { server, broker };
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    const { server, broker } = this.#running;
    this.#running = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await new Promise<void>((resolve) => broker.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
