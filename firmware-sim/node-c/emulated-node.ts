import type { Ledger } from '../node/ledger.ts';
import { type Site, tokenOf } from '../site-plan.ts';
import { DeviceProcess } from './device-process.ts';
import { built, make } from './make.ts';

/** What is in firmware/thermometer.c: its token, and the speed of its line. */
export const EMULATED_NAME = 'avr-1';
const BAUD = 38_400;

/**
 * An emulated ATmega328P that runs firmware/thermometer.c in real time, its serial port on a pseudo-terminal. Its readings are numbered from 65,536 times the count of its
 * boots.
 */
export class EmulatedNode {
  readonly #path: string;
  readonly #process: DeviceProcess;
  /** Whether pin 13, the relay, is high. */
  relay = false;

  constructor(path: string) {
    this.#path = path;
    this.#process = new DeviceProcess([EMULATED_NAME], (line) => {
      if (line.startsWith('pin ')) this.relay = line === 'pin 1';
    });
  }

  get site(): Site {
    return {
      serial: [{ path: this.#path, baud: BAUD, name: EMULATED_NAME }],
      clients: [{ name: EMULATED_NAME, token: tokenOf(EMULATED_NAME) }],
    };
  }

  get ledger(): Ledger {
    const [ledger] = this.#process.ledgers;
    if (!ledger) throw new Error('the device has no ledger');
    return ledger;
  }

  /** How often it booted. */
  get boots(): number {
    return this.ledger.counts.get('boot') ?? 0;
  }

  start(seed = 1): void {
    make('build/thermometer.elf', 'build/simavr');
    this.#process.start(built('simavr'), [built('thermometer.elf'), this.#path, String(seed)]);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** The voltage of the sensor. */
  adc(millivolts: number): void {
    this.#process.tell('adc', millivolts);
  }

  /** Of a thousand bytes so many have a bit turned over, in each direction. */
  noise(permille: number): void {
    this.#process.tell('noise', permille);
  }

  cut(cut: boolean): void {
    this.#process.tell('cut', Number(cut));
  }

  /** Its program stops in the middle of the next frame that it sends, until its watchdog resets it. */
  hang(): void {
    this.#process.tell('hang');
  }

  /** A reset at this very moment. */
  reset(): void {
    this.#process.tell('reset');
  }
}
