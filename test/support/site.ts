import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { CoapFleet, type CoapOptions } from '../../firmware-sim/coap-fleet.ts';
import type { Ledger, TopicLedger } from '../../firmware-sim/node/ledger.ts';
import { type FleetOptions, SerialFleet } from '../../firmware-sim/serial-fleet.ts';
import { configurationOf, tokenOf } from '../../firmware-sim/site-plan.ts';
import { freeUdpPort } from '../../firmware-sim/site/free-udp-port.ts';
import { askStatus, GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';
import type { GatewayStatus } from '../../src/admin/status.ts';
import { CloudApplication } from './cloud-application.ts';
import { freePort } from './free-port.ts';
import { Mosquitto, type MosquittoOptions } from './mosquitto.ts';
import { TcpPublisher } from './tcp-publisher.ts';
import { until } from './until.ts';

export interface SitePlan {
  /** Fleets of nodes on serial lines. */
  readonly serial?: readonly (FleetOptions & { readonly names: readonly string[] })[];
  readonly coap?: CoapOptions & { readonly names: readonly string[] };
  /** Programs that publish over TCP; they connect when the site is started. */
  readonly tcp?: { readonly names: readonly string[]; readonly intervalMs?: number };
  readonly mosquitto?: MosquittoOptions;
  /** Further keys of `upstream.mqtt`. */
  readonly mqtt?: object;
  /** Default: below the directory of the site. */
  readonly stateDirectory?: string;
  /** Changes the configuration before it is written. */
  readonly adapt?: (configuration: SiteConfiguration) => object;
}

/** What the configuration of a site holds, ready for YAML. */
export interface SiteConfiguration extends ReturnType<typeof configurationOf> {
  readonly gateway: {
    readonly name: string;
    readonly stateDirectory: string;
    readonly runtimeDirectory: string;
  };
  readonly listen: { readonly tcp: { readonly port: number } };
  readonly coap: { readonly port: number };
  readonly upstream: { readonly mqtt: object };
}

const GATEWAY = 'gw';
/** Far beyond what anything takes on a machine with nothing else to do. */
const PATIENCE_MS = 30_000;
/** Between two readings, where the plan does not say. */
const INTERVAL_MS = 50;
/** A loopback loses nothing and answers at once, so whoever is not answered finds a gateway that is away, and asks again soon. */
const transmission = { ackTimeoutMs: 200, ackRandomFactor: 1.5, maxRetransmit: 1 };
/** Mosquitto drops what waits for a consumer beyond a thousand messages, unless it is told not to. */
const KEEP_EVERYTHING = ['max_queued_messages 0'];

/**
 * A whole site: nodes on pseudo-terminals and over CoAP, the gateway as a process of its own, a real mosquitto upstream, and an application there. Opened with
 * mosquitto and the application running; the gateway and the nodes are started by the test.
 */
export class Site implements AsyncDisposable {
  readonly directory: string;
  readonly configuration: SiteConfiguration;
  readonly serial: readonly SerialFleet[];
  readonly coap: CoapFleet;
  readonly broker: Mosquitto;
  readonly cloud: CloudApplication;
  readonly gateway: GatewayProcess;
  readonly #plan: SitePlan;
  readonly #belongings: AsyncDisposableStack;
  #publishers: readonly TcpPublisher[] = [];

  private constructor(
    plan: SitePlan,
    parts: Pick<Site, 'directory' | 'configuration' | 'serial' | 'coap' | 'broker' | 'cloud' | 'gateway'>,
    belongings: AsyncDisposableStack,
  ) {
    this.#plan = plan;
    this.directory = parts.directory;
    this.configuration = parts.configuration;
    this.serial = parts.serial;
    this.coap = parts.coap;
    this.broker = parts.broker;
    this.cloud = parts.cloud;
    this.gateway = parts.gateway;
    this.#belongings = belongings;
  }

  static async open(plan: SitePlan): Promise<Site> {
    await using stack = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), 'hashike-site-'));
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const lines = [...KEEP_EVERYTHING, ...(plan.mosquitto?.lines ?? [])];
    const broker = stack.use(await Mosquitto.start({ ...plan.mosquitto, lines }));
    const cloud = stack.use(await CloudApplication.connect(broker.url, GATEWAY, plan.mosquitto));
    const serial = (plan.serial ?? []).map(
      ({ names, ...options }) => new SerialFleet(names, directory, { intervalMs: INTERVAL_MS, ...options }),
    );
    const { names = [], ...options } = plan.coap ?? {};
    const coapPort = await freeUdpPort('::1');
    const coap = await CoapFleet.open(names, '::1', coapPort, {
      intervalMs: INTERVAL_MS,
      renewMs: 500,
      transmission,
      ...options,
    });
    stack.defer(() => coap.stop());
    for (const fleet of serial) stack.defer(() => fleet.stop());
    const configuration: SiteConfiguration = {
      gateway: {
        name: GATEWAY,
        stateDirectory: plan.stateDirectory ?? join(directory, 'state'),
        runtimeDirectory: join(directory, 'run'),
      },
      listen: { tcp: { port: await freePort() } },
      coap: { port: coapPort },
      upstream: { mqtt: { url: broker.url, ...plan.mqtt } },
      ...configurationOf({
        serial: serial.flatMap(({ site }) => site.serial),
        clients: [
          ...[...serial, coap].flatMap(({ site }) => site.clients),
          ...(plan.tcp?.names ?? []).map((name) => ({ name, token: tokenOf(name) })),
        ],
      }),
    };
    const configPath = join(directory, 'hashike.yaml');
    writeFileSync(configPath, stringify(plan.adapt?.(configuration) ?? configuration));
    const gateway = new GatewayProcess(configPath);
    stack.defer(async () => void (await gateway.stop('SIGKILL')));
    return new Site(plan, { directory, configuration, serial, coap, broker, cloud, gateway }, stack.move());
  }

  /** Powers the nodes up and starts the gateway. Resolves when the gateway is ready. */
  async start(): Promise<void> {
    for (const fleet of this.fleets) fleet.start();
    await this.gateway.start();
    const { names = [], intervalMs = INTERVAL_MS } = this.#plan.tcp ?? {};
    const { port } = this.configuration.listen.tcp;
    this.#publishers = await Promise.all(names.map((name) => TcpPublisher.connect(name, port, intervalMs)));
    for (const publisher of this.#publishers) this.#belongings.use(publisher);
  }

  get fleets(): readonly (SerialFleet | CoapFleet)[] {
    return [...this.serial, this.coap];
  }

  get nodes(): SerialFleet['nodes'] {
    return this.serial.flatMap(({ nodes }) => nodes);
  }

  get ledgers(): readonly Ledger[] {
    return [
      ...this.fleets.flatMap(({ ledgers }) => ledgers),
      ...this.#publishers.map(({ ledger }) => ledger),
    ];
  }

  /** Readings of all nodes that the gateway has acknowledged. */
  get acknowledged(): number {
    return this.ledgers.reduce((sum, { sums }) => sum + sums.acknowledged, 0);
  }

  ledger(node: string): Ledger {
    const ledger = this.ledgers.find((each) => each.node === node);
    if (!ledger) throw new Error(`the site has no node ${node}`);
    return ledger;
  }

  /** Numbers of the commands that a node has got, in order of arrival. */
  commandsOf(node: string): readonly (number | undefined)[] {
    return this.ledger(node).commands.map(({ number }) => number);
  }

  async status(): Promise<GatewayStatus> {
    const { runtimeDirectory } = this.configuration.gateway;
    const status = await askStatus(join(runtimeDirectory, 'status.sock'));
    if (!status) throw new Error(`the gateway does not say how it is\n${this.gateway.lastLines()}`);
    return status as unknown as GatewayStatus;
  }

  /** Waits until `count` more readings, of all nodes or of one, are acknowledged. */
  async acknowledges(count: number, node?: string, withinMs = PATIENCE_MS): Promise<void> {
    const acknowledged = (): number =>
      node === undefined ? this.acknowledged : this.ledger(node).sums.acknowledged;
    const target = acknowledged() + count;
    await until(
      () => acknowledged() >= target,
      withinMs,
      () => this.#describe(`${count} more acknowledgements of ${node ?? 'any node'}`),
    );
  }

  /**
   * Waits until each reading made up to now has come to an end in its node (acknowledged, or lost in a way that the node knows of), and each one that is acknowledged by then has
   * arrived in the cloud. The nodes may go on.
   * @throws Error after `withinMs`, with what is missing
   */
  async settle(withinMs = PATIENCE_MS): Promise<void> {
    const made = this.ledgers.flatMap(({ topics }) =>
      [...topics].map(([topic, ledger]) => ({ topic, ledger, last: ledger.made })),
    );
    const waiting = (): string[] =>
      made.flatMap(({ topic, ledger, last }) =>
        unsettled(ledger, last).map((number) => `${topic} ${number}`),
      );
    const missing = (): string[] => this.cloud.consumer.missing(this.ledgers);
    const end = performance.now() + withinMs;
    const describe = (): Promise<string> =>
      this.#describe(
        `everything at its end; still in the nodes: ${sample(waiting())}; acknowledged and not delivered: ${sample(missing())}`,
      );
    await until(() => waiting().length === 0, withinMs, describe);
    // What is acknowledged later is not waited for: nodes that go on always have something under way.
    const expected = new Set(missing());
    await until(() => !missing().some((reading) => expected.has(reading)), end - performance.now(), describe);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#belongings.disposeAsync();
  }

  async #describe(what: string): Promise<string> {
    const status = await this.status().catch(String);
    const ledgers = Object.fromEntries(this.ledgers.map((ledger) => [ledger.node, ledger]));
    return `${what}\n${JSON.stringify({ ledgers, status })}\n${this.gateway.lastLines(20)}`;
  }
}

/** Numbers from 1 to `last` that are in none of the sets yet. */
function unsettled(ledger: TopicLedger, last: number): number[] {
  const { acknowledged, rejected, bestEffort, overflowed, forgotten } = ledger;
  const ends = [acknowledged, rejected, bestEffort, overflowed, forgotten];
  return Array.from({ length: last }, (_, index) => index + 1).filter(
    (number) => !ends.some((end) => end.has(number)),
  );
}

function sample(readings: readonly string[]): string {
  return `${readings.length} readings: ${readings.slice(0, 20).join(', ')}`;
}
