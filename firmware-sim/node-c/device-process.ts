import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Ledger } from '../node/ledger.ts';
import { topicsOf, type Topics } from '../site-plan.ts';

/** Codes of host/nodes.c and firmware/thermometer.c. */
const outcomes = { A: 'acknowledged', R: 'rejected', F: 'overflowed', X: 'forgotten' } as const;

/**
 * A program of `host` with devices in it: it says a line for each event, and does what lines tell it. The devices' ledgers are kept here, outside, so that no reset loses
 * them.
 */
export class DeviceProcess {
  readonly ledgers: readonly Ledger[];
  readonly #topics: readonly Topics[];
  readonly #other: (line: string) => void;
  #child: ChildProcess | undefined;

  /** @param other gets the lines that are no event. */
  constructor(names: readonly string[], other: (line: string) => void = () => undefined) {
    this.ledgers = names.map((name) => new Ledger(name));
    this.#topics = names.map(topicsOf);
    this.#other = other;
  }

  start(program: string, args: readonly string[]): void {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
  }

  tell(...words: readonly (string | number)[]): void {
    this.#child?.stdin?.write(`${words.join(' ')}\n`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.stdin?.end();
    await ended;
  }

  #hear(line: string): void {
    const [, index = '', code = '', alias = '', digits = ''] =
      /^(\d+) ([A-Z]) (\d+) (\d+)$/v.exec(line) ?? [];
    const ledger = this.ledgers[Number(index)];
    const topics = this.#topics[Number(index)];
    if (!code || !ledger || !topics) {
      this.#other(line);
      return;
    }
    const number = Number(digits);
    const topic = [topics.readings, topics.state, topics.commands][Number(alias)] ?? `alias ${alias}`;
    if (code === 'M') ledger.make(topic);
    else if (code === 'B') ledger.count('boot', true);
    else if (code === 'C') {
      const content = number.toString(16).padStart(8, '0');
      ledger.command({ topic, content, number, at: Date.now() });
    } else if (code in outcomes) ledger.settle(outcomes[code as keyof typeof outcomes], topic, number);
  }
}
