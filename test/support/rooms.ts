import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse, stringify } from 'yaml';
import { freeUdpPort } from '../../firmware-sim/site/free-udp-port.ts';
import { GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';
import { repositoryRoot } from '../../scripts/lib-findings.ts';
import { freePort } from './free-port.ts';

/** Of examples/rooms/hashike.yaml. */
export const ROOMS_TOKEN = 'a token for the example';

/** The example with rooms as a user would have it: in a project of its own, beside the package `hashike` compiled from the sources; with a gateway that is started. */
export class Rooms implements AsyncDisposable {
  readonly directory: string;
  readonly ports: { readonly tcp: number; readonly webSocket: number };
  readonly gateway: GatewayProcess;
  /** Address of the page. */
  readonly page: string;
  readonly #belongings: AsyncDisposableStack;

  private constructor(
    parts: Pick<Rooms, 'directory' | 'ports' | 'gateway' | 'page'>,
    belongings: AsyncDisposableStack,
  ) {
    this.directory = parts.directory;
    this.ports = parts.ports;
    this.gateway = parts.gateway;
    this.page = parts.page;
    this.#belongings = belongings;
  }

  static async open(): Promise<Rooms> {
    await using stack = new AsyncDisposableStack();
    const cache = join(repositoryRoot, '.cache/test');
    mkdirSync(cache, { recursive: true });
    const directory = mkdtempSync(join(cache, 'rooms-'));
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    // Without a package of its own it would be part of this one, and so get what `npm run build` left.
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'rooms', type: 'module' }));
    compile(join(directory, 'node_modules/hashike'));
    cpSync(join(repositoryRoot, 'examples/rooms'), directory, { recursive: true });
    const page = await serve(directory, stack);
    const ports = { tcp: await freePort(), webSocket: await freePort() };
    const config = join(directory, 'hashike.yaml');
    const example = parse(readFileSync(config, 'utf8')) as object;
    const path = (name: string): string => join(directory, name);
    const configuration = {
      ...example,
      gateway: { name: 'rooms', stateDirectory: path('state'), runtimeDirectory: path('run') },
      listen: {
        tcp: { port: ports.tcp },
        udp: { port: await freeUdpPort('127.0.0.1') },
        websocket: { port: ports.webSocket, origins: [new URL(page).origin] },
      },
    };
    writeFileSync(config, stringify(configuration));
    const gateway = new GatewayProcess(config);
    await gateway.start();
    stack.defer(async () => void (await gateway.stop('SIGTERM')));
    return new Rooms({ directory, ports, gateway, page }, stack.move());
  }

  /** Of the gateway, over TCP. */
  get url(): string {
    return `hashike://127.0.0.1:${this.ports.tcp}`;
  }

  /** Starts the program for the terminal. */
  chat(...args: readonly string[]): ChildProcessWithoutNullStreams {
    return program(this.directory, 'chat.js', '--url', this.url, ...args);
  }

  /** Runs a program of the user's to its end; gives what it printed. */
  run(code: string): string {
    const file = join(this.directory, 'program.js');
    writeFileSync(file, code);
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    if (status !== 0) throw new Error(`the program ended with ${status}:\n${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#belongings.disposeAsync();
  }
}

/** Starts the server of the page; gives its address. */
async function serve(directory: string, stack: AsyncDisposableStack): Promise<string> {
  const server = program(directory, 'serve.js', '0');
  stack.defer(async () => {
    const gone = once(server, 'exit');
    server.kill();
    await gone;
  });
  const [address] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  return address;
}

/** Puts into `directory` what the published package holds for those who import it. */
function compile(directory: string): void {
  const tsc = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(directory, 'dist')];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the package does not compile:\n${stdout}`);
  cpSync(join(repositoryRoot, 'package.json'), join(directory, 'package.json'));
}

function program(
  directory: string,
  name: string,
  ...args: readonly string[]
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [join(directory, name), ...args], { stdio: 'pipe' });
}
