/**
 * How much of a serial line's capacity reliable readings of 16 bytes use, in virtual time, at several rates of lost frames (both directions). Run with
 *
 *     npx -c 'node test/bench/session-goodput.ts'
 */
import { VirtualClock } from '../support/virtual-clock.ts';
import { join, reading, Side, values } from '../support/session-pair.ts';

const CONTENT_BYTES = 16;
/** First byte, id8, CRC and stuffing. */
const OVERHEAD_BYTES = 6;
const SECONDS = 30;

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function run(
  baud: number,
  loss: number,
  settleMs: number,
): { readonly goodput: number; readonly rtt: number } {
  const clock = new VirtualClock();
  const random = generator(baud + loss * 1000);
  const medium = {
    capabilities: { reliable: false, shortForm: true, mtu: 1024, bitRate: baud },
    latencyMs: 1,
    loses: () => random() < loss,
  };
  const session = {
    aliases: [{ aliasId: 1, topic: 't', layout: [{ contentType: 0x8000, length: CONTENT_BYTES }] }],
  };
  const node = new Side({ clock, side: 'client', session });
  const gateway = new Side({ clock, side: 'server', session, settleAfter: () => settleMs });
  join(clock, medium, node, gateway, 'handshake');
  let next = 0;
  // Always something to send, and nothing that grows old in the queue. Bytes are those of the long form.
  const target = Math.max(200, baud / 10);
  const feed = (): void => {
    while (node.pipe.session.queuedBytes < target) node.send(reading(next++, CONTENT_BYTES));
    clock.after(5, feed);
  };
  feed();
  clock.advance(SECONDS * 1000);
  const got = values(gateway.received, true);
  if (got.some((value, index) => value !== index)) throw new Error('out of order');
  const goodput = (got.length * (CONTENT_BYTES + OVERHEAD_BYTES) * 10) / baud / SECONDS;
  return { goodput, rtt: node.pipe.session.roundTripMs ?? 0 };
}

for (const baud of [300, 9600, 115_200, 1_000_000]) {
  for (const settleMs of [0, 15]) {
    for (const loss of [0, 0.01, 0.1]) {
      const { goodput, rtt } = run(baud, loss, settleMs);
      console.log(
        `${baud} baud, ${loss * 100} % lost, settled after ${settleMs} ms: ${(goodput * 100).toFixed(1)} % of the line, round trip ${rtt.toFixed(0)} ms`,
      );
    }
  }
}
