import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { Deframer } from '../../firmware-sim/codec/framing.ts';
import { built } from '../../firmware-sim/node-c/make.ts';

/** The probe (host/probe.c): a line asked, a line answered. */
export class Probe implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: ((line: string) => void)[] = [];
  #errors = '';

  constructor(...args: readonly string[]) {
    const child = spawn(built('probe'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stderr.on('data', (text: Buffer) => {
      this.#errors += text.toString();
    });
    this.#lines = createInterface({ input: child.stdout }).on('line', (line) =>
      this.#answers.shift()?.(line.trim()),
    );
    child.once('exit', () => {
      for (const answer of this.#answers) answer(`the probe ended: ${this.#errors}`);
    });
  }

  async ask(...words: readonly (string | number)[]): Promise<string> {
    if (this.#child.exitCode !== null) throw new Error(`the probe has ended: ${this.#errors}`);
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.#child.stdin?.write(`${words.join(' ')}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.stdin?.end();
      await ended;
    }
    this.#lines.close();
  }
}

/** Frames of line bytes in hex, each in hex. */
export function framesOf(line: string): string[] {
  const frames = new Deframer().push(Uint8Array.from(Buffer.from(line === '-' ? '' : line, 'hex')));
  return frames.map((frame) => Buffer.from(frame).toString('hex'));
}
