import type { Connection } from '../load/connection.ts';
import { Fleet } from '../load/fleet.ts';
import { Lane } from '../load/lane.ts';
import { Publisher } from '../load/publisher.ts';
import { type PeerName, startPeer } from '../peers/peer.ts';
import { cpuPerDelivery } from './throughput.ts';
import type { Turn } from './turns.ts';
import { type Effort, type Measurement, type Spread, spreadOf, type Work } from './work.ts';

const FEW = 10;
const SUBSCRIBERS = 10;
/** Filters of one SUBSCRIBE. */
const FILTERS_AT_ONCE = 500;
const CONTENT_BYTES = 16;
const WINDOW = 1024;
const CHUNK = 250;

/** How the CPU time of a message grows with the number of subscriptions, each of which takes one topic; each tenth by way of a wildcard. */
export const growth: Work = {
  id: 'subscriptions',
  peers: ['hashike', 'nats-server'],
  async measure(peers, effort) {
    const same: Partial<Record<PeerName, Spread>> = {};
    const all: Partial<Record<PeerName, Spread>> = {};
    for (const name of peers) {
      const ratios = await measurePeer(name, effort);
      same[name] = spreadOf(ratios.map(([ratio]) => ratio));
      all[name] = spreadOf(ratios.map(([, ratio]) => ratio));
    }
    const work = `${FEW} → ${effort.subscriptions.toLocaleString('en')} subscriptions`;
    const common = { work, unit: '×', rule: '≤ 1.5 ×', bar: () => 1.5 } satisfies Partial<Measurement>;
    return [
      { ...common, figure: 'CPU per message, of the same 10 topics', values: same },
      { ...common, figure: 'CPU per message, of all topics in turn', values: all },
    ];
  },
};

type Ratios = readonly [same: number, all: number];

async function measurePeer(name: PeerName, effort: Effort): Promise<readonly Ratios[]> {
  const turns: Turn[] = [];
  try {
    turns.push(await setUp(name, FEW, FEW, effort));
    turns.push(await setUp(name, effort.subscriptions, FEW, effort));
    turns.push(await setUp(name, effort.subscriptions, effort.subscriptions, effort));
    const [few, same, all] = turns;
    for (const turn of turns) await turn.measure();
    const ratios: Ratios[] = [];
    for (let round = 0; round < effort.rounds; round += 1) {
      const base = await cost(few);
      ratios.push([(await cost(same)) / base, (await cost(all)) / base]);
    }
    return ratios;
  } finally {
    await Promise.all(turns.map((turn) => turn.stop()));
  }
}

/** @param topics how many topics the messages go to, evenly spread over all that are subscribed to */
async function setUp(name: PeerName, subscriptions: number, topics: number, effort: Effort): Promise<Turn> {
  const peer = await startPeer(name);
  const fleet = new Fleet(peer, { resumable: false });
  const stop = async (): Promise<void> => {
    fleet.close();
    await peer.stop();
  };
  try {
    const subscribers = await fleet.connect(SUBSCRIBERS);
    await Promise.all(subscribers.map((subscriber, first) => subscribeAll(subscriber, first, subscriptions)));
    const [publisher] = await fleet.connect(1);
    if (!publisher) throw new Error('no publisher');
    const step = subscriptions / topics;
    const published = Array.from({ length: topics }, (_, index) => topicOf(Math.floor(index * step)));
    const options = { contentBytes: CONTENT_BYTES, reliable: false };
    const lane = new Lane({
      publishers: [new Publisher(publisher, peer.protocol, published, options, CHUNK)],
      subscribers,
      // Each message goes to one of the subscribers.
      deliveriesPerMessage: 1,
      perChunk: CHUNK,
      window: WINDOW,
    });
    return { name, stop, measure: cpuPerDelivery(peer, fleet, [lane], effort.turnSeconds) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Every `SUBSCRIBERS`th filter from `first` on. */
async function subscribeAll(subscriber: Connection, first: number, subscriptions: number): Promise<void> {
  const filters: string[] = [];
  for (let index = first; index < subscriptions; index += SUBSCRIBERS) {
    // Not the index itself, or one subscriber would have all wildcards.
    const wildcard = Math.floor(index / SUBSCRIBERS) % 10 === first;
    filters.push(wildcard ? `bench/device${index}/+` : topicOf(index));
  }
  for (let at = 0; at < filters.length; at += FILTERS_AT_ONCE) {
    await subscriber.subscribe(filters.slice(at, at + FILTERS_AT_ONCE), false);
  }
}

function topicOf(index: number): string {
  return `bench/device${index}/temperature`;
}

async function cost(turn: Turn | undefined): Promise<number> {
  return (await turn?.measure())?.[0] ?? Number.NaN;
}
