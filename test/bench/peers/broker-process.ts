import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { cpus, setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { toolPath } from '../../support/tools.ts';

const START_TIMEOUT_MS = 20_000;

/** Brokers run on the last processor, everything else of the benchmark on the others. */
const brokerProcessor = cpus().length - 1;
const taskset = brokerProcessor > 0 ? toolPath('taskset') : undefined;

/** Keeps this process, which makes the load, off the processor of the brokers. */
export function pinLoad(): void {
  if (taskset === undefined) return;
  spawnSync(taskset, ['-a', '-c', '-p', `0-${brokerProcessor - 1}`, String(process.pid)], {
    stdio: 'ignore',
  });
}

/** Above whatever else the machine has to do, where that is allowed. */
const URGENT = -15;

/** Lets this process go before others while times are measured, and what it starts meanwhile; see `BrokerProcess.hurry`. */
export function hurryLoad(hurry: boolean): void {
  setUrgency(process.pid, hurry);
}

function setUrgency(pid: number | undefined, urgent: boolean): void {
  if (pid === undefined || process.getuid?.() !== 0) return;
  setPriority(pid, urgent ? URGENT : 0);
}

/** A unit in which /proc counts; Linux shows it to programs as a hundredth of a second on every architecture. */
const TICKS_PER_SECOND = 100;

/** One broker as a process of its own, pinned to its processor where the system can do that. */
export class BrokerProcess {
  readonly #child: ChildProcess;
  #output = '';
  /** From its start to the first connection that it accepted. */
  readyMs = 0;

  private constructor(command: string, args: readonly string[]) {
    const [program, ...all] =
      taskset === undefined ? [command, ...args] : [taskset, '-c', String(brokerProcessor), command, ...args];
    this.#child = spawn(program ?? command, all, { stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (text: Buffer): void => {
      this.#output = (this.#output + text.toString()).slice(-4000);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
  }

  /** Resolves when it accepts connections on `port` of loopback. */
  static async start(command: string, args: readonly string[], port: number): Promise<BrokerProcess> {
    const start = performance.now();
    const broker = new BrokerProcess(command, args);
    while (!(await accepts(port))) {
      const late = performance.now() - start > START_TIMEOUT_MS;
      if (late || broker.#child.exitCode !== null) {
        await broker.stop();
        throw new Error(`${command} does not start:\n${broker.#output}`);
      }
      await pause(2);
    }
    broker.readyMs = performance.now() - start;
    return broker;
  }

  /** What it has used of processors, in seconds, in user and in system mode, all threads. */
  get cpuSeconds(): number {
    const stat = this.#read('stat');
    // The fields after the name of the program, which may hold anything: utime and stime are the 14th and 15th of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** See `hurryLoad`. To be called before it has threads that matter. */
  hurry(): void {
    setUrgency(this.#child.pid, true);
  }

  /** Resident memory, in bytes. */
  get residentBytes(): number {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(this.#read('status'))?.[1];
    return Number(kilobytes) * 1024;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }

  #read(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8');
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
