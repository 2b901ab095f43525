import { join, reading, Side, values } from './session-pair.ts';
import { VirtualClock } from './virtual-clock.ts';

const CONTENT_BYTES = 16;
/** First byte, id8, CRC and stuffing. */
const OVERHEAD_BYTES = 6;

export interface GoodputOptions {
  readonly baud: number;
  /** Part of the frames that is lost, in both directions. */
  readonly loss: number;
  /** How long custody takes. */
  readonly settleMs: number;
  readonly seconds: number;
}

/**
 * Reliable readings of 16 bytes from a node that always has some, over a serial line in virtual time. Gives how much of the line's capacity those took that arrived, each counted once.
 */
export function goodput({ baud, loss, settleMs, seconds }: GoodputOptions): number {
  const clock = new VirtualClock();
  let state = baud + loss * 1000;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const medium = {
    capabilities: { reliable: false, shortForm: true, mtu: 1024, bitRate: baud },
    latencyMs: 1,
    loses: () => random() < loss,
  };
  const layout = [{ contentType: 0x8000, length: CONTENT_BYTES }];
  const session = { aliases: [{ aliasId: 1, topic: 't', layout }] };
  const node = new Side({ clock, side: 'client', session });
  const gateway = new Side({ clock, side: 'server', session, settleAfter: () => settleMs });
  join(clock, medium, node, gateway, 'handshake');
  let next = 0;
  // Little waits, so that no reading grows old before it is sent; the queue counts bytes of the long form.
  const target = Math.max(200, baud / 10);
  const feed = (): void => {
    while (node.pipe.session.queuedBytes < target) node.send(reading(next++, CONTENT_BYTES));
    clock.after(5, feed);
  };
  feed();
  clock.advance(seconds * 1000);
  const got = values(gateway.received, true);
  if (got.some((value, index) => value !== index)) throw new Error('readings arrived out of order');
  return (got.length * (CONTENT_BYTES + OVERHEAD_BYTES) * 10) / baud / seconds;
}
