import { idle, sessions } from './footprint.ts';
import { growth } from './growth.ts';
import { latency } from './latency.ts';
import { throughput, type ThroughputOptions } from './throughput.ts';
import { timesPeers, type Work } from './work.ts';

const bestEffort = {
  peers: ['hashike', 'nats-server'],
  lanes: 1,
  publishers: 1,
  subscribers: 1,
  contentBytes: 16,
  reliable: false,
  rule: '≤ 1.2 × nats-server',
  bar: timesPeers({ 'nats-server': 1.2 }),
} satisfies Partial<ThroughputOptions>;

/** Every line of the table, in its order. */
export const works: readonly Work[] = [
  throughput({
    ...bestEffort,
    id: '1-1',
    work: '1 → 1, best effort',
    peers: ['hashike', 'nats-server', 'mosquitto', 'aedes'],
    rule: '≤ 1.0 × nats-server, ≤ 1/20 × mosquitto QoS 0, ≤ 1/20 × aedes',
    bar: timesPeers({ 'nats-server': 1, mosquitto: 1 / 20, aedes: 1 / 20 }),
  }),
  throughput({ ...bestEffort, id: '1-10', work: '1 → 10', subscribers: 10 }),
  throughput({ ...bestEffort, id: '1-100', work: '1 → 100', subscribers: 100 }),
  throughput({ ...bestEffort, id: '100-1', work: '100 → 1', publishers: 100 }),
  throughput({ ...bestEffort, id: 'pairs', work: '100 pairs', lanes: 100 }),
  throughput({ ...bestEffort, id: '1kb', work: '1 → 1, 1 KB', contentBytes: 1024 }),
  throughput({ ...bestEffort, id: '32kb', work: '1 → 1, 32 KB', contentBytes: 32 * 1024 }),
  throughput({
    ...bestEffort,
    id: 'reliable',
    work: '1 → 1, reliable, acknowledged, resumable',
    peers: ['hashike', 'mosquitto'],
    reliable: true,
    rule: '≤ 1/10 × mosquitto QoS 1',
    bar: timesPeers({ mosquitto: 1 / 10 }),
  }),
  latency('latency-1k', 1000),
  latency('latency-20k', 20_000),
  growth,
  sessions,
  idle,
];
