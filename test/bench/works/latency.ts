import type { Connection } from '../load/connection.ts';
import { Fleet } from '../load/fleet.ts';
import { hurryLoad } from '../peers/broker-process.ts';
import { type PeerName, startPeer } from '../peers/peer.ts';
import { takeTurns, type Turn } from './turns.ts';
import { type Effort, percentile, timesPeers, type Work } from './work.ts';

const CONTENT_BYTES = 16;
const TOPIC = 'bench/latency/data';
/** A broker that runs for months is not measured by its first thousand messages, while compilers still look at its code. */
const WARM_UP_PER_SECOND = 20_000;
const WARM_UP_TURNS = 3;
/** One stall of the machine decides the p99 of a turn, so its median needs more turns than that of processor time. */
const TURNS_A_ROUND = 5;

/** How long messages at a given rate take from the publisher's write to the subscriber's read; one of each. */
export function latency(id: string, perSecond: number): Work {
  const peers: readonly PeerName[] = ['hashike', 'nats-server', 'mosquitto'];
  return {
    id,
    peers,
    async measure(names, effort) {
      hurryLoad(true);
      const figures = await takeTurns(
        names.map((name) => () => setUp(name, perSecond, effort)),
        { ...effort, rounds: TURNS_A_ROUND * effort.rounds },
      ).finally(() => hurryLoad(false));
      return ['p50', 'p99'].map((figure, index) => ({
        work: `latency at ${perSecond.toLocaleString('en')} messages/s`,
        figure,
        unit: 'ms',
        values: figures[index] ?? {},
        rule: 'no worse than mosquitto and nats-server',
        bar: timesPeers({ mosquitto: 1, 'nats-server': 1 }),
      }));
    },
  };
}

async function setUp(name: PeerName, perSecond: number, effort: Effort): Promise<Turn> {
  const peer = await startPeer(name);
  peer.process.hurry();
  const fleet = new Fleet(peer, { resumable: false });
  const stop = async (): Promise<void> => {
    fleet.close();
    await peer.stop();
  };
  try {
    const [subscriber, publisher] = await fleet.connect(2);
    if (!subscriber || !publisher) throw new Error('no clients');
    await subscriber.subscribe([TOPIC], false);
    const template = peer.protocol.publish({ topic: TOPIC, contentBytes: CONTENT_BYTES, reliable: false });
    const count = Math.ceil(perSecond * effort.turnSeconds);
    await sendPaced(
      publisher,
      template,
      WARM_UP_PER_SECOND * WARM_UP_TURNS * effort.turnSeconds,
      WARM_UP_PER_SECOND,
    );
    return {
      name,
      stop,
      async measure() {
        const took = new Float64Array(count);
        let heard = 0;
        const { promise, resolve } = Promise.withResolvers<void>();
        subscriber.onDeliveries({
          inspect(bytes, end) {
            const sentAt = bytes.readDoubleBE(end - peer.protocol.trailerBytes - CONTENT_BYTES);
            took[heard] = performance.now() - sentAt;
            heard += 1;
          },
          delivered() {
            if (heard >= count) resolve();
          },
        });
        const timer = setTimeout(resolve, 20_000 + effort.turnSeconds * 5000);
        await sendPaced(publisher, template, count, perSecond);
        await promise;
        clearTimeout(timer);
        fleet.check();
        if (heard < count) throw new Error(`${name} delivered ${heard} of ${count}`);
        took.sort();
        return [percentile(took, 0.5), percentile(took, 0.99)];
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Sends `count` messages, each with the moment of its write. Looks at the clock in every turn of the event loop: a timer is too coarse. */
async function sendPaced(
  publisher: Connection,
  { frame, contentAt }: { readonly frame: Buffer; readonly contentAt: number },
  count: number,
  perSecond: number,
): Promise<void> {
  const start = performance.now();
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  const turn = (): void => {
    const due = Math.min(count, Math.floor(((performance.now() - start) / 1000) * perSecond));
    for (; sent < due; sent += 1) {
      const bytes = Buffer.from(frame);
      bytes.writeDoubleBE(performance.now(), contentAt);
      publisher.write(bytes);
    }
    if (sent < count) setImmediate(turn);
    else resolve();
  };
  turn();
  await promise;
}
