import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Log lines kept for whoever asks what went wrong. */
const KEPT_LINES = 500;

/** One line of the gateway's log; pino's numbers: 30 info, 40 warning, 50 error. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The gateway as a process of its own, as it runs at a site: to be started, asked, killed and started again. */
export class GatewayProcess {
  readonly #configPath: string;
  readonly #entry: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  readonly log: LogLine[] = [];

  /** @param entry the program; default: the sources beside this folder. @param flags for Node. */
  constructor(
    configPath: string,
    entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url)),
    flags: readonly string[] = [],
  ) {
    this.#configPath = configPath;
    this.#entry = entry;
    this.#flags = flags;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it and resolves when it says that it is ready. Rejects with its last log lines when it ends before. */
  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [...this.#flags, this.#entry, 'run', '--config', this.#configPath],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      const ended = (code: number | null): void =>
        reject(new Error(`the gateway ended with code ${code} before it was ready:\n${this.lastLines()}`));
      child.once('error', reject);
      child.once('exit', ended);
      createInterface({ input: child.stderr }).on('line', (text) => {
        const line = parseLine(text);
        if (this.log.push(line) > KEPT_LINES) this.log.shift();
        if (line['event'] !== 'ready') return;
        child.off('exit', ended);
        resolve();
      });
    });
  }

  /** Ends it and resolves when it is gone: 'SIGKILL' for a crash, 'SIGTERM' for a clean stop. Gives the exit code, null after a signal. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exit = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exit) as [number | null];
    return code;
  }

  lastLines(count = 10): string {
    return this.log
      .slice(-count)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: 50, msg: text };
  }
}

/** What the gateway says of itself on its status socket; undefined when it does not answer. */
export function askStatus(socketPath: string): Promise<Record<string, unknown> | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/status', timeout: 2000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(parseLine(text)));
      response.on('error', () => resolve(undefined));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
