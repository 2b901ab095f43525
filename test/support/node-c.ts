import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { Deframer, wrap } from '../../firmware-sim/codec/framing.ts';
import { built } from '../../firmware-sim/node-c/make.ts';

/** How long a program may take to build, on a machine that has other things to do. */
export const BUILD_MS = 120_000;

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

/** What the node answered to a request of `LiveNode`. */
export interface Answer {
  /** `cut`: the power was lost meanwhile, see `tear`. */
  readonly result: 'ok' | 'full' | 'cut';
  readonly state: 'connecting' | 'rejoining' | 'resuming' | 'up' | 'asleep';
  readonly waiting: number;
  /** What its application was told since the last request: `command …`, `acknowledged …` in words. */
  readonly told: string;
  /** Frames that it sent, as hex. */
  readonly sent: readonly string[];
  /** The same as it went on the line. */
  readonly bytes: number;
}

const states = ['connecting', 'rejoining', 'resuming', 'up', 'asleep'] as const;

/** One node in C whose clock and line are the test's. */
export class LiveNode implements AsyncDisposable {
  readonly #probe = new Probe('session');

  /** With an empty store, and SUBSCRIBE to these filters. */
  async start(...filters: readonly string[]): Promise<Answer> {
    return this.#ask('start', ...filters);
  }

  /** Loses its memory, but not its store. */
  async reset(): Promise<Answer> {
    return this.#ask('reset');
  }

  /** Its clock goes to `ms`, and it looks what is due. */
  async at(ms: number): Promise<Answer> {
    return this.#ask('at', ms);
  }

  /** A frame from the gateway, as hex. */
  async in(frame: string): Promise<Answer> {
    const bytes = Uint8Array.from(Buffer.from(frame.replaceAll(' ', ''), 'hex'));
    return this.#ask('in', Buffer.from(wrap(bytes)).toString('hex'));
  }

  async take(content: string, { alias = 1, reliable = true } = {}): Promise<Answer> {
    return this.#ask('take', Number(reliable), alias, content);
  }

  async sleep(): Promise<Answer> {
    return this.#ask('sleep');
  }

  async wake(resume = false): Promise<Answer> {
    return this.#ask('wake', Number(resume));
  }

  /** The application takes no commands, until `ready`. */
  async busy(): Promise<Answer> {
    return this.#ask('busy');
  }

  async ready(): Promise<Answer> {
    return this.#ask('ready');
  }

  /** Turns bits of one byte of its store. */
  async corrupt(at: number): Promise<Answer> {
    return this.#ask('corrupt', at);
  }

  /** After so many more bytes for the store the power is lost in the middle of a write, and comes back at once. */
  async tear(bytes: number): Promise<Answer> {
    return this.#ask('tear', bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#probe[Symbol.asyncDispose]();
  }

  async #ask(...words: readonly (string | number)[]): Promise<Answer> {
    const line = await this.#probe.ask(...words);
    const match = /^(ok|full|cut) state (\d) waiting (\d+)(.*) sent (\S+)$/v.exec(line);
    if (!match) throw new Error(line);
    const [, result = 'ok', state = '', waiting = '', told = '', bytes = ''] = match;
    return {
      result: result as Answer['result'],
      state: states[Number(state)] ?? 'connecting',
      waiting: Number(waiting),
      told: told.trim(),
      sent: framesOf(bytes),
      bytes: bytes === '-' ? 0 : bytes.length / 2,
    };
  }
}

/** CONNACK_SUCCESS for a session whose last two bytes are these four hex digits; without a keep-alive unless one is given. */
export function welcome(session = '0708', keepAlive = 0): string {
  const id = `010203040506${session}`;
  const key = '000102030405060708090a0b0c0d0e0f';
  return `0003004800000001 01030006 67617264656e0000 01040008 ${id} 01080010 ${key} 01020004 ${keepAlive.toString(16).padStart(8, '0')} 01090004 0000ea60 010a0008 0000019b77ef4c00`;
}

/** CONNACK_RESUMED, or CONNACK_FAILED_SESSION_EXPIRED, with the last number received. */
export function resumed(received: number): string {
  return `0004001400000001 01050004 ${received.toString(16).padStart(8, '0')} 010a0008 0000019b77ef4c00`;
}

export function expired(received?: number): string {
  return received === undefined
    ? '0012000000000000'
    : `0012000800000000 01050004 ${received.toString(16).padStart(8, '0')}`;
}
