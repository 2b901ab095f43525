import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import type { Certificates } from './certificates.ts';

export interface MosquittoOptions {
  /** User name and password that every client must give. */
  readonly login?: { readonly user: string; readonly password: string };
  /** TLS; with `clients`, a certificate of the same authority is demanded. */
  readonly tls?: { readonly certificates: Certificates; readonly clients: boolean };
  /** Lines of an access list, such as `topic write a/#`; everything else is then denied. */
  readonly access?: readonly string[];
  /** More lines of mosquitto.conf. */
  readonly lines?: readonly string[];
}

/**
 * A real mosquitto on a free port of 127.0.0.1, which a test starts and stops as it likes. Sessions and retained messages survive a
 * stop, as with a broker that is restarted properly.
 */
export class Mosquitto implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #secure: boolean;
  #process: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, folder: string, secure: boolean) {
    this.port = port;
    this.#folder = folder;
    this.#secure = secure;
  }

  static async start(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const folder = mkdtempSync(join(tmpdir(), 'hashike-mosquitto-'));
    const broker = new Mosquitto(await freePort(), folder, options.tls !== undefined);
    try {
      broker.#configure(options);
      await broker.start();
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
    return broker;
  }

  get url(): string {
    return `${this.#secure ? 'mqtts://localhost' : 'mqtt://127.0.0.1'}:${this.port}`;
  }

  /** What it has written to its log so far. */
  get output(): string {
    return this.#output;
  }

  /** Starts it, or starts it again. Resolves when it accepts connections. */
  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-v', '-c', join(this.#folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Debian keeps daemons in sbin, which the PATH of a user who is not root leaves out.
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
    });
    const keep = (text: Buffer): void => {
      this.#output += text.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.#process = child;
    while (!(await accepts(this.port))) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended:\n${this.#output}`);
      await pause(10);
    }
  }

  /** Ends it: properly, or with SIGKILL as a crash does. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Halts it, connections open and nothing answered, until `thaw`. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configure({ login, tls, access, lines = [] }: MosquittoOptions): void {
    const file = (name: string): string => join(this.#folder, name);
    const conf = [
      `listener ${this.port} 127.0.0.1`,
      `allow_anonymous ${String(!login)}`,
      'persistence true',
      `persistence_location ${this.#folder}/`,
      // As root it would otherwise become a user that cannot read this folder.
      `user ${process.env['USER'] ?? 'root'}`,
      ...lines,
    ];
    if (login) {
      writeFileSync(file('passwords'), `${login.user}:${login.password}\n`, { mode: 0o600 });
      execFileSync('mosquitto_passwd', ['-U', file('passwords')]);
      conf.push(`password_file ${file('passwords')}`);
    }
    if (access) {
      writeFileSync(file('access'), `${access.join('\n')}\n`);
      conf.push(`acl_file ${file('access')}`);
    }
    if (tls) {
      const { ca, server } = tls.certificates;
      conf.push(`cafile ${ca}`, `certfile ${server.cert}`, `keyfile ${server.key}`);
      conf.push(`require_certificate ${String(tls.clients)}`);
    }
    writeFileSync(file('mosquitto.conf'), `${conf.join('\n')}\n`);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
