import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { CoapFleet } from '../coap-fleet.ts';
import type { Ledger } from '../node/ledger.ts';
import { addSums } from '../node/ledger.ts';
import { SerialFleet } from '../serial-fleet.ts';
import { Consumer } from '../site/consumer.ts';
import { freeUdpPort } from '../site/free-udp-port.ts';
import { askStatus, GatewayProcess } from '../site/gateway-process.ts';
import { configurationOf, topicsOf } from '../site-plan.ts';
import { Cloud } from './cloud.ts';

const GATEWAY = 'demo';
const HOST = '127.0.0.1';
const READING_INTERVAL_MS = 250;
const serialNames = ['bed-1', 'bed-2', 'bed-3', 'pump'];
const coapNames = ['door', 'roof'];

/** The closing account of a run, as it is printed with --json. */
export interface Account {
  /** Readings that the nodes made. */
  readonly made: number;
  /** Of these, readings of which the gateway took custody. */
  readonly acknowledged: number;
  /** Different readings that reached the cloud. */
  readonly delivered: number;
  /** Acknowledged and not delivered. */
  readonly lost: number;
  /** Seen twice by the consumer after the id is applied. */
  readonly duplicated: number;
  /** Commands that the cloud sent, and those whose answer it saw. */
  readonly commands: number;
  readonly answered: number;
}

/** A whole site in miniature: simulated nodes, a real gateway in a process of its own, and a broker that plays the cloud. */
export class DemoSite {
  readonly #directory: string;
  readonly #cloud: Cloud;
  readonly #serial: SerialFleet;
  readonly #coap: CoapFleet;
  readonly consumer: Consumer;
  readonly #gateway: GatewayProcess;
  readonly #unanswered: Map<number, string>;
  readonly #latest: Map<string, string>;
  #commands = 0;
  #off = false;

  private constructor(parts: {
    readonly directory: string;
    readonly cloud: Cloud;
    readonly serial: SerialFleet;
    readonly coap: CoapFleet;
    readonly consumer: Consumer;
    readonly gateway: GatewayProcess;
    readonly unanswered: Map<number, string>;
    readonly latest: Map<string, string>;
  }) {
    this.#directory = parts.directory;
    this.#cloud = parts.cloud;
    this.#serial = parts.serial;
    this.#coap = parts.coap;
    this.consumer = parts.consumer;
    this.#gateway = parts.gateway;
    this.#unanswered = parts.unanswered;
    this.#latest = parts.latest;
  }

  static async start(): Promise<DemoSite> {
    const directory = mkdtempSync(join(tmpdir(), 'hashike-demo-'));
    const consumer = new Consumer();
    const unanswered = new Map<number, string>();
    const latest = new Map<string, string>();
    const cloud = await Cloud.start((_topic, payload) => {
      const reading = consumer.take(payload);
      if (!reading) return;
      const { topic, values } = reading;
      latest.set(
        topic,
        values
          .map(({ name, value, unit }) => `${name} ${JSON.stringify(value)} ${unit ?? ''}`.trimEnd())
          .join(', '),
      );
      const answered = values.find(({ name }) => name === 'command')?.value;
      if (typeof answered === 'number') unanswered.delete(answered);
    });
    const coapPort = await freeUdpPort(HOST);
    // Long wires damage a frame now and then.
    const serial = new SerialFleet(serialNames, directory, {
      intervalMs: READING_INTERVAL_MS,
      faults: { corrupt: 0.02 },
    });
    const coap = await CoapFleet.open(coapNames, HOST, coapPort, { intervalMs: READING_INTERVAL_MS });
    const configPath = join(directory, 'hashike.yaml');
    const site = { serial: serial.site.serial, clients: [...serial.site.clients, ...coap.site.clients] };
    const configuration = {
      gateway: {
        name: GATEWAY,
        stateDirectory: join(directory, 'state'),
        runtimeDirectory: join(directory, 'run'),
      },
      coap: { host: HOST, port: coapPort },
      upstream: { mqtt: { url: `mqtt://${HOST}:${cloud.port}`, version: 4 } },
      ...configurationOf(site),
    };
    writeFileSync(configPath, stringify(configuration), { mode: 0o600 });
    const gateway = new GatewayProcess(configPath);
    const demo = new DemoSite({ directory, cloud, serial, coap, consumer, gateway, unanswered, latest });
    try {
      serial.start();
      await gateway.start();
      coap.start();
      return demo;
    } catch (error) {
      await demo.stop();
      throw error;
    }
  }

  get directory(): string {
    return this.#directory;
  }

  get ledgers(): readonly Ledger[] {
    return [...this.#serial.ledgers, ...this.#coap.ledgers];
  }

  get account(): Account {
    const { made, acknowledged } = addSums(this.ledgers);
    return {
      made,
      acknowledged,
      delivered: this.consumer.delivered,
      lost: this.consumer.missing(this.ledgers).length,
      duplicated: this.consumer.duplicated,
      commands: this.#commands,
      answered: this.#commands - this.#unanswered.size,
    };
  }

  /** The newest values that reached the cloud, by topic. */
  get latest(): ReadonlyMap<string, string> {
    return this.#latest;
  }

  get plugged(): boolean {
    return this.#cloud.plugged;
  }

  /** What the gateway says of itself; undefined while it does not answer. */
  status(): Promise<Record<string, unknown> | undefined> {
    return askStatus(join(this.#directory, 'run', 'status.sock'));
  }

  unplug(): Promise<void> {
    return this.#cloud.unplug();
  }

  plug(): Promise<void> {
    return this.#cloud.plug();
  }

  /** A power cut in small: kill -9, and a new start. */
  async crash(): Promise<void> {
    await this.#gateway.stop('SIGKILL');
    await this.#gateway.start();
  }

  /** The cloud sends a command to the next node. */
  async command(): Promise<void> {
    const number = ++this.#commands;
    const { node: name } = this.ledgers[number % this.ledgers.length] as Ledger;
    this.#unanswered.set(number, name);
    await this.#cloud.publish(
      `${GATEWAY}/commands/${topicsOf(name).commands}`,
      JSON.stringify({ value: number }),
    );
  }

  /** No node makes readings any more, and whatever the gateway has acknowledged gets `ms` milliseconds to arrive. */
  async settle(ms: number): Promise<void> {
    const end = performance.now() + ms;
    const answers = Math.min(end, performance.now() + ms / 2);
    while (this.#unanswered.size > 0 && performance.now() < answers) await pause(50);
    this.#powerOff();
    while (this.consumer.missing(this.ledgers).length > 0 && performance.now() < end) await pause(50);
  }

  /** Stops everything and removes the files. */
  async stop(): Promise<void> {
    this.#powerOff();
    await this.#gateway.stop('SIGTERM');
    await this.#cloud.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #powerOff(): void {
    if (this.#off) return;
    this.#off = true;
    this.#serial.stop();
    this.#coap.stop();
  }

  lastLogLines(): string {
    return this.#gateway.lastLines();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
