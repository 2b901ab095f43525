import { split } from '../codec/layout.ts';
import { encodeLong, make, message, type Section } from '../codec/long-form.ts';
import { encodeReadings, encodeShort } from '../codec/short-form.ts';
import type { Channel } from './channel.ts';

export interface Reading {
  readonly sequence: number;
  readonly content: Uint8Array;
  /** By the node's own clock. */
  readonly takenAt: number;
}

/** A numbered message that a node sends: readings of one channel, or something of the long form. */
export type Outbound =
  | { readonly kind: 'readings'; readonly channel: Channel; readonly readings: readonly Reading[] }
  | { readonly kind: 'control'; readonly type: number; readonly sections: readonly Section[] };

/** What a node knows at the moment of sending. */
export interface Moment {
  readonly now: number;
  /** To be added to `now` for the server's session clock (3.1.3); undefined before the first CONNACK. */
  readonly sessionClock: number | undefined;
  /** Whether the alias of this channel is in force (6.1.2). */
  readonly inForce: boolean;
}

/** Beyond this age a reading goes as a batch, which tells its age (6.1.6). */
const FRESH_MS = 1000;

/** The frame of a numbered message; undefined for several readings whose alias is not in force yet. */
export function encodeOutbound(outbound: Outbound, id: number, moment: Moment): Uint8Array | undefined {
  if (outbound.kind === 'control') {
    const sections = [make('messageId', [id, 4]), ...outbound.sections];
    return encodeLong({ type: outbound.type, timestamp: 0, sections });
  }
  const { channel, readings } = outbound;
  const [first] = readings;
  if (!first) return undefined;
  if (!moment.inForce) {
    return readings.length > 1 ? undefined : encodeLongPublish(channel, first, moment, id);
  }
  const { alias, layout } = channel;
  const id8 = id % 256;
  const age = (reading: Reading): number => Math.max(0, Math.round(moment.now - reading.takenAt));
  if (readings.length === 1 && age(first) <= FRESH_MS)
    return encodeShort({ kind: 'reliable', alias, id8, content: first.content });
  const aged = readings.map((reading) => ({ age: age(reading), content: reading.content }));
  const batch = encodeReadings(layout, aged);
  return encodeShort({ kind: 'batch', alias, id8, count: readings.length, readings: batch });
}

/** The frame of a best-effort reading. */
export function encodeBestEffort(channel: Channel, reading: Reading, moment: Moment): Uint8Array {
  return moment.inForce
    ? encodeShort({ kind: 'publish', alias: channel.alias, content: reading.content })
    : encodeLongPublish(channel, reading, moment);
}

function encodeLongPublish(
  { topic, layout }: Channel,
  reading: Reading,
  moment: Moment,
  id?: number,
): Uint8Array {
  const number = id === undefined ? [] : [make('messageId', [id, 4])];
  // What was taken before the session began has no time on the session's clock, and 0 says that it is not known (3.1.3).
  const taken = moment.sessionClock === undefined ? 0 : Math.round(reading.takenAt + moment.sessionClock);
  const timestamp = Math.max(0, taken) % 0x1_0000_0000;
  const sections = [...number, make('topic', topic), ...split(layout, reading.content)];
  return encodeLong({ type: message.publish, timestamp, sections });
}
