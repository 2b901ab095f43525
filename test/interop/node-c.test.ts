import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CFleet, type CFleetOptions } from '../../firmware-sim/node-c/c-fleet.ts';
import { configurationOf } from '../../firmware-sim/site-plan.ts';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site, type SiteConfiguration } from '../support/site.ts';
import { until } from '../support/until.ts';

const describe = requires('mosquitto', 'gcc', 'libc6-dev', 'make', 'flock');

/** A site whose nodes are those of a fleet in C. */
class CSite implements AsyncDisposable {
  readonly site: Site;
  readonly fleet: CFleet;
  readonly #directory: string;

  private constructor(site: Site, fleet: CFleet, directory: string) {
    this.site = site;
    this.fleet = fleet;
    this.#directory = directory;
  }

  static async open(names: readonly string[], options: CFleetOptions): Promise<CSite> {
    const directory = mkdtempSync(join(tmpdir(), 'hashike-node-c-'));
    const fleet = new CFleet(names, directory, options);
    const adapt = (configuration: SiteConfiguration): object => ({
      ...configuration,
      ...configurationOf(fleet.site),
    });
    return new CSite(await Site.open({ adapt }), fleet, directory);
  }

  async start(): Promise<void> {
    this.fleet.start();
    await this.site.gateway.start();
  }

  /** Waits until `count` more readings of the fleet are acknowledged. */
  async acknowledges(count: number): Promise<void> {
    const target = this.fleet.sums.acknowledged + count;
    await until(
      () => this.fleet.sums.acknowledged >= target,
      20_000,
      () => this.describe(),
    );
  }

  /** Waits until as many more readings of each node are acknowledged. */
  async eachAcknowledges(count: number): Promise<void> {
    const targets = this.fleet.ledgers.map(({ sums }) => sums.acknowledged + count);
    await until(
      () => this.fleet.ledgers.every(({ sums }, index) => sums.acknowledged >= (targets[index] ?? 0)),
      20_000,
      () => this.describe(),
    );
  }

  /** Takes no more readings and waits until all are acknowledged and have arrived. */
  async settle(): Promise<void> {
    this.fleet.pause();
    await until(
      () => this.fleet.sums.waiting === 0,
      20_000,
      () => this.describe(),
    );
    await until(
      () => this.missing().length === 0,
      20_000,
      () => `missing: ${String(this.missing())}`,
    );
  }

  missing(): string[] {
    return this.site.cloud.consumer.missing(this.fleet.ledgers);
  }

  describe(): string {
    return `${JSON.stringify(this.fleet.ledgers)}\n${this.site.gateway.lastLines()}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet.stop();
    await this.site[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

describe('nodes in C', () => {
  test('a hundred of them in one process: each reading arrives once and in order', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `c-${index}`);
    await using site = await CSite.open(names, { intervalMs: 500 });
    await site.start();
    await site.acknowledges(1000);
    await site.settle();
    expect(site.site.cloud.defects).toEqual(noDefects);
    expect(site.fleet.sums).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
  });

  test('bytes of which one in twenty is damaged, cuts, resets, sleep, and a gateway that is killed: nothing acknowledged is lost, doubled or out of order', async () => {
    const names = ['noisy', 'cut', 'reset', 'sleepy', 'forgetful'];
    await using site = await CSite.open(names, { intervalMs: 50 });
    await site.start();
    await site.acknowledges(50);
    site.fleet.noise('noisy', 50);
    for (let round = 0; round < 6; round += 1) {
      site.fleet.cut('cut', true);
      site.fleet.sleep('sleepy');
      site.fleet.reset('reset');
      if (round === 3) site.fleet.forget('forgetful');
      await pause(250);
      site.fleet.cut('cut', false);
      site.fleet.wake('sleepy');
      site.fleet.reset('reset');
      await pause(250);
      if (round === 2) {
        await site.site.gateway.stop('SIGKILL');
        await site.site.gateway.start();
      }
      if (round === 4) {
        await site.site.gateway.stop('SIGTERM');
        await site.site.gateway.start();
      }
    }
    site.fleet.noise('noisy', 0);
    await site.acknowledges(100);
    await site.settle();
    expect(site.site.cloud.defects).toEqual(noDefects);
    for (const ledger of site.fleet.ledgers) {
      expect(ledger.sums.rejected, ledger.node).toBe(0);
      // A queue that runs full refuses readings to its caller; how many depends on how long a gateway takes to start here.
      expect(ledger.sums.acknowledged, ledger.node).toBeGreaterThan(60);
    }
  });

  test('6.5.6: connect anew by themselves when an older copy of the state directory is put back', async () => {
    const names = ['c-1', 'c-2'];
    await using site = await CSite.open(names, { intervalMs: 50 });
    const { gateway, cloud, configuration, directory } = site.site;
    const state = configuration.gateway.stateDirectory;
    const copy = join(directory, 'backup');
    await site.start();
    await site.eachAcknowledges(10);
    await gateway.stop('SIGTERM');
    cpSync(state, copy, { recursive: true });
    await gateway.start();
    await site.eachAcknowledges(30);
    await gateway.stop('SIGTERM');
    // What was acknowledged and still waited for the upstream goes with the state.
    const gone = new Set(site.missing());
    rmSync(state, { recursive: true });
    cpSync(copy, state, { recursive: true });
    await gateway.start();
    await site.eachAcknowledges(50);
    site.fleet.pause();
    await until(
      () => site.fleet.sums.waiting === 0 && site.missing().every((reading) => gone.has(reading)),
      20_000,
      () => site.describe(),
    );
    const losses = gateway.log.filter(({ code }) => code === 'HSK-3008');
    expect(new Set(losses.map(({ client }) => client))).toEqual(new Set(names));
    // What a node had not heard acknowledged goes again, into a session that knows nothing of the one before.
    expect({ ...cloud.defects, duplicated: 0 }).toEqual(noDefects);
  });

  test('commands reach a node once and in order, also those that came while it slept', async () => {
    await using site = await CSite.open(['c-1'], { intervalMs: 200 });
    await site.start();
    await site.acknowledges(3);
    const [ledger] = site.fleet.ledgers;
    let number = 0;
    const send = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) await site.site.cloud.command('c-1', ++number);
    };
    await send(5);
    site.fleet.sleep('c-1');
    await send(5);
    // Older than a second: the gateway sends them as batches of one.
    await pause(1200);
    site.fleet.wake('c-1');
    await send(5);
    site.fleet.reset('c-1');
    await send(5);
    const expected = Array.from({ length: number }, (_, index) => index + 1);
    await until(
      () => (ledger?.commands.length ?? 0) >= number,
      10_000,
      () => site.describe(),
    );
    expect(ledger?.commands.map((command) => command.number)).toEqual(expected);
    await site.settle();
    expect(site.site.cloud.answers.get('c-1')).toEqual(expected);
    expect(site.site.cloud.defects).toEqual(noDefects);
  });
});

/** `npm run sim`, which says a line of JSON for each thing that happens. */
class Simulator implements AsyncDisposable {
  readonly lines: Record<string, unknown>[] = [];
  readonly #child;

  constructor(...options: readonly string[]) {
    const program = fileURLToPath(new URL('../../firmware-sim/main.ts', import.meta.url));
    this.#child = spawn(process.execPath, [program, '--json', ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) =>
      this.lines.push(JSON.parse(line) as Record<string, unknown>),
    );
  }

  nodesWith(event: string): Set<unknown> {
    return new Set(this.lines.filter((line) => line['event'] === event).map((line) => line['node']));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

describe('the simulator as a program', () => {
  test('runs nodes in C next to those in TypeScript', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hashike-sim-'));
    const options = ['--serial', '1', '--c', '2', '--interval', '100', '--directory', join(directory, 'tty')];
    const simulator = new Simulator(...options);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(directory, { recursive: true }));
    stack.use(simulator);
    await until(() => simulator.lines.length > 0, 20_000, 'the plan of the site');
    const { configuration } = simulator.lines[0] as { configuration: object };
    const site = stack.use(await Site.open({ adapt: (own) => ({ ...own, ...configuration }) }));
    await site.gateway.start();
    const names = ['node-1', 'c-1', 'c-2'];
    await until(
      () => names.every((name) => simulator.nodesWith('acknowledged').has(name)),
      30_000,
      () => site.gateway.lastLines(),
    );
    for (const name of names) await site.cloud.command(name, 1);
    await until(
      () => names.every((name) => simulator.nodesWith('command').has(name)),
      30_000,
      'the commands',
    );
    await simulator[Symbol.asyncDispose]();
    expect(simulator.lines.at(-1)).toMatchObject({ event: 'ledger', rejected: 0, commands: names.length });
    expect(site.cloud.defects).toEqual(noDefects);
  });
});
