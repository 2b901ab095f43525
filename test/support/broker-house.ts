import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { Counters } from '../../src/base/counters.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Access } from '../../src/broker/access.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Connections } from '../../src/broker/connections.ts';
import { UdpPaths, type UdpPathsOptions } from '../../src/broker/udp-paths.ts';
import { type ClientOptions, connect, type HashikeClient } from '../../src/client/index.ts';
import { type ClientConfig, type Config, configSchema } from '../../src/config/schema.ts';
import { TcpSource } from '../../src/links/tcp.ts';
import { compileProfiles } from '../../src/profiles/profiles.ts';
import type { Spool } from '../../src/spool/ports.ts';
import { defaultSpoolLimits, openSpool } from '../../src/spool/spool.ts';

/** A client of the configuration whose token is its name. */
export function clientConfig(
  name: string,
  rules: Partial<Omit<ClientConfig, 'name' | 'token'>> = {},
): ClientConfig {
  const token = `sha256:${createHash('sha256').update(name).digest('hex')}`;
  return { name, token, publish: ['#'], subscribe: ['#'], shared: false, ...rules };
}

export interface HouseOptions {
  readonly clients: readonly ClientConfig[];
  readonly profiles?: Config['profiles'];
  readonly limits?: Partial<Config['limits']>;
  /** Filters of a durable consumer named `bridge`, as an upstream has one. */
  readonly forward?: readonly string[];
  readonly directory?: string;
  readonly log?: Log;
  /** Offers UDP on a free port. */
  readonly udp?: Partial<UdpPathsOptions>;
}

/** A broker with its spool and a TCP port, on a directory that may be used again by the next one. */
export interface House {
  readonly directory: string;
  readonly port: number;
  /** Where it listens for datagrams; 0: it does not. */
  readonly udpPort: number;
  readonly counters: Counters;
  readonly broker: Broker;
  readonly connections: Connections;
  readonly spool: Spool;
  client(name: string, options?: Partial<ClientOptions>): Promise<HashikeClient>;
  /** Stops as the gateway does. */
  stop(): Promise<void>;
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const { clients, profiles = {}, log = silentLog } = options;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'hashike-house-')));
  const limits = { ...configSchema.shape.limits.parse(undefined), ...options.limits };
  const common = { clock: systemClock, random: systemRandom, counters: new Counters(), log };
  const spool = await openSpool({
    ...common,
    directory,
    limits: defaultSpoolLimits,
    sessionKeepMs: limits.sessionKeepMs,
  });
  const access = new Access(clients);
  const broker = new Broker({ ...common, access, spool, limits });
  const bridge = broker.addDurable({ consumer: 'bridge' });
  for (const filter of options.forward ?? []) bridge.add(filter);
  const udp =
    options.udp && new UdpPaths({ ...common, host: '127.0.0.1', port: 0, silenceMs: 15_000, ...options.udp });
  await udp?.open();
  const connections = new Connections({
    ...common,
    access,
    broker,
    spool,
    limits,
    udp,
    profiles: compileProfiles({ profiles, clients }),
  });
  await connections.open();
  const source = new TcpSource({ ...common, host: '127.0.0.1', port: 0, messageBytes: limits.messageBytes });
  await source.open((link) => connections.accept(link));
  const port = source.address?.port ?? 0;
  return {
    directory,
    port,
    udpPort: udp?.address?.port ?? 0,
    counters: common.counters,
    broker,
    connections,
    spool,
    client: (name, more = {}) => connect({ port, token: name, ...more }),
    stop: async () => {
      connections.close();
      await source.close();
      await udp?.close();
      await spool.close();
    },
  };
}

/** Removes the directory of a house that was stopped. */
export async function demolish(house: House): Promise<void> {
  await rm(house.directory, { recursive: true, force: true });
}
