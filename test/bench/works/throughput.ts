import { Fleet } from '../load/fleet.ts';
import { Lane } from '../load/lane.ts';
import { Publisher } from '../load/publisher.ts';
import { type Peer, type PeerName, startPeer } from '../peers/peer.ts';
import { takeTurns, type Turn } from './turns.ts';
import { type Effort, type Measurement, type Work } from './work.ts';

export interface ThroughputOptions {
  readonly id: string;
  readonly work: string;
  readonly peers: readonly PeerName[];
  /** Lanes side by side, each with a topic, publishers and subscribers of its own. */
  readonly lanes: number;
  readonly publishers: number;
  readonly subscribers: number;
  readonly contentBytes: number;
  readonly reliable: boolean;
  readonly rule: string;
  readonly bar: Measurement['bar'];
}

/** Bytes and messages that one subscriber may be behind: enough to keep a broker busy, and less than any broker drops. */
const WINDOW_BYTES = 256 * 1024;
const WINDOW_MESSAGES = 1024;
/** The same over all clients, where there are many. */
const WINDOW_MESSAGES_OF_MANY = 4096;
/** What a message is beside its content, roughly. */
const OVERHEAD_BYTES = 48;

/** CPU time of the broker for each delivery, as fast as it takes them. */
export function throughput(options: ThroughputOptions): Work {
  const { id, work, rule, bar } = options;
  return {
    id,
    peers: options.peers,
    async measure(peers, effort) {
      const [values = {}] = await takeTurns(
        peers.map((name) => () => setUp(name, options, effort)),
        effort,
      );
      return [{ work, figure: 'CPU per delivery', unit: 'µs', values, rule, bar }];
    },
  };
}

async function setUp(name: PeerName, options: ThroughputOptions, effort: Effort): Promise<Turn> {
  const peer = await startPeer(name);
  const fleet = new Fleet(peer, { resumable: options.reliable });
  const stop = async (): Promise<void> => {
    fleet.close();
    await peer.stop();
  };
  try {
    const lanes: Lane[] = [];
    for (let index = 0; index < options.lanes; index += 1) {
      lanes.push(await makeLane(`bench/lane${index}/data`, peer, fleet, options));
    }
    return {
      name,
      measure: cpuPerDelivery(peer, fleet, lanes, effort.turnSeconds),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeLane(
  topic: string,
  peer: Peer,
  fleet: Fleet,
  { publishers, subscribers, lanes, contentBytes, reliable }: ThroughputOptions,
): Promise<Lane> {
  const most = publishers * lanes > 1 ? WINDOW_MESSAGES_OF_MANY : WINDOW_MESSAGES;
  const all = Math.min(most, Math.floor(WINDOW_BYTES / (contentBytes + OVERHEAD_BYTES)));
  const window = Math.max(4, Math.floor(all / lanes));
  const perChunk = Math.max(1, Math.floor(window / 4 / publishers));
  const subscribed = await fleet.connect(subscribers);
  await Promise.all(subscribed.map((subscriber) => subscriber.subscribe([topic], reliable)));
  const publishing = await fleet.connect(publishers);
  return new Lane({
    publishers: publishing.map(
      (connection) => new Publisher(connection, peer.protocol, [topic], { contentBytes, reliable }, perChunk),
    ),
    subscribers: subscribed,
    perChunk,
    window,
  });
}

/**
 * Makes the measurement of one turn: microseconds of CPU for each delivery of a fixed number of messages. The first call finds the number that takes about `seconds`, also when nothing in it is
 * new to the broker any more.
 */
export function cpuPerDelivery(
  peer: Peer,
  fleet: Fleet,
  lanes: readonly Lane[],
  seconds: number,
): Turn['measure'] {
  let messages = 1;
  /** Runs of that number that took long enough. */
  let runs = 0;
  const run = async (): Promise<number> => {
    const timeout = Promise.withResolvers<never>();
    const timer = setInterval(() => {
      try {
        fleet.check();
      } catch (error) {
        timeout.reject(error);
      }
    }, 100);
    const late = setTimeout(
      () => timeout.reject(new Error(`${peer.name} does not deliver what was sent`)),
      20_000 + seconds * 10_000,
    );
    try {
      const deliveries = await Promise.race([
        Promise.all(lanes.map((lane) => lane.run(messages))),
        timeout.promise,
      ]);
      return deliveries.reduce((sum, count) => sum + count, 0);
    } finally {
      clearInterval(timer);
      clearTimeout(late);
    }
  };
  return async () => {
    while (runs < 2) {
      const start = performance.now();
      await run();
      const took = (performance.now() - start) / 1000;
      runs = took >= seconds / 2 ? runs + 1 : 0;
      if (runs === 0) messages = Math.ceil(messages * Math.min(8, (seconds / Math.max(took, 1e-3)) * 1.1));
    }
    const before = peer.process.cpuSeconds;
    const deliveries = await run();
    return [((peer.process.cpuSeconds - before) / deliveries) * 1e6];
  };
}
