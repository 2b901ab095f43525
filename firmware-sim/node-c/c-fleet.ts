import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { addSums, type Ledger, type LedgerSums } from '../node/ledger.ts';
import { type Site, tokenOf } from '../site-plan.ts';
import { DeviceProcess } from './device-process.ts';
import { built, make } from './make.ts';

export interface CFleetOptions {
  /** Between two readings of a node; default 1000. */
  readonly intervalMs?: number;
  /** Of the noise; default 1. */
  readonly seed?: number;
}

/**
 * Nodes that run the library in C, all in one process, each on a pseudo-terminal of its own below one directory; with the sensor and the actuator of the other nodes. The
 * context of each stands in a store that `reset` keeps.
 */
export class CFleet {
  readonly #names: readonly string[];
  readonly #directory: string;
  readonly #options: CFleetOptions;
  readonly #process: DeviceProcess;

  constructor(names: readonly string[], directory: string, options: CFleetOptions = {}) {
    this.#names = names;
    this.#directory = directory;
    this.#options = options;
    this.#process = new DeviceProcess(names);
  }

  /** For the gateway's configuration: see `configurationOf` and `yamlOf`. */
  get site(): Site {
    return {
      serial: this.#names.map((name) => ({ path: this.#path(name), baud: 115_200, name })),
      clients: this.#names.map((name) => ({ name, token: tokenOf(name) })),
    };
  }

  get ledgers(): readonly Ledger[] {
    return this.#process.ledgers;
  }

  get sums(): LedgerSums {
    return addSums(this.ledgers);
  }

  /** Builds the program where that is due, plugs the devices in and powers the nodes up. */
  start(): void {
    if (this.#names.length === 0) return;
    make('build/nodes');
    mkdirSync(this.#directory, { recursive: true });
    const { intervalMs = 1000, seed = 1 } = this.#options;
    const nodes = this.#names.flatMap((name) => [name, tokenOf(name), this.#path(name)]);
    this.#process.start(built('nodes'), [String(intervalMs), String(seed), ...nodes]);
  }

  /** Power off, and the devices vanish. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** No node takes readings any more, until `resume`. */
  pause(): void {
    this.#process.tell('stop');
  }

  resume(): void {
    this.#process.tell('start');
  }

  /** Of a thousand bytes so many have a bit turned over, in each direction. */
  noise(name: string, permille: number): void {
    this.#tell(name, 'noise', permille);
  }

  cut(name: string, cut: boolean): void {
    this.#tell(name, 'cut', Number(cut));
  }

  sleep(name: string): void {
    this.#tell(name, 'sleep');
  }

  /** Back from sleep with RESUME. */
  wake(name: string): void {
    this.#tell(name, 'wake');
  }

  /** The node loses its power and its memory, but not its store. */
  reset(name: string): void {
    this.#tell(name, 'reset');
  }

  /** The node loses its store too, and with it the readings that are not acknowledged. */
  forget(name: string): void {
    this.#tell(name, 'forget');
  }

  #tell(name: string, verb: string, value = 0): void {
    this.#process.tell(verb, this.#names.indexOf(name), value);
  }

  #path(name: string): string {
    return join(this.#directory, `tty-${name}`);
  }
}
