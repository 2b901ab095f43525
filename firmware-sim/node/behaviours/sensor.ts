import type { Timer } from '../../clock.ts';
import type { Behaviour, Device } from '../behaviour.ts';
import { uint } from '../../codec/bytes.ts';

/** Bytes of a sensor's reading: u32 number, i16 value; the alias's layout of `fleet.ts` says the same. */
export function readingContent(sequence: number): Uint8Array {
  const content = new Uint8Array(6);
  content.set(uint(sequence, 4));
  new DataView(content.buffer).setInt16(4, readingValue(sequence));
  return content;
}

/** The value of a reading, in hundredths of a degree, from its number: whoever has both can prove that neither was damaged. */
export function readingValue(sequence: number): number {
  return Math.round(2000 + 1500 * Math.sin(sequence / 20));
}

export interface SensorOptions {
  readonly topic: string;
  readonly intervalMs: number;
  /** Default true. */
  readonly reliable?: boolean;
}

/** Makes a reading at each interval, asleep or awake, the first one at a random part of it. */
export function sensor({ topic, intervalMs, reliable = true }: SensorOptions): Behaviour<Device> {
  let timer: Timer | undefined;
  const next = (device: Device, ms: number): void => {
    timer = device.clock.after(ms, () => {
      next(device, intervalMs);
      device.take(topic, readingContent, reliable);
    });
  };
  return {
    start: (device) => next(device, device.random.fraction() * intervalMs),
    stop: () => timer?.cancel(),
  };
}
