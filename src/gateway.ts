import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayStatus, Json, PartStatus } from './admin/status.ts';
import { openStatusServer, statusSocketPath } from './admin/status-server.ts';
import type { Watched } from './admin/watchdog.ts';
import type { Clock } from './base/clock.ts';
import { Counters } from './base/counters.ts';
import { HashikeError } from './base/errors.ts';
import type { Log } from './base/log.ts';
import type { Random } from './base/random.ts';
import { Teardown } from './base/teardown.ts';
import { Access, trusted } from './broker/access.ts';
import { Broker } from './broker/broker.ts';
import { Connections } from './broker/connections.ts';
import type { UdpPaths } from './broker/udp-paths.ts';
import type { Config, ServerTlsConfig } from './config/schema.ts';
import type { LinkSource } from './links/link.ts';
import { TcpSource } from './links/tcp.ts';
import type { TlsServer } from './links/tls-server.ts';
import { compileProfiles, type Profiles } from './profiles/profiles.ts';
import type { Spool } from './spool/ports.ts';
import { defaultSpoolLimits, openSpool } from './spool/spool.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A gateway that runs. */
export interface Gateway {
  /** What the watchdog looks at: every loop that must not stand still. */
  readonly watched: readonly Watched[];
  status(): GatewayStatus;
  /**
   * Takes over the clients and profiles of `config`, where there is one: sessions that may not go on with that end, the others are left alone. Reads certificates again, for
   * connections to come. What can't be used is logged, and what was in use stays.
   */
  reload(config: Config | undefined): Promise<void>;
  /** Stops every part, last started first. Throws HSK-1002 with everything that went wrong. */
  stop(): Promise<void>;
}

/** What each part is given. */
interface House extends GatewayOptions {
  readonly counters: Counters;
  readonly profiles: Profiles;
  readonly spool: Spool;
  readonly broker: Broker;
  readonly connections: Connections;
  readonly udp: UdpPaths | undefined;
}

/** One part that links or bridges, once it runs. */
interface Part {
  readonly watched: readonly Watched[];
  readonly kind: 'link' | 'upstream';
  /** Reads again what may change while it runs. */
  reload?(): Promise<void>;
  describe(): PartStatus;
}

/**
 * Builds every part, injects what it needs and starts it: custody first, then who takes from it, then who feeds it. A part that can't start stops
 * those that did.
 * @throws the error of that part, such as HSK-22xx for the spool or HSK-2102 for a port that is taken
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const teardown = new Teardown();
  try {
    return await start(options, teardown);
  } catch (error) {
    await teardown.run().catch((stopError: unknown) => {
      options.log.error({ err: stopError }, 'what had started before the error could not be stopped cleanly');
    });
    throw error;
  }
}

async function start(options: GatewayOptions, teardown: Teardown): Promise<Gateway> {
  const { config, version, clock, random, log } = options;
  const startedAt = clock.wall();
  const counters = new Counters();
  const profiles = compileProfiles(config);
  const access = new Access(config.clients);
  const spool = await openOwnSpool(options, counters);
  teardown.add('spool', () => spool.close());
  // CoAP alone reads the last value of a topic.
  const limits = config.coap ? config.limits : { ...config.limits, lastValues: 0 };
  const broker = new Broker({ access, spool, clock, counters, limits });
  const services = { access, broker, profiles, spool, clock, random, counters, log };
  const { udp: udpConfig } = config.listen;
  // What only some configurations need is loaded for these: modules cost memory and time of the start.
  const udp =
    udpConfig && new (await import('./broker/udp-paths.ts')).UdpPaths({ ...services, ...udpConfig });
  const connections = new Connections({ ...services, limits: config.limits, udp });
  await connections.open();

  const house: House = { ...options, counters, profiles, spool, broker, connections, udp };
  const parts: Part[] = [];
  for (const startPart of [startMqtt, startUdp, startListeners, startSerial, startCoap]) {
    parts.push(...(await startPart(house, teardown)));
  }
  // Stopped before the links are, so that every client hears why.
  teardown.add('connections', () => connections.close());

  const status = (): GatewayStatus => ({
    gateway: config.gateway.name,
    version,
    pid: process.pid,
    startedAt,
    links: parts.filter(({ kind }) => kind === 'link').map((part) => part.describe()),
    clients: connections.describe().map(plain),
    upstream: parts.filter(({ kind }) => kind === 'upstream').map((part) => part.describe()),
    spool: spool.depths(),
    counters: counters.read(),
  });
  const server = await openStatusServer(statusSocketPath(config.gateway.runtimeDirectory), status);
  teardown.add('status', () => server.close());

  let stopping = false;
  const disk: Watched = { name: 'spool', progress: () => spool.probe().then(() => 'advanced') };
  return {
    watched: [disk, ...parts.flatMap(({ watched }) => watched)],
    status,
    reload: async (next) => {
      // What was read while it began to stop: there is nothing left that could take it up.
      if (stopping) return;
      if (next) reloadAccess(config, next, house, access);
      for (const part of parts) await part.reload?.();
    },
    stop: () => {
      stopping = true;
      return teardown.run();
    },
  };
}

/** Throws HSK-2303 and HSK-3002 where the configuration contradicts itself, which `loadConfig` finds earlier; then nothing has changed. */
function reloadAccess(
  config: Config,
  next: Config,
  { profiles, connections, log }: House,
  access: Access,
): void {
  const others = compileProfiles(next);
  access.reload(next.clients);
  profiles.become(others);
  connections.accessChanged();
  const sections = ['gateway', 'log', 'listen', 'serial', 'coap', 'upstream', 'spool', 'limits'] as const;
  const changed = sections.filter((key) => JSON.stringify(config[key]) !== JSON.stringify(next[key]));
  log.info({ clients: next.clients.length }, 'the clients and profiles of the configuration were read again');
  if (changed.length > 0) {
    log.warn({ sections: changed }, 'these sections have changed too: they are taken up with the next start');
  }
}

async function openOwnSpool(
  { config, clock, random, log }: GatewayOptions,
  counters: Counters,
): Promise<Spool> {
  const { stateDirectory } = config.gateway;
  try {
    mkdirSync(stateDirectory, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new HashikeError('HSK-5001', `the state directory ${stateDirectory} cannot be made`, {}, error);
  }
  return openSpool({
    directory: join(stateDirectory, 'spool'),
    limits: { ...defaultSpoolLimits, ...config.spool },
    sessionKeepMs: config.limits.sessionKeepMs,
    clock,
    random,
    counters,
    log,
  });
}

async function startMqtt(house: House, teardown: Teardown): Promise<readonly Part[]> {
  const { config } = house;
  const { mqtt } = config.upstream;
  if (!mqtt) return [];
  const { createMqttBridge, MQTT_BRIDGE } = await import('./bridges/mqtt.ts');
  const bridge = createMqttBridge({
    ...house,
    config: mqtt,
    gateway: config.gateway.name,
    // The configuration names the one broker whose commands are taken; which topics they reach is up to its mapping.
    principal: trusted(MQTT_BRIDGE),
  });
  teardown.add(MQTT_BRIDGE, () => bridge.close());
  bridge.open();
  return [
    {
      kind: 'upstream',
      watched: [{ name: MQTT_BRIDGE, progress: () => bridge.progress() }],
      describe: () => partStatus(bridge.describe()),
    },
  ];
}

async function startUdp({ udp }: House, teardown: Teardown): Promise<readonly Part[]> {
  if (!udp) return [];
  teardown.add('udp', () => udp.close());
  await udp.open();
  const describe = (): PartStatus => ({ name: 'udp', state: 'open', detail: plain(udp.address ?? {}) });
  return [{ kind: 'link', watched: [], describe }];
}

async function startListeners(house: House, teardown: Teardown): Promise<readonly Part[]> {
  const { listen, limits } = house.config;
  const common = { ...house, ...limits };
  const parts: Part[] = [];
  if (listen.tcp) {
    const source = new TcpSource({ ...common, ...listen.tcp });
    parts.push(await openListener('tcp', source, undefined, house, teardown));
  }
  if (listen.tls) {
    const tls = await tlsServer('tls', listen.tls, house);
    const source = new TcpSource({ ...common, ...listen.tls, tls });
    parts.push(await openListener('tls', source, tls, house, teardown));
  }
  if (listen.websocket) {
    const { WebSocketSource } = await import('./links/websocket.ts');
    const tls = listen.websocket.tls && (await tlsServer('websocket', listen.websocket.tls, house));
    const source = new WebSocketSource({ ...common, ...listen.websocket, tls });
    parts.push(await openListener('websocket', source, tls, house, teardown));
  }
  return parts;
}

async function tlsServer(name: string, config: ServerTlsConfig, house: House): Promise<TlsServer> {
  const { TlsServer } = await import('./links/tls-server.ts');
  return new TlsServer({ ...house, ...house.config.limits, ...config, name });
}

async function openListener(
  name: string,
  source: LinkSource & { readonly address: object | undefined },
  tls: TlsServer | undefined,
  { connections }: House,
  teardown: Teardown,
): Promise<Part> {
  teardown.add(name, () => source.close());
  await source.open((link) => connections.accept(link));
  const describe = (): PartStatus => {
    const certificate = tls && { certificateExpires: tls.expires };
    return { name, state: 'open', detail: plain({ ...source.address, ...certificate }) };
  };
  return { kind: 'link', watched: [], describe, reload: async () => tls?.reload() };
}

async function startSerial(house: House, teardown: Teardown): Promise<readonly Part[]> {
  const { serial } = house.config;
  if (serial.length === 0) return [];
  const { SerialSource } = await import('./links/serial.ts');
  const parts: Part[] = [];
  for (const port of serial) {
    const source = new SerialSource({ ...house, config: port });
    const { name } = source.describe();
    teardown.add(name, () => source.close());
    await source.open((link) => house.connections.accept(link));
    parts.push({
      kind: 'link',
      watched: [{ name, progress: () => source.progress() }],
      describe: () => partStatus(source.describe()),
    });
  }
  return parts;
}

async function startCoap(house: House, teardown: Teardown): Promise<readonly Part[]> {
  const { coap } = house.config;
  if (!coap) return [];
  const { createCoapInlet } = await import('./inlets/coap.ts');
  const inlet = createCoapInlet({
    ...house,
    config: coap,
    queueOf: (clientId) => house.connections.queueOf(clientId),
  });
  teardown.add('coap', () => inlet.close());
  await inlet.open();
  return [{ kind: 'link', watched: [], describe: () => inlet.describe() }];
}

/** A part's own account of itself, in the shape of `hashike status`. */
function partStatus(own: { readonly name: string; readonly state: string }): PartStatus {
  const { name, state, ...detail } = own;
  return { name, state, detail: plain(detail) };
}

/** Records of plain values as JSON has them. */
function plain(record: object): Json {
  return { ...record };
}
