import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { Ledger } from './ledger.ts';

/** A message that a node got on one of its topics. */
export interface Command {
  readonly topic: string;
  /** The values of the content, concatenated. */
  readonly content: Uint8Array;
}

/** What a node keeps of its memory when the power goes: everything; its readings alone, so that some may arrive twice under another number; nothing. */
export type Keeps = 'all' | 'readings' | 'nothing';

/** What a device can do; a node with a radio or a wire, and a CoAP device. */
export interface Device {
  readonly clock: Clock;
  readonly random: Random;
  readonly ledger: Ledger;
  /** Makes a reading: `content` gives its bytes from its number. Kept until it is acknowledged, unless `reliable` is false. */
  take(topic: string, content: (sequence: number) => Uint8Array, reliable?: boolean): void;
}

/** What behaviours may do to their node. */
export interface Host extends Device {
  /** Nothing waits for an acknowledgement. */
  readonly settled: boolean;
  readonly asleep: boolean;
  /** Takes no more commands (credit 0), or takes them again. */
  hold(held: boolean): void;
  sleep(): void;
  wake(): void;
  reboot(keeps: Keeps): void;
  /** Puts bytes on the line between frames. */
  junk(bytes: Uint8Array): void;
}

/** One thing that a node does. It is started at each power-up and stopped when the power goes. */
export interface Behaviour<H extends Device = Host> {
  start(host: H): void;
  stop(): void;
  command?(command: Command): void;
}
