import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EMULATED_NAME, EmulatedNode } from '../../firmware-sim/node-c/emulated-node.ts';
import { configurationOf } from '../../firmware-sim/site-plan.ts';
import { requires } from '../support/requires.ts';
import { Site, type SiteConfiguration } from '../support/site.ts';
import { until } from '../support/until.ts';
import { UpstreamListener } from '../support/upstream-listener.ts';

const describe = requires(
  'mosquitto',
  'gcc',
  'libc6-dev',
  'make',
  'flock',
  'pkg-config',
  'avr-gcc',
  'avr-libc',
  'libsimavr-dev',
  'libelf-dev',
);

const TOPIC = `${EMULATED_NAME}/temperature`;

/** The emulated node, the gateway, a mosquitto upstream, and an application there that looks at temperatures. */
class AvrSite implements AsyncDisposable {
  readonly site: Site;
  readonly node: EmulatedNode;
  /** In the order of arrival. */
  readonly temperatures: number[] = [];
  readonly #listener: UpstreamListener;
  readonly #directory: string;

  private constructor(site: Site, node: EmulatedNode, listener: UpstreamListener, directory: string) {
    this.site = site;
    this.node = node;
    this.#listener = listener;
    this.#directory = directory;
    listener.client.on('message', (topic, payload) => {
      if (!topic.endsWith(TOPIC)) return;
      const { values } = JSON.parse(payload.toString()) as { values: { name: string; value: number }[] };
      this.temperatures.push(values.find(({ name }) => name === 'temperature')?.value ?? Number.NaN);
    });
  }

  static async open(): Promise<AvrSite> {
    const directory = mkdtempSync(join(tmpdir(), 'hashike-avr-'));
    const node = new EmulatedNode(join(directory, 'tty'));
    const adapt = (configuration: SiteConfiguration): object => ({
      ...configuration,
      ...configurationOf(node.site),
    });
    const site = await Site.open({ adapt });
    const listener = await UpstreamListener.connect(site.broker.url, {
      session: 'temperatures',
      filter: 'gw/#',
      protocolVersion: 5,
    });
    return new AvrSite(site, node, listener, directory);
  }

  async start(): Promise<void> {
    this.node.start();
    await this.site.gateway.start();
  }

  get acknowledged(): number {
    return this.node.ledger.sums.acknowledged;
  }

  async acknowledges(count: number, withinMs = 60_000): Promise<void> {
    const target = this.acknowledged + count;
    await until(
      () => this.acknowledged >= target,
      withinMs,
      () => this.#describe(`${count} more acknowledgements`),
    );
  }

  async expectTemperature(low: number, high: number): Promise<void> {
    const seen = this.temperatures.length;
    await until(
      () => this.temperatures.slice(seen).some((value) => value >= low && value <= high),
      10_000,
      () => this.#describe(`between ${low} and ${high}: ${String(this.temperatures)}`),
    );
  }

  /** What the firmware saw acknowledged is upstream, once and in order. */
  async expectAllArrived(): Promise<void> {
    const { consumer } = this.site.cloud;
    await until(
      () => consumer.missing([this.node.ledger]).length === 0,
      10_000,
      () => this.#describe(`missing: ${String(consumer.missing([this.node.ledger]))}`),
    );
    expect(consumer).toMatchObject({ duplicated: 0, misordered: 0, foreign: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
    await this.#listener[Symbol.asyncDispose]();
    await this.site[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #describe(what: string): string {
    return `${what}\n${JSON.stringify(this.node.ledger)}\n${this.site.gateway.lastLines()}`;
  }
}

describe('an emulated ATmega328P', () => {
  test('publishes its temperature, and switches its relay on command', async () => {
    await using avr = await AvrSite.open();
    await avr.start();
    // 750 mV are 25 degrees; the ADC sees steps of half a degree.
    await avr.expectTemperature(24.4, 25.1);
    avr.node.adc(800);
    await avr.expectTemperature(29.3, 30.1);
    expect(avr.node.relay).toBe(false);
    await avr.site.cloud.command(EMULATED_NAME, 1);
    await until(() => avr.node.relay, 10_000, 'the relay to switch on');
    await avr.site.cloud.command(EMULATED_NAME, 2);
    await until(() => !avr.node.relay, 10_000, 'the relay to switch off');
    await until(() => avr.site.cloud.answers.get(EMULATED_NAME)?.length === 2, 10_000, 'both answers');
    expect(avr.site.cloud.answers.get(EMULATED_NAME)).toEqual([1, 2]);
    await avr.expectAllArrived();
  });

  test('loses nothing acknowledged to watchdog resets in the middle of a send, cuts, damaged bytes and restarts of the gateway', async () => {
    await using avr = await AvrSite.open();
    await avr.start();
    await avr.acknowledges(5);
    for (let round = 1; round <= 3; round += 1) {
      const { boots } = avr.node;
      avr.node.hang();
      await until(() => avr.node.boots > boots, 5000, 'the watchdog to bite');
      await avr.acknowledges(2);
      avr.node.reset();
      await avr.acknowledges(2);
    }
    avr.node.cut(true);
    await pause(1500);
    avr.node.cut(false);
    await avr.acknowledges(5);
    await avr.site.gateway.stop('SIGKILL');
    await pause(500);
    await avr.site.gateway.start();
    await avr.acknowledges(3);
    expect(await avr.site.gateway.stop('SIGTERM')).toBe(0);
    await avr.site.gateway.start();
    await avr.acknowledges(3);
    avr.node.noise(50);
    await avr.acknowledges(3);
    const { boots } = avr.node;
    avr.node.hang();
    await until(() => avr.node.boots > boots, 5000, 'the watchdog to bite');
    avr.node.noise(0);
    await avr.acknowledges(5);
    await avr.expectAllArrived();
    // The context in the EEPROM outlived each reset: there was only one session.
    expect(avr.node.ledger.sums.rejected).toBe(0);
    expect(avr.node.boots).toBeGreaterThanOrEqual(7);
  }, 150_000);
});
