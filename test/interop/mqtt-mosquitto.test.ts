import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';
import type { Publication } from '../../src/wire/publication.ts';
import { idsOf, readings } from '../contract/bridge-contract.ts';
import { BridgeHouse, mqttConfig } from '../support/bridge-house.ts';
import { makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { Mosquitto } from '../support/mosquitto.ts';
import { publicationOf } from '../support/publications.ts';
import { requires } from '../support/requires.ts';
import { UpstreamListener } from '../support/upstream-listener.ts';

const soon = { timeout: 10_000, interval: 10 };
const folder = mkdtempSync(join(tmpdir(), 'hashike-mqtt-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file with `text`. */
function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** What an opaque command of these bytes is as raw sections. */
function opaque(text: string): Uint8Array {
  const bytes = utf8(text);
  const content = new Uint8Array(4 + Math.ceil(bytes.length / 4) * 4);
  content.set([0x80, 0x00, 0x00, bytes.length]);
  content.set(bytes, 4);
  return content;
}

requires('mosquitto')('the bridge and mosquitto', () => {
  let house: BridgeHouse;
  const open: AsyncDisposable[] = [];

  beforeEach(async () => {
    house = await BridgeHouse.open();
  });

  afterEach(async () => {
    await house[Symbol.asyncDispose]();
    for (const resource of open.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
  });

  function using<T extends AsyncDisposable>(resource: T): T {
    open.push(resource);
    return resource;
  }

  /** Why a bridge with this configuration does not come online. */
  async function failure(
    config: Readonly<Record<string, unknown>> & { readonly url: string },
  ): Promise<string> {
    const bridge = await house.bridge(mqttConfig(config));
    await vi.waitFor(() => expect(bridge.describe().error).toBeDefined(), soon);
    return bridge.describe().error ?? '';
  }

  async function online(
    broker: Mosquitto,
    config: Readonly<Record<string, unknown>> = {},
  ): ReturnType<BridgeHouse['bridge']> {
    const bridge = await house.bridge(mqttConfig({ url: broker.url, ...config }));
    await vi.waitFor(() => expect(bridge.describe().state).toBe('online'), soon);
    return bridge;
  }

  test('each message says in MQTT 5 who sent it, when, how surely, what it is and how long it holds', async () => {
    const broker = using(await Mosquitto.start());
    const app = using(await UpstreamListener.connect(broker.url, { protocolVersion: 5 }));
    await online(broker);
    await house.append([
      publicationOf(7, {
        expiresAt: Date.now() + 60_000,
        responseTopic: 'answers/7',
        correlation: Uint8Array.of(1, 2, 3),
      }),
    ]);
    await vi.waitFor(() => expect(app.ids).toHaveLength(1), soon);
    const heard = app.heard.find(({ topic }) => topic === 'gw/greenhouse/1/temperature');
    expect(heard?.packet.qos).toBe(1);
    expect(heard?.packet.properties).toMatchObject({
      contentType: 'application/json',
      responseTopic: 'gw/commands/answers/7',
      userProperties: {
        id: 'gw/0102030405060708/7',
        client: 'node-1',
        time: String(Date.UTC(2026, 0, 1)),
        uncertainty: '5',
      },
    });
    expect(heard?.packet.properties?.correlationData).toEqual(Buffer.from([1, 2, 3]));
    expect(heard?.packet.properties?.messageExpiryInterval).toBeGreaterThan(50);
    expect(JSON.parse(heard?.payload ?? '')).toMatchObject({ id: 'gw/0102030405060708/7', client: 'node-1' });
  });

  test('retained goes through, and what clears a retained message here clears it there', async () => {
    const broker = using(await Mosquitto.start());
    await online(broker);
    await house.append([
      publicationOf(1, { topic: 'a', retain: true }),
      publicationOf(2, { topic: 'b', retain: true }),
    ]);
    await house.append([publicationOf(3, { topic: 'a', retain: true, content: new Uint8Array() })]);
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    const late = using(await UpstreamListener.connect(broker.url));
    await vi.waitFor(() => expect(late.heard.map(({ topic }) => topic)).toContain('gw/b'), soon);
    expect(late.heard.map(({ topic }) => topic).sort()).toEqual(['gw/b', 'gw/status']);
  });

  test('the status topic says online, then offline after a close and after a crash', async () => {
    const broker = using(await Mosquitto.start());
    const app = using(await UpstreamListener.connect(broker.url, { filter: 'gw/status' }));
    const states = (): readonly string[] => app.heard.map(({ payload }) => payload);
    const bridge = await online(broker);
    await vi.waitFor(() => expect(states()).toEqual(['online']), soon);
    await bridge.close();
    await vi.waitFor(() => expect(states()).toEqual(['online', 'offline']), soon);
    await online(broker, { keepAliveMs: 1000, clientId: 'other' });
    await vi.waitFor(() => expect(states()).toEqual(['online', 'offline', 'online']), soon);
    // Whoever takes over the client identifier has the broker cut the bridge off, without a DISCONNECT of its own.
    using(await UpstreamListener.connect(broker.url, { clientId: 'other', reconnectPeriod: 0 }));
    await vi.waitFor(
      () => expect(states().slice(0, 4)).toEqual(['online', 'offline', 'online', 'offline']),
      soon,
    );
    await vi.waitFor(() => expect(house.log.texts('warn').join()).toContain('HSK-4107'), soon);
  });

  test.each([5, 4] as const)(
    'commands come in over MQTT %i, also those sent while the gateway was away',
    async (version) => {
      const broker = using(await Mosquitto.start());
      const app = using(await UpstreamListener.connect(broker.url, { protocolVersion: 5 }));
      const bridge = await online(broker, { version });
      await app.client.publishAsync('gw/commands/valve/1', 'open', {
        qos: 1,
        properties: {
          responseTopic: 'gw/valve/1/done',
          correlationData: Buffer.from([9]),
          messageExpiryInterval: 60,
        },
      });
      await vi.waitFor(() => expect(house.commands).toHaveLength(1), soon);
      const [command] = house.commands;
      expect(command).toMatchObject({
        topic: 'valve/1',
        content: opaque('open'),
        reliable: true,
        retain: false,
        origin: { clientId: 'upstream/mqtt' },
        responseTopic: version === 5 ? 'valve/1/done' : undefined,
        correlation: version === 5 ? Uint8Array.of(9) : undefined,
      });
      if (version === 5) expect((command?.expiresAt ?? 0) - Date.now()).toBeGreaterThan(50_000);
      await bridge.close();
      for (let index = 0; index < 5; index += 1) {
        await app.client.publishAsync(`gw/commands/valve/${index}`, 'close', { qos: 1 });
      }
      expect(house.commands).toHaveLength(1);
      await online(broker, { version });
      await vi.waitFor(() => expect(house.commands).toHaveLength(6), soon);
      expect(house.commands.slice(1).map(({ topic }) => topic)).toEqual(
        [0, 1, 2, 3, 4].map((n) => `valve/${n}`),
      );
    },
  );

  test('a command is acknowledged only after custody, in order, and does not hold up readings meanwhile', async () => {
    const broker = using(await Mosquitto.start());
    const app = using(await UpstreamListener.connect(broker.url));
    const custody = Promise.withResolvers<void>();
    house.publish = (publication) => {
      house.commands.push(publication);
      if (publication.topic !== 'slow') return Promise.resolve();
      return custody.promise;
    };
    await online(broker);
    await app.client.publishAsync('gw/commands/slow', '1', { qos: 1 });
    await app.client.publishAsync('gw/commands/quick', '2', { qos: 1 });
    await vi.waitFor(() => expect(house.commands).toHaveLength(2), soon);
    await house.append(readings(1, 100));
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    const acks = (): number => broker.output.match(/Received PUBACK from hashike-gw/g)?.length ?? 0;
    expect(acks()).toBe(0);
    custody.resolve();
    await vi.waitFor(() => expect(acks()).toBe(2), soon);
  });

  test('a command that is not acknowledged before the gateway stops comes again', async () => {
    const broker = using(await Mosquitto.start());
    const app = using(await UpstreamListener.connect(broker.url));
    house.publish = (publication) => {
      house.commands.push(publication);
      return new Promise(() => undefined);
    };
    const bridge = await online(broker);
    await app.client.publishAsync('gw/commands/valve', 'open', { qos: 1 });
    await vi.waitFor(() => expect(house.commands).toHaveLength(1), soon);
    await bridge.close();
    house.publish = async (publication) => void house.commands.push(publication);
    await online(broker);
    await vi.waitFor(() => expect(house.commands).toHaveLength(2), soon);
  });

  test('commands that cannot be carried out are acknowledged, counted, and do not come again', async () => {
    const broker = using(await Mosquitto.start());
    const app = using(await UpstreamListener.connect(broker.url));
    house.publish = (publication: Publication) => {
      if (publication.topic.startsWith('forbidden')) {
        return Promise.reject(new HashikeError('HSK-3001', 'not allowed'));
      }
      house.commands.push(publication);
      return Promise.resolve();
    };
    const bridge = await house.bridge(mqttConfig({ url: broker.url }), {
      profiles: {
        valve: {
          contents: [{ type: 0x8001, name: 'open', encoding: 'u8' }],
          aliases: [{ alias: 1, topic: 'valve', layout: ['open'] }],
          commands: [],
        },
      },
      clients: [{ name: 'valve', profile: 'valve', shared: false }],
    });
    await vi.waitFor(() => expect(bridge.describe().state).toBe('online'), soon);
    await app.client.publishAsync('gw/commands/retained', 'of old', { qos: 1, retain: true });
    await vi.waitFor(() => expect(house.commands).toHaveLength(1), soon);
    for (const [topic, payload] of [
      ['forbidden', 'x'],
      ['valve', 'not a number'],
      ['large', 'x'.repeat(70_000)],
      ['', 'x'],
      ['valve', '1'],
    ]) {
      await app.client.publishAsync(`gw/commands/${topic ?? ''}`, payload ?? '', { qos: 1 });
    }
    await vi.waitFor(
      () => expect(house.commands.map(({ topic }) => topic)).toEqual(['retained', 'valve']),
      soon,
    );
    await vi.waitFor(() => {
      const acks = broker.output.match(/Received PUBACK from hashike-gw/g)?.length ?? 0;
      expect(acks).toBe(6);
    }, soon);
    const drops = (reason: string): number => house.counters.drops('upstream/mqtt commands', reason).value;
    expect(['not-allowed', 'content-invalid', 'topic-invalid'].map(drops)).toEqual([1, 2, 1]);
    // A retained command is for those who were there: it is not carried out again at each connect, nor by 3.1.1.
    await bridge.close();
    await online(broker, { version: 4, clientId: 'another' });
    await vi.waitFor(() => expect(drops('retained')).toBe(1), soon);
    expect(house.commands).toHaveLength(2);
  });

  test('a message that the broker will never take is kept aside with its reason, and does not block the others', async () => {
    const broker = using(
      await Mosquitto.start({
        access: ['topic readwrite gw/greenhouse/#', 'topic readwrite gw/status', 'topic read #'],
      }),
    );
    const app = using(await UpstreamListener.connect(broker.url));
    const bridge = await online(broker);
    await house.append([
      ...readings(1, 10),
      publicationOf(11, { topic: 'secret' }),
      publicationOf(12, { topic: 'commands/valve' }),
      ...readings(13, 10),
    ]);
    await vi.waitFor(() => expect(app.ids).toEqual([...idsOf(1, 10), ...idsOf(13, 10)]), soon);
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    const kept = await house.temp.spool.consumer('upstream/mqtt/refused').read(0, 10);
    expect(kept.map(({ publication }) => publication.topic).sort()).toEqual(['commands/valve', 'secret']);
    expect(bridge.describe().refused).toMatchObject({
      messages: 2,
      last: { at: expect.any(Number) as number },
    });
    expect(house.counters.drops('upstream/mqtt refused', 'not-authorized').value).toBe(1);
    expect(house.counters.drops('upstream/mqtt refused', 'topic-reserved').value).toBe(1);
    expect(house.log.lines.find(({ fields }) => fields['code'] === 'HSK-4109')?.level).toBe('warn');
    // What a node publishes below the commands' prefix must not become a command.
    expect(house.commands).toEqual([]);
  });

  test('a message over the packet size that the broker takes is kept aside', async () => {
    const broker = using(await Mosquitto.start({ lines: ['max_packet_size 2000'] }));
    await online(broker);
    await house.append([
      ...readings(1, 3),
      publicationOf(4, { content: new Uint8Array(4000) }),
      ...readings(5, 3),
    ]);
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    expect(house.counters.drops('upstream/mqtt refused', 'too-large').value).toBe(1);
  });

  test('the window is never wider than the broker’s', async () => {
    const broker = using(await Mosquitto.start({ lines: ['max_inflight_messages 3'] }));
    const app = using(await UpstreamListener.connect(broker.url));
    await online(broker, { window: 100 });
    await house.append(readings(1, 500));
    await vi.waitFor(() => expect(app.ids).toEqual(idsOf(1, 500)), soon);
    expect(house.log.texts('warn')).toEqual([]);
  });

  test('a wrong password is one clear line, tried again, and taken up when it is right', async () => {
    const broker = using(await Mosquitto.start({ login: { user: 'gateway', password: 'right' } }));
    const passwordFile = fileOf('password', 'wrong\n');
    const bridge = await house.bridge(mqttConfig({ url: broker.url, username: 'gateway', passwordFile }));
    await vi.waitFor(() => expect(bridge.describe().error).toContain('HSK-4103'), soon);
    await house.append(readings(1, 5));
    fileOf('password', 'right\n');
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    expect(house.log.texts('warn').filter((text) => text.includes('HSK-4103'))).toHaveLength(1);
    expect(JSON.stringify(house.log.lines)).not.toMatch(/wrong|right/);
  });

  test('TLS checks the broker against the authority, and shows a client certificate', async () => {
    const certificates = makeCertificates(folder);
    const broker = using(await Mosquitto.start({ tls: { certificates, clients: true } }));
    const { ca, client } = certificates;
    await online(broker, { tls: { ca, cert: client.cert, key: client.key } });
    await house.append(readings(1, 20));
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    expect(house.log.texts('warn')).toEqual([]);
  });

  test('certificates that do not fit are one clear line each', async () => {
    const certificates = makeCertificates(folder);
    const broker = using(await Mosquitto.start({ tls: { certificates, clients: true } }));
    const { ca, client } = certificates;
    const fit = { ca, cert: client.cert, key: client.key };
    expect(await failure({ url: broker.url, tls: { ...fit, ca: undefined } })).toContain('HSK-4104');
    // The certificate is for localhost alone.
    expect(await failure({ url: `mqtts://127.0.0.1:${broker.port}`, tls: fit })).toContain('HSK-4104');
    expect(await failure({ url: broker.url, tls: { ca } })).toContain('HSK-4104');
    expect(await failure({ url: broker.url, tls: { ...fit, ca: join(folder, 'none.pem') } })).toContain(
      'HSK-4105',
    );
  });

  test('a name that nobody knows and a port where nobody listens are clear', async () => {
    const nobody = await house.bridge(mqttConfig({ url: `mqtt://127.0.0.1:${await freePort()}` }));
    await vi.waitFor(() => expect(nobody.describe().error).toMatch(/cannot be reached.*HSK-4102/), soon);
    const unknown = await house.bridge(mqttConfig({ url: 'mqtt://no-such-host.invalid' }));
    await vi.waitFor(() => expect(unknown.describe().error).toMatch(/cannot be reached.*HSK-4102/), soon);
    expect(unknown.progress()).not.toBe('stuck');
  });

  test('a broker that answers nothing any more is given up, and what it left unanswered is sent again', async () => {
    const broker = using(await Mosquitto.start());
    const app = using(await UpstreamListener.connect(broker.url, { session: 'listener' }));
    const bridge = await online(broker, { keepAliveMs: 1000 });
    broker.freeze();
    await house.append(readings(1, 50));
    await vi.waitFor(() => expect(bridge.describe().error).toContain('HSK-4107'), soon);
    expect(house.waiting).toBe(50);
    broker.thaw();
    await vi.waitFor(() => expect(house.waiting).toBe(0), soon);
    await vi.waitFor(() => expect(app.distinctIds).toEqual(idsOf(1, 50)), soon);
  });

  test('more commands at once than may wait for custody hold back the rest, and all come through', async () => {
    const broker = using(await Mosquitto.start({ lines: ['max_inflight_messages 0'] }));
    const app = using(await UpstreamListener.connect(broker.url));
    const release: (() => void)[] = [];
    let held = true;
    house.publish = (publication) => {
      house.commands.push(publication);
      if (!held) return Promise.resolve();
      return new Promise((resolve) => void release.push(resolve));
    };
    await online(broker, { version: 4 });
    for (let index = 0; index < 80; index += 1) {
      await app.client.publishAsync(`gw/commands/c/${index}`, 'x', { qos: 1 });
    }
    await vi.waitFor(() => expect(house.commands).toHaveLength(32), soon);
    held = false;
    for (const each of release) each();
    await vi.waitFor(
      () =>
        expect(house.commands.map(({ topic }) => topic)).toEqual(
          Array.from({ length: 80 }, (_, n) => `c/${n}`),
        ),
      soon,
    );
    await vi.waitFor(() => {
      expect(broker.output.match(/Received PUBACK from hashike-gw/g)).toHaveLength(80);
    }, soon);
  });

  test('what matches `forward` is in custody, but not what the bridge itself published', async () => {
    await house.bridge(mqttConfig({ url: 'mqtt://127.0.0.1:1', forward: ['a/#', 'b'] }));
    expect(house.durable).toEqual([
      {
        options: {
          consumer: 'upstream/mqtt',
          except: 'upstream/mqtt',
          confirms: house.temp.spool.consumer('upstream/mqtt'),
        },
        filters: ['a/#', 'b'],
      },
    ]);
  });
});
