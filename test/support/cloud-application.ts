import { readFileSync } from 'node:fs';
import type { IPublishPacket } from 'mqtt';
import { readingValue } from '../../firmware-sim/node/behaviours/sensor.ts';
import { Consumer, type Reading } from '../../firmware-sim/site/consumer.ts';
import type { MosquittoOptions } from './mosquitto.ts';
import { UpstreamListener } from './upstream-listener.ts';

/** What no consumer may see, however rough the way was. */
export interface Defects {
  /** Readings that came twice under different identifiers. */
  readonly duplicated: number;
  /** Readings that came after a newer one of their topic. */
  readonly misordered: number;
  /** Readings whose value is not the one that was sent. */
  readonly damaged: number;
  /** Messages whose user property `id` is not the one of their payload. */
  readonly mislabelled: number;
  /** Messages that are no reading. */
  readonly foreign: number;
}

export const noDefects: Defects = { duplicated: 0, misordered: 0, damaged: 0, mislabelled: 0, foreign: 0 };

/**
 * An application in the cloud: hears every reading of one gateway by QoS 1 in a session that outlives its connection, keeps account of them, and
 * publishes commands.
 */
export class CloudApplication implements AsyncDisposable {
  readonly consumer = new Consumer();
  /** Numbers of the commands that nodes say they have carried out, by the name of the node, in order of arrival. */
  readonly answers = new Map<string, number[]>();
  /** The retained states of the gateway, in order of arrival. */
  readonly states: string[] = [];
  readonly #listener: UpstreamListener;
  readonly #gateway: string;
  #damaged = 0;
  #mislabelled = 0;

  private constructor(listener: UpstreamListener, gateway: string) {
    this.#listener = listener;
    this.#gateway = gateway;
    listener.client.on('message', (topic, payload, packet) => this.#take(topic, payload, packet));
  }

  static async connect(
    url: string,
    gateway: string,
    { login, tls }: Pick<MosquittoOptions, 'login' | 'tls'> = {},
  ): Promise<CloudApplication> {
    const listener = await UpstreamListener.connect(url, {
      session: 'application',
      filter: `${gateway}/#`,
      protocolVersion: 5,
      ...(login && { username: login.user, password: login.password }),
      ...(tls && { ca: readFileSync(tls.certificates.ca) }),
    });
    return new CloudApplication(listener, gateway);
  }

  get defects(): Defects {
    const { duplicated, misordered, foreign } = this.consumer;
    return { duplicated, misordered, foreign, damaged: this.#damaged, mislabelled: this.#mislabelled };
  }

  /** Commands a node by number. Resolves when the broker upstream has it. */
  async command(node: string, number: number): Promise<void> {
    const payload = JSON.stringify({ value: number });
    await this.#listener.client.publishAsync(`${this.#gateway}/commands/${node}/set`, payload, { qos: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }

  #take(topic: string, payload: Buffer, packet: IPublishPacket): void {
    if (topic === `${this.#gateway}/status`) this.states.push(payload.toString());
    // Its own.
    else if (!topic.startsWith(`${this.#gateway}/commands/`)) {
      const reading = this.consumer.take(payload);
      if (reading) this.#check(reading, packet);
    }
  }

  #check({ id, topic, sequence, values }: Reading, { properties }: IPublishPacket): void {
    const valueOf = (name: string): unknown => values.find((value) => value.name === name)?.value;
    const label = properties?.userProperties?.['id'];
    if (label !== undefined && label !== id) this.#mislabelled += 1;
    const [node = '', channel] = topic.split('/');
    const command = valueOf('command');
    if (channel === 'state' && typeof command === 'number') {
      this.answers.set(node, [...(this.answers.get(node) ?? []), command]);
    } else if (valueOf('temperature') !== readingValue(sequence) / 100) this.#damaged += 1;
  }
}
