import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ClientSubscription,
  contentSections,
  encodeContent,
  type HashikeClient,
  connect,
} from '../../src/client/index.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { configSchema } from '../../src/config/schema.ts';
import { startGateway } from '../../src/gateway.ts';
import { clientConfig, demolish, type House, type HouseOptions, openHouse } from '../support/broker-house.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { bound, shut, UdpRelay } from '../support/udp-relay.ts';
import { until } from '../support/until.ts';

const PROBE_MS = 200;
const RELAY = '127.0.0.2';
const STRANGER = '127.0.0.3';
const cleanUp: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

/** A broker, and a client `far` whose TCP and UDP go through relays. */
interface Scene {
  readonly house: House;
  readonly relay: UdpRelay;
  readonly proxy: TcpProxy;
  readonly far: HashikeClient;
  readonly near: HashikeClient;
}

async function openScene(options: Partial<HouseOptions> = {}): Promise<Scene> {
  const clients = [clientConfig('far'), clientConfig('near')];
  const house = await openHouse({ clients, udp: { silenceMs: 3 * PROBE_MS }, ...options });
  cleanUp.push(() => demolish(house));
  cleanUp.push(() => house.stop());
  const relay = await UdpRelay.open(RELAY, { host: '127.0.0.1', port: house.udpPort });
  cleanUp.push(() => relay.close());
  const proxy = await TcpProxy.open(house.port, [], RELAY);
  cleanUp.push(() => proxy.close());
  const far = await house.client('far', { host: RELAY, port: proxy.port, udpProbeMs: PROBE_MS });
  cleanUp.push(() => far.close());
  const near = await house.client('near', { udp: false });
  cleanUp.push(() => near.close());
  return { house, relay, proxy, far, near };
}

async function openUp(options: Partial<HouseOptions> = {}): Promise<Scene> {
  const scene = await openScene(options);
  await until(() => scene.far.udp, 2000, 'UDP does not come up');
  return scene;
}

const number = (value: number): Uint8Array =>
  encodeContent([{ contentType: 0x8001, value: Uint8Array.of(value >> 8, value) }]);

function valueOf(content: Uint8Array): number {
  const [high = 0, low = 0] = contentSections(content)[0]?.value ?? [];
  return (high << 8) | low;
}

/** Collects what comes, for as long as the test runs. */
function collect(subscription: ClientSubscription): number[] {
  const values: number[] = [];
  void (async () => {
    for await (const { content } of subscription) values.push(valueOf(content));
  })();
  return values;
}

/** Publishes a number every few milliseconds until it is stopped. */
function talk(
  client: HashikeClient,
  topic: string,
): { readonly sent: () => number; readonly stop: () => void } {
  let sent = 0;
  const timer = setInterval(() => {
    void client.publish(topic, number((sent += 1)), { reliable: false });
  }, 5);
  const stop = (): void => clearInterval(timer);
  cleanUp.push(stop);
  return { sent: () => sent, stop };
}

async function first(datagrams: readonly Buffer[]): Promise<Buffer> {
  await until(() => datagrams.length > 0, 2000, 'no datagram passes');
  return datagrams[0] ?? Buffer.alloc(0);
}

const dropped = (house: House, reason: string): number => house.counters.drops('udp', reason).value;

const gauge = (house: House, state: string): number | undefined =>
  house.counters.read().find(({ name, labels }) => name === 'udp_paths' && labels['state'] === state)?.value;

describe('the UDP path of a TCP client', () => {
  test('8.5.1: best effort of either side takes it, and reliable messages never do', async () => {
    const { relay, far, near } = await openUp({ udp: {} });
    const heard = collect(await far.subscribe('down', { reliable: false }));
    const said = collect(await near.subscribe('up'));
    const reliable = collect(await far.subscribe('both'));
    const lengths: number[] = [];
    relay.up = relay.down = ({ length }) => lengths.push(length) > 0;
    for (let value = 1; value <= 20; value += 1) {
      await far.publish('both', number(value));
      await near.publish('both', number(value));
      await delay(10);
    }
    expect(reliable).toHaveLength(40);
    expect(far.udp).toBe(true);
    // The probes of that time and their answers, which have 29 bytes, and nothing else.
    expect(new Set(lengths)).toEqual(new Set([29]));
    const before = { ...relay.passed };
    for (let value = 1; value <= 20; value += 1) {
      await far.publish('up', number(value), { reliable: false });
      await near.publish('down', number(value), { reliable: false });
      await delay(2);
    }
    await until(
      () => heard.length === 20 && said.length === 20,
      2000,
      () => `${heard.length} ${said.length}`,
    );
    expect(relay.passed.up - before.up).toBeGreaterThanOrEqual(20);
    expect(relay.passed.down - before.down).toBeGreaterThanOrEqual(20);
  });

  test.each([
    ['both directions', { up: true, down: true }],
    ['what the client sends', { up: true, down: false }],
    ['what the server sends', { up: false, down: true }],
  ])(
    '8.4.1, 8.4.2: when the network swallows %s, messages go on by TCP, and by UDP again after',
    async (_, swallows) => {
      const { relay, far, near } = await openUp();
      const heard = collect(await far.subscribe('down', { reliable: false }));
      const said = collect(await near.subscribe('up'));
      talk(near, 'down');
      talk(far, 'up');
      await until(() => heard.length > 5 && said.length > 5, 2000, 'nothing comes by UDP');
      if (swallows.up) relay.up = shut;
      if (swallows.down) relay.down = shut;
      // One interval, three probes a fifth of it apart, and what a busy machine needs.
      await until(() => !far.udp, PROBE_MS * 1.6 + 1000, 'the client does not notice');
      const then = { heard: heard.length, said: said.length };
      await until(
        () => heard.length > then.heard + 20 && said.length > then.said + 20,
        1000,
        'nothing comes by TCP',
      );
      expect(far.connected).toBe(true);
      relay.up = () => true;
      relay.down = () => true;
      await until(() => far.udp, 5000, 'UDP does not come back');
      const passed = { ...relay.passed };
      await until(
        () => relay.passed.up > passed.up + 20 && relay.passed.down > passed.down + 20,
        1000,
        'messages do not take UDP again',
      );
    },
  );

  test('8.3.4, 8.3.5: a NAT that forgets its port: the session moves after a probe, with one client and no new ticket', async () => {
    const { house, relay, far, near } = await openUp();
    const heard = collect(await far.subscribe('down', { reliable: false }));
    talk(near, 'down');
    await until(() => heard.length > 5, 2000, 'nothing comes by UDP');
    const before = relay.port;
    await relay.rebind();
    expect(relay.port).not.toBe(before);
    const then = relay.passed.down;
    await until(() => relay.passed.down > then + 20, 2000, 'the server does not follow');
    expect(far.udp).toBe(true);
    expect(dropped(house, 'unknown-connection')).toBe(0);
  });

  test('8.2.6: a stranger who repeats a datagram gets nothing', async () => {
    const { house, relay } = await openScene();
    const seen: Buffer[] = [];
    relay.up = (datagram) => seen.push(datagram) > 0;
    const probe = await first(seen);
    const stranger = await bound(STRANGER, 0);
    cleanUp.push(() => void stranger.close());
    let answers = 0;
    stranger.on('message', () => (answers += 1));
    await delay(20);
    for (let times = 0; times < 50; times += 1) stranger.send(probe, house.udpPort, '127.0.0.1');
    await until(() => dropped(house, 'repeated') === 50, 2000, 'not counted');
    expect(answers).toBe(0);
  });

  test('8.3.3: a stranger who comes first with a datagram gets a PING no longer than it, and no delivery', async () => {
    const { house, relay, far, near } = await openUp();
    await far.subscribe('down', { reliable: false });
    const stolen: Buffer[] = [];
    relay.up = (datagram) => {
      stolen.push(datagram);
      return false;
    };
    const probe = await first(stolen);
    const stranger = await bound(STRANGER, 0);
    cleanUp.push(() => void stranger.close());
    let bytes = 0;
    stranger.on('message', (datagram) => (bytes += datagram.length));
    stranger.send(probe, house.udpPort, '127.0.0.1');
    const talking = talk(near, 'down');
    await until(() => bytes > 0, 2000, 'no PING');
    await until(() => talking.sent() > 100, 2000, 'nothing was published');
    expect(bytes).toBeLessThanOrEqual(probe.length);
  });

  test('8.2.6: forged, cut and foreign datagrams are dropped and counted, and the path stays', async () => {
    const { house, relay, far } = await openUp({ udp: {} });
    const seen: Buffer[] = [];
    relay.up = (datagram) => seen.push(datagram) > 0;
    const down: Buffer[] = [];
    relay.down = (datagram) => down.push(datagram) > 0;
    const real = await first(seen);
    const mirrored = await first(down);
    const stranger = await bound(STRANGER, 0);
    cleanUp.push(() => void stranger.close());
    const send = (datagram: Uint8Array): void => stranger.send(datagram, house.udpPort, '127.0.0.1');
    const forged = Buffer.from(real);
    // A later packet number, so that it is not taken for a repetition.
    forged.writeUInt16BE(forged.readUInt16BE(3) + 500, 3);
    send(forged);
    send(Buffer.concat([mirrored.subarray(0, 3), Buffer.from([2, 0]), mirrored.subarray(5)]));
    send(real.subarray(0, 12));
    send(Buffer.concat([Buffer.from([0x81]), randomBytes(40)]));
    send(randomBytes(1400).fill(0x81, 0, 1));
    send(Buffer.alloc(0));
    await until(() => dropped(house, 'not-authentic') === 2, 2000, 'the forged ones are not counted');
    await until(() => dropped(house, 'malformed') === 3, 2000, 'the malformed ones are not counted');
    expect(dropped(house, 'unknown-connection')).toBe(1);
    expect(far.udp).toBe(true);
    expect(far.connected).toBe(true);
  });

  test('8.3.1: the ticket ends with its connection; a session that resumes gets another', async () => {
    const { house, proxy, relay, far } = await openUp();
    let last: Buffer | undefined;
    relay.up = (datagram) => ((last = datagram), true);
    await until(() => last, 2000, 'no probe');
    const old = last;
    proxy.cut();
    await until(() => !far.connected, 2000, 'the cut is not noticed');
    expect(far.udp).toBe(false);
    await until(() => gauge(house, 'open') === 0, 2000, 'the path is kept');
    await until(() => far.udp, 5000, 'UDP does not come back');
    expect(gauge(house, 'open')).toBe(1);
    expect(old?.subarray(1, 3)).not.toEqual(last?.subarray(1, 3));
    await far.close();
    await until(() => gauge(house, 'open') === 0, 2000, 'the path outlives its session');
  });

  test('8.5.2: a third of all datagrams lost: what is reliable arrives in order, and nobody sees an error', async () => {
    const { relay, far, near } = await openUp();
    let turn = 0;
    relay.up = relay.down = () => (turn += 1) % 3 !== 0;
    const best = collect(await near.subscribe('best'));
    const reliable = collect(await near.subscribe('reliable'));
    const all = Array.from({ length: 200 }, (_, index) => index + 1);
    for (const value of all) {
      await far.publish('best', number(value), { reliable: false });
      await far.publish('reliable', number(value));
    }
    await until(
      () => reliable.length === 200,
      2000,
      () => `${reliable.length}`,
    );
    expect(reliable).toEqual(all);
    expect(best.length).toBeGreaterThan(50);
    expect(new Set(best).size).toBe(best.length);
  });

  test('8.1.4: a message that fits no datagram takes TCP', async () => {
    const { far, near } = await openUp();
    const said = await near.subscribe('large');
    const content = encodeContent([{ contentType: 0x8001, value: new Uint8Array(4000) }]);
    await far.publish('large', content, { reliable: false });
    const { value } = await said.next();
    expect(value?.content).toHaveLength(content.length);
  });

  test('8.3.1: a server without UDP is not asked for it, and a client that does not want it does not ask', async () => {
    const { house, far, relay } = await openScene({ udp: undefined as never });
    await delay(2 * PROBE_MS);
    expect(far.udp).toBe(false);
    expect(far.connected).toBe(true);
    expect(relay.passed.up).toBe(0);
    const other = await openScene();
    const quiet = await other.house.client('near', { udp: false });
    cleanUp.push(() => quiet.close());
    expect(quiet.udp).toBe(false);
    expect(house.udpPort).toBe(0);
  });

  test('a gateway that is configured so offers it, says where, and stops', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hashike-udp-'));
    cleanUp.push(() => rmSync(directory, { recursive: true }));
    const config = configSchema.parse({
      gateway: { name: 'gw', stateDirectory: directory, runtimeDirectory: directory },
      listen: { tcp: { port: 0 }, udp: { port: 0 } },
      clients: [clientConfig('far')],
    });
    const surroundings = { clock: systemClock, random: systemRandom, log: silentLog };
    const gateway = await startGateway({ config, version: '0', ...surroundings });
    cleanUp.push(() => gateway.stop());
    const detail = (name: string): unknown =>
      gateway.status().links.find((link) => link.name === name)?.detail;
    expect(detail('udp')).toMatchObject({ host: '127.0.0.1' });
    const { port } = detail('tcp') as { readonly port: number };
    const far = await connect({ port, token: 'far' });
    cleanUp.push(() => far.close());
    const own = await far.subscribe('t');
    await until(() => far.udp, 2000, 'UDP does not come up');
    await far.publish('t', number(7), { reliable: false });
    const { value } = await own.next();
    expect(value && valueOf(value.content)).toBe(7);
  });
});
