import { setTimeout as pause } from 'node:timers/promises';
import { Fleet } from '../load/fleet.ts';
import { hurryLoad } from '../peers/broker-process.ts';
import { type PeerName, startPeer } from '../peers/peer.ts';
import { type Effort, type Spread, spreadOf, type Work } from './work.ts';

const all: readonly PeerName[] = ['hashike', 'nats-server', 'mosquitto', 'aedes'];
const MEGABYTE = 1024 * 1024;

/** Time to be ready after a start, and memory while nothing happens. */
export const idle: Work = {
  id: 'idle',
  peers: all,
  async measure(peers, effort) {
    // What is started inherits it.
    hurryLoad(true);
    const { ready, memory } = await startInRounds(peers, effort).finally(() => hurryLoad(false));
    return [
      {
        work: 'idle process',
        figure: 'resident memory',
        unit: 'MB',
        values: memory,
        rule: '≤ 90 MB',
        bar: () => 90,
      },
      { work: 'start', figure: 'time to ready', unit: 'ms', values: ready, rule: '≤ 1 s', bar: () => 1000 },
    ];
  },
};

async function startInRounds(peers: readonly PeerName[], effort: Effort) {
  const ready: Partial<Record<PeerName, Spread>> = {};
  const memory: Partial<Record<PeerName, Spread>> = {};
  for (const name of peers) {
    const readyMs: number[] = [];
    const megabytes: number[] = [];
    for (let round = 0; round < effort.rounds; round += 1) {
      const peer = await startPeer(name);
      readyMs.push(peer.process.readyMs);
      await pause(effort.settleMs / 4);
      megabytes.push(peer.process.residentBytes / MEGABYTE);
      await peer.stop();
    }
    ready[name] = spreadOf(readyMs);
    memory[name] = spreadOf(megabytes);
  }
  return { ready, memory };
}

/** Memory of connected sessions that do nothing. */
export const sessions: Work = {
  id: 'sessions',
  peers: ['hashike', 'nats-server', 'mosquitto'],
  async measure(peers, effort) {
    const values: Partial<Record<PeerName, Spread>> = {};
    for (const name of peers) values[name] = spreadOf([await kilobytesPerSession(name, effort)]);
    return [
      {
        work: `${effort.sessions.toLocaleString('en')} idle connected sessions`,
        figure: 'memory of each above idle',
        unit: 'KB',
        values,
        rule: '≤ 10 KB',
        bar: () => 10,
      },
    ];
  },
};

async function kilobytesPerSession(name: PeerName, effort: Effort): Promise<number> {
  const peer = await startPeer(name);
  const fleet = new Fleet(peer, { resumable: false });
  try {
    await pause(effort.settleMs / 4);
    const before = peer.process.residentBytes;
    await fleet.connect(effort.sessions);
    await pause(effort.settleMs);
    fleet.check();
    return (peer.process.residentBytes - before) / 1024 / effort.sessions;
  } finally {
    fleet.close();
    await peer.stop();
  }
}
