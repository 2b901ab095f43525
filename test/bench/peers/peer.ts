import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/free-port.ts';
import { serviceFlags } from '../../support/service-flags.ts';
import { toolPath } from '../../support/tools.ts';
import { BENCH_TOKEN, hashikeProtocol } from '../protocols/hashike.ts';
import { mqttProtocol } from '../protocols/mqtt.ts';
import { natsProtocol } from '../protocols/nats.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { BrokerProcess } from './broker-process.ts';

export const peerNames = ['hashike', 'nats-server', 'mosquitto', 'aedes'] as const;
export type PeerName = (typeof peerNames)[number];

/** A broker that runs, and how to talk to it. */
export interface Peer {
  readonly name: PeerName;
  readonly protocol: Protocol;
  readonly port: number;
  readonly process: BrokerProcess;
  stop(): Promise<void>;
}

interface Kind {
  readonly protocol: Protocol;
  /** The program, or undefined where it is not installed. */
  readonly program: string | undefined;
  /** Arguments; files go below `folder`. */
  readonly args: (port: number, folder: string) => readonly string[];
}

const inRepository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** The gateway is measured as the service runs it: `buildGateway` has to have made it. */
const kinds: Readonly<Record<PeerName, Kind>> = {
  hashike: {
    protocol: hashikeProtocol,
    program: process.execPath,
    args: (port, folder) => [
      ...serviceFlags(),
      ...profiling(),
      inRepository('dist/main.js'),
      'run',
      '--config',
      hashikeConfig(port, folder),
    ],
  },
  'nats-server': {
    protocol: natsProtocol,
    program: toolPath('nats-server'),
    args: (port) => ['--addr', '127.0.0.1', '--port', String(port)],
  },
  mosquitto: {
    protocol: mqttProtocol,
    program: toolPath('mosquitto'),
    args: (port, folder) => ['-c', mosquittoConfig(port, folder)],
  },
  aedes: {
    protocol: mqttProtocol,
    program: process.execPath,
    args: (port) => [inRepository('test/bench/peers/aedes-broker.ts'), String(port)],
  },
};

/** Folder for CPU profiles of the gateway, if they are wanted. */
const profiles = process.env['HASHIKE_BENCH_PROFILES'];

function profiling(): readonly string[] {
  return profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
}

/** Builds the gateway that `startPeer` starts. */
export function buildGateway(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: inRepository('.'),
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (status !== 0) throw new Error('the gateway cannot be built');
}

/** Those of `names` that can be started here. */
export function installed(names: readonly PeerName[]): readonly PeerName[] {
  return names.filter((name) => kinds[name].program !== undefined);
}

/** Starts a broker on a free port of loopback. */
export async function startPeer(name: PeerName): Promise<Peer> {
  const { protocol, program, args } = kinds[name];
  if (program === undefined) throw new Error(`${name} is not installed: apt-get install ${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'hashike-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const port = await freePort();
    const process = await BrokerProcess.start(program, args(port, folder), port);
    const stop = async (): Promise<void> => {
      // A profile is written at an orderly end.
      await process.stop(profiles !== undefined && name === 'hashike' ? 'SIGTERM' : 'SIGKILL');
      remove();
    };
    return { name, protocol, port, process, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Every bound is as it ships, but for how many clients and subscriptions there may be; they need tokens and permissions as any client. */
function hashikeConfig(port: number, folder: string): string {
  const path = join(folder, 'hashike.yaml');
  const token = createHash('sha256').update(BENCH_TOKEN).digest('hex');
  const config = {
    gateway: { name: 'bench', stateDirectory: join(folder, 'state'), runtimeDirectory: join(folder, 'run') },
    log: { level: 'error' },
    listen: { tcp: { port } },
    clients: [
      { name: 'b', shared: true, token: `sha256:${token}`, publish: ['bench/#'], subscribe: ['bench/#'] },
    ],
    limits: { connections: 20_000, subscriptionsPerClient: 100_000, subscriptionsPerToken: 100_000 },
  };
  // JSON is YAML.
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Without bounds on queues, and with small packets sent at once, as the other brokers do. */
function mosquittoConfig(port: number, folder: string): string {
  const path = join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'log_type error',
    'max_queued_messages 0',
    'max_inflight_messages 1000',
    'set_tcp_nodelay true',
    // As root it would otherwise become a user that cannot read this folder.
    `user ${process.env['USER'] ?? 'root'}`,
  ];
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
