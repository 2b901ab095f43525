import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';

/** An MQTT 3.1.1 broker in this process that plays the cloud, with a cable that can be pulled. */
export class Cloud {
  readonly #broker: Aedes;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  private constructor(broker: Aedes) {
    this.#broker = broker;
  }

  /** @param onMessage hears every publish of a client, as often as it comes. */
  static async start(onMessage: (topic: string, payload: Buffer) => void): Promise<Cloud> {
    const broker = await Aedes.createBroker();
    broker.on('publish', (packet, client) => {
      if (client) onMessage(packet.topic, Buffer.from(packet.payload));
    });
    const cloud = new Cloud(broker);
    await cloud.plug();
    return cloud;
  }

  get port(): number {
    return this.#port;
  }

  get plugged(): boolean {
    return this.#server !== undefined;
  }

  /** Pulls the cable: nobody is answered and every connection breaks off in the middle. */
  async unplug(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async plug(): Promise<void> {
    if (this.#server) return;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      this.#broker.handle(socket);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
  }

  /** Publishes at QoS 1, as an application in the cloud does; kept for a gateway that is away. */
  publish(topic: string, payload: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#broker.publish(
        { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false },
        (error) => {
          if (error) reject(error);
          else resolve();
        },
      );
    });
  }

  async stop(): Promise<void> {
    await this.unplug();
    await new Promise<void>((resolve) => {
      this.#broker.close(resolve);
    });
  }
}
