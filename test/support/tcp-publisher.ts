import { readingContent } from '../../firmware-sim/node/behaviours/sensor.ts';
import { Ledger } from '../../firmware-sim/node/ledger.ts';
import { tokenOf, topicsOf } from '../../firmware-sim/site-plan.ts';
import { connect, encodeContent, type HashikeClient } from '../../src/client/index.ts';

/** A program that publishes the readings of a simulated node over TCP, as the client library is meant to be used, and keeps a ledger. */
export class TcpPublisher implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly #client: HashikeClient;
  readonly #topic: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(name: string, client: HashikeClient, intervalMs: number) {
    this.ledger = new Ledger(name);
    this.#client = client;
    this.#topic = topicsOf(name).readings;
    this.#timer = setInterval(() => void this.#publish(), intervalMs);
  }

  static async connect(name: string, port: number, intervalMs: number): Promise<TcpPublisher> {
    return new TcpPublisher(name, await connect({ port, token: tokenOf(name) }), intervalMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.close();
  }

  async #publish(): Promise<void> {
    const sequence = this.ledger.make(this.#topic);
    const reading = readingContent(sequence);
    const content = encodeContent([
      { contentType: 0x8001, value: reading.subarray(0, 4) },
      { contentType: 0x8002, value: reading.subarray(4) },
    ]);
    try {
      await this.#client.publish(this.#topic, content);
      this.ledger.settle('acknowledged', this.#topic, sequence);
    } catch {
      // It may have arrived or not.
      this.ledger.settle('forgotten', this.#topic, sequence);
    }
  }
}
