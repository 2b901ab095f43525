import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Random } from '../../firmware-sim/random.ts';
import { askStatus, GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';
import type { GatewayStatus } from '../../src/admin/status.ts';
import {
  type ClientOptions,
  type ClientTls,
  connect,
  encodeContent,
  type HashikeClient,
} from '../../src/client/index.ts';
import { type Authority, CLIENT, type KeyPair, makeAuthority } from '../support/certificates.ts';
import { hashike } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { tcpNoise } from '../support/noise.ts';
import { until } from '../support/until.ts';

const TOKEN = 'a token for every link';
const NOISE_MS = 2000;
const SEED = 8858;

let directory = '';
let authority: Authority;
/** What the gateway uses. */
let files: KeyPair;
let pump: KeyPair;
let trust: ClientTls;
/** One with every listener, and one whose WebSockets are inside TLS. */
let gateway: GatewayProcess;
let secured: GatewayProcess;
const ports = { tcp: 0, tls: 0, ws: 0, wss: 0 };

const belongings: (() => Promise<void>)[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hashike-tls-'));
  authority = makeAuthority(directory);
  files = { cert: join(directory, 'gateway.pem'), key: join(directory, 'gateway.key') };
  replaceBy(authority.sign('first'));
  pump = authority.sign('pump', CLIENT);
  trust = { ca: text(authority.ca) };
  for (const kind of ['tcp', 'tls', 'ws', 'wss'] as const) ports[kind] = await freePort();
  const tls = {
    certFile: files.cert,
    keyFile: files.key,
    clientCa: authority.ca,
    reloadCheckMs: 3_600_000,
  };
  gateway = await started('plain', {
    tcp: { port: ports.tcp },
    tls: { port: ports.tls, ...tls },
    websocket: { port: ports.ws },
  });
  secured = await started('secured', { websocket: { port: ports.wss, tls } });
});

afterAll(async () => {
  for (const each of [gateway, secured]) await each.stop('SIGTERM');
  rmSync(directory, { recursive: true, force: true });
});

afterEach(async () => {
  for (const step of belongings.splice(0).toReversed()) await step();
});

async function started(name: string, listen: object): Promise<GatewayProcess> {
  const config = join(directory, `${name}.yaml`);
  const hash = createHash('sha256').update(TOKEN).digest('hex');
  const rights = { publish: ['#'], subscribe: ['#'] };
  const path = (kind: string): string => join(directory, `${name}-${kind}`);
  writeFileSync(
    config,
    stringify({
      gateway: { name, stateDirectory: path('state'), runtimeDirectory: path('run') },
      listen,
      clients: [
        { name: 'person', token: `sha256:${hash}`, shared: true, ...rights },
        { name: 'water-pump', certificate: 'pump', ...rights },
      ],
    }),
  );
  const process = new GatewayProcess(config);
  await process.start();
  return process;
}

function text(file: string): string {
  return readFileSync(file, 'utf8');
}

function replaceBy({ cert, key }: KeyPair): void {
  copyFileSync(cert, files.cert);
  copyFileSync(key, files.key);
}

const urls = {
  tcp: () => `hashike://127.0.0.1:${ports.tcp}`,
  tls: () => `hashikes://localhost:${ports.tls}`,
  ws: () => `ws://127.0.0.1:${ports.ws}`,
  wss: () => `wss://localhost:${ports.wss}/tlv`,
};

async function client(options: Omit<ClientOptions, 'token'>): Promise<HashikeClient> {
  const made = await connect({ token: TOKEN, tls: trust, ...options });
  belongings.push(() => made.close());
  return made;
}

const content = encodeContent([{ contentType: 0x8001, value: Uint8Array.of(1, 2, 3) }]);

async function statusOf(name: 'plain' | 'secured'): Promise<GatewayStatus> {
  const status = await askStatus(join(directory, `${name}-run`, 'status.sock'));
  return status as unknown as GatewayStatus;
}

/** When a client of the first gateway made its connection. */
async function connectedSince(name: string): Promise<unknown> {
  const { clients } = await statusOf('plain');
  const found: unknown = clients.find((each) => Reflect.get(Object(each), 'client') === name);
  return Reflect.get(Object(found), 'since');
}

/** Common name of the certificate that the TLS port shows now. */
async function shown(): Promise<string> {
  const socket = connectTls({
    port: ports.tls,
    host: 'localhost',
    servername: 'localhost',
    ca: text(authority.ca),
  });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const subject = String(socket.getPeerX509Certificate()?.subject);
  socket.destroy();
  return subject;
}

describe.each(['tcp', 'tls', 'ws', 'wss'] as const)('over %s', (kind) => {
  test('the command line publishes, and the command line hears it', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, TOKEN);
    const flags = ['--url', urls[kind](), '--token-file', tokenFile, '--ca', authority.ca];
    const heard = hashike('sub', ...flags, '--name', 'ear', '--count', '1', 'news/+');
    const pending = Symbol('pending');
    // Until the subscription is in force.
    while ((await Promise.race([heard, pause(0, pending)])) === pending) {
      const { code, stderr } = await hashike('pub', ...flags, '--name', 'mouth', 'news/today', 'sun');
      expect([code, stderr]).toEqual([0, '']);
    }
    expect(JSON.parse((await heard).stdout)).toEqual({
      topic: 'news/today',
      client: 'person/mouth',
      contents: [['0x8000', '73756e']],
    });
  });

  test('a thousand reliable messages arrive once and in order, beside a subscriber that stands still', async () => {
    const reader = await client({ url: urls[kind](), clientName: 'reader' });
    const still = await client({ url: urls[kind](), clientName: 'still', receiveQueue: 16 });
    const writer = await client({ url: urls[kind](), clientName: 'writer' });
    const subscription = await reader.subscribe('numbers');
    await still.subscribe('numbers');
    const value = new Uint8Array(500);
    const sent = Array.from({ length: 1000 }, (_, index) => {
      new DataView(value.buffer).setUint32(0, index);
      return writer.publish('numbers', encodeContent([{ contentType: 0x8001, value }]));
    });
    const got: number[] = [];
    while (got.length < 1000) {
      const { value: message } = await subscription.next();
      if (!message) break;
      got.push(new DataView(message.content.buffer, message.content.byteOffset).getUint32(4));
    }
    await Promise.all(sent);
    expect(got).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });
});

describe('a client certificate', () => {
  test('5.3.7: that the configuration names stands for the token', async () => {
    const flags = ['--url', urls.tls(), '--ca', authority.ca, '--cert', pump.cert, '--key', pump.key];
    expect(await hashike('pub', ...flags, 'water/level', '7')).toMatchObject({ code: 0, stderr: '' });
    const overWebSocket = await client({
      url: urls.wss(),
      token: 'no token at all',
      tls: { ...trust, cert: text(pump.cert), key: text(pump.key) },
    } as ClientOptions);
    expect(overWebSocket.clientId).toBe('water-pump');
  });

  test('that nobody names leaves the token needed', async () => {
    const { cert, key } = authority.sign('stranger', CLIENT);
    const tls = { ...trust, cert: text(cert), key: text(key) };
    await expect(connect({ url: urls.tls(), token: 'wrong', tls })).rejects.toMatchObject({
      code: 'HSK-3101',
    });
    const person = await client({ url: urls.tls(), clientName: 'someone', tls });
    expect(person.clientId).toBe('person/someone');
  });

  test('pub says what is wrong when the gateway is not trusted, or a file is missing', async () => {
    const { code, stderr } = await hashike(
      'pub',
      '--url',
      urls.tls(),
      '--cert',
      pump.cert,
      '--key',
      pump.key,
      'a',
      'b',
    );
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/is not trusted.*HSK-2105/);
    expect(stderr).toContain('--ca FILE');
    const half = await hashike('pub', '--url', urls.tls(), '--cert', pump.cert, 'a', 'b');
    expect([half.code, half.stderr]).toEqual([2, expect.stringMatching(/--cert and --key go together/)]);
  });
});

describe('SIGHUP', () => {
  test('takes up a new certificate under live connections, and keeps it when a broken one follows', async () => {
    const live = await client({ url: urls.tls(), clientName: 'live' });
    const since = await connectedSince('person/live');
    expect(await shown()).toBe('CN=first');
    replaceBy(authority.sign('second'));
    process.kill(gateway.pid ?? 0, 'SIGHUP');
    await until(async () => (await shown()) === 'CN=second', 5000, 'the new certificate');
    await live.publish('still/here', content);
    expect(await connectedSince('person/live')).toBe(since);
    writeFileSync(files.cert, 'no certificate');
    process.kill(gateway.pid ?? 0, 'SIGHUP');
    const line = await until(
      () => gateway.log.find(({ code }) => code === 'HSK-2104'),
      5000,
      'a line about the certificate',
    );
    expect(line?.msg).toBe('the new certificate is not used, the old one stays');
    expect(await shown()).toBe('CN=second');
    await live.publish('still/here', content);
  });

  test('status says until when the certificate in use is valid', async () => {
    const { links } = await statusOf('plain');
    const { detail } = links.find(({ name }) => name === 'tls') ?? {};
    expect(Date.parse(String(Reflect.get(Object(detail), 'certificateExpires')))).toBeGreaterThan(Date.now());
    expect(links.map(({ name, state }) => [name, state])).toEqual([
      ['tcp', 'open'],
      ['tls', 'open'],
      ['websocket', 'open'],
    ]);
  });
});

describe('random bytes on each port', () => {
  test('are counted and logged now and then, and clients of the same ports lose nothing', async () => {
    const random = new Random(SEED);
    const signal = AbortSignal.timeout(NOISE_MS);
    const noise = Promise.all([tcpNoise(ports.tls, random, signal), tcpNoise(ports.ws, random, signal)]);
    const overTls = await client({ url: urls.tls(), clientName: 'calm' });
    const overWebSocket = await client({ url: urls.ws(), clientName: 'quiet' });
    let published = 0;
    while (!signal.aborted) {
      await Promise.all([overTls, overWebSocket].map((each) => each.publish('calm', content)));
      published += 2;
      await pause(5);
    }
    expect(published).toBeGreaterThan(20);
    expect(Math.min(...(await noise))).toBeGreaterThan(10);
    const { counters } = await statusOf('plain');
    const drops = (place: string): number =>
      counters
        .filter(({ name, labels }) => name === 'dropped' && labels['place'] === place)
        .reduce((sum, { value }) => sum + value, 0);
    expect(drops('tls')).toBeGreaterThan(10);
    expect(drops('websocket')).toBeGreaterThan(10);
    expect(
      gateway.log.filter(({ level, msg }) => level >= 40 && msg.startsWith('connections ended')),
    ).toHaveLength(2);
  });
});
