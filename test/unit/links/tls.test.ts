import { copyFileSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Counters } from '../../../src/base/counters.ts';
import { describeError, HashikeError } from '../../../src/base/errors.ts';
import { systemRandom } from '../../../src/base/random.ts';
import type { Link } from '../../../src/links/link.ts';
import type { ClientTls } from '../../../src/links/open-stream.ts';
import { connectTcp } from '../../../src/links/tcp-client.ts';
import { TcpSource } from '../../../src/links/tcp.ts';
import { TlsServer, type TlsServerOptions } from '../../../src/links/tls-server.ts';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { type Authority, CLIENT, type KeyPair, makeAuthority, SERVER } from '../../support/certificates.ts';
import { RecordingLog } from '../../support/recording-log.ts';

let folder: string;
let authority: Authority;
let stranger: Authority;
let first: KeyPair;
let second: KeyPair;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hashike-tls-'));
  authority = makeAuthority(folder);
  stranger = makeAuthority(folder, 'stranger-');
  first = authority.sign('first');
  second = authority.sign('second');
});

afterAll(() => rmSync(folder, { recursive: true }));

const cleanUp: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

const text = (file: string): string => readFileSync(file, 'utf8');
const withKey = ({ cert, key }: KeyPair): ClientTls => ({
  ca: text(authority.ca),
  cert: text(cert),
  key: text(key),
});

/** A source with TLS, and what became of it. */
interface Served {
  readonly port: number;
  readonly tls: TlsServer;
  readonly links: Link[];
  readonly log: RecordingLog;
  /** How many connections were dropped for this reason. */
  drops(reason: string): number;
  dial(tls?: ClientTls, host?: string): Promise<Link>;
  close(): Promise<void>;
}

async function serve(options: Partial<TlsServerOptions> = {}): Promise<Served> {
  const counters = new Counters();
  const log = new RecordingLog();
  const tls = new TlsServer({
    name: 'tls',
    certFile: first.cert,
    keyFile: first.key,
    requireClientCert: false,
    reloadCheckMs: 60_000,
    handshakeMs: 10_000,
    unfinishedHandshakes: 8,
    clock: systemClock,
    counters,
    log,
    ...options,
  });
  const common = { clock: systemClock, log, messageBytes: 1024 };
  const source = new TcpSource({ ...common, host: '127.0.0.1', port: 0, tls });
  const links: Link[] = [];
  await source.open((link) => {
    links.push(link);
    link.start({
      frame: (bytes) => void link.send(bytes),
      drained: () => undefined,
      closed: () => undefined,
    });
  });
  cleanUp.push(() => source.close());
  const port = source.address?.port ?? 0;
  return {
    port,
    tls,
    links,
    log,
    drops: (reason) => counters.drops('tls', reason).value,
    dial: async (client = { ca: text(authority.ca) }, host = 'localhost') => {
      const link = await connectTcp({ ...common, host, port, timeoutMs: 5000, tls: client });
      cleanUp.push(() => link.close());
      return link;
    },
    close: () => source.close(),
  };
}

/** Plain bytes to the port. */
function raw(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  cleanUp.push(() => void socket.destroy());
  return socket.on('error', () => undefined);
}

/** Sends a frame, and resolves when the other side has sent it back. */
async function echo(link: Link): Promise<void> {
  const frames: Uint8Array[] = [];
  link.start({
    frame: (bytes) => void frames.push(bytes),
    drained: () => undefined,
    closed: () => undefined,
  });
  await echoAgain(link, frames);
}

async function echoAgain(link: Link, frames: Uint8Array[]): Promise<void> {
  const before = frames.length;
  link.send(encodeMessage({ type: MessageType.PING, timestamp: 0, echo: before }));
  await vi.waitFor(() => expect(frames).toHaveLength(before + 1), { timeout: 5000 });
}

/** Common name of the certificate that the server shows now. */
async function shownBy(port: number): Promise<string> {
  const socket = connectTls({ port, host: 'localhost', servername: 'localhost', ca: text(authority.ca) });
  cleanUp.push(() => void socket.destroy());
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return String(socket.getPeerX509Certificate()?.subject);
}

describe('a TLS source', () => {
  test('gives links named tls, without a certificate where the client has none', async () => {
    const served = await serve();
    await echo(await served.dial());
    expect(served.links.map(({ name, certificate }) => [name, certificate])).toEqual([['tls', undefined]]);
    expect(Date.parse(served.tls.expires ?? '')).toBeGreaterThan(Date.now());
  });

  test.each([
    ['a message of the protocol in plain text', encodeMessage({ type: MessageType.PING, timestamp: 0 })],
    ['HTTP', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ])('%s ends the connection, counted, and the port goes on', async (_name, bytes) => {
    const served = await serve();
    const socket = raw(served.port).resume();
    socket.write(bytes);
    await vi.waitFor(() => expect(served.drops('no-tls')).toBe(1), { timeout: 5000 });
    await vi.waitFor(() => expect(socket.closed).toBe(true));
    expect(served.links).toEqual([]);
    expect(served.log.texts('warn')).toEqual(['connections ended in the TLS handshake']);
    await echo(await served.dial());
  });

  test('random bytes end each connection, fill no log, and leave nothing behind', async () => {
    const served = await serve({ unfinishedHandshakes: 4 });
    for (let round = 0; round < 60; round += 1) {
      const socket = raw(served.port).resume();
      socket.end(systemRandom.bytes(1 + round * 7));
      await new Promise((resolve) => socket.once('close', resolve));
    }
    expect(served.drops('too-many-handshakes')).toBe(0);
    expect(served.log.texts('warn')).toHaveLength(1);
    await echo(await served.dial());
  });

  test('a handshake that is never finished ends in time', async () => {
    const served = await serve({ handshakeMs: 50 });
    const socket = raw(served.port).resume();
    await vi.waitFor(() => expect(socket.closed).toBe(true), { timeout: 5000 });
    expect(served.drops('timeout')).toBe(1);
  });

  test('unfinished handshakes are bounded, and end makes room', async () => {
    const served = await serve({ unfinishedHandshakes: 2 });
    const waiting = [raw(served.port), raw(served.port)];
    await delay(50);
    await expect(served.dial()).rejects.toMatchObject({ code: 'HSK-2103' });
    expect(served.drops('too-many-handshakes')).toBe(1);
    for (const socket of waiting) socket.destroy();
    await vi.waitFor(() => expect(served.drops('broken-off')).toBe(2), { timeout: 5000 });
    await echo(await served.dial());
  });

  test('closing waits for no unfinished handshake', async () => {
    const served = await serve();
    const socket = raw(served.port).resume();
    await new Promise((resolve) => socket.once('connect', resolve));
    await delay(20);
    const before = performance.now();
    await served.close();
    expect(performance.now() - before).toBeLessThan(1500);
  });

  test('3.4.2: a client of TLS 1.1 finds no agreement', async () => {
    const served = await serve();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const socket = connectTls({ port: served.port, host: 'localhost', rejectUnauthorized: false, ...old });
    cleanUp.push(() => void socket.destroy());
    await new Promise((resolve) => socket.once('error', resolve));
    await vi.waitFor(() => expect(served.drops('no-agreement')).toBe(1));
  });

  test('a client that does not trust the certificate says so, and is counted', async () => {
    const served = await serve();
    await expect(served.dial({})).rejects.toMatchObject({ code: 'HSK-2105' });
    await vi.waitFor(() => expect(served.drops('refused-by-client') + served.drops('broken-off')).toBe(1));
    await expect(served.dial(undefined, '127.0.0.1')).rejects.toMatchObject({ code: 'HSK-2105' });
  });

  test('a client whose own files are no good says so', async () => {
    const served = await serve();
    await expect(served.dial({ cert: 'no', key: 'no' })).rejects.toMatchObject({ code: 'HSK-2104' });
  });
});

describe('client certificates', () => {
  test('one of the authority names the client; none is as good where none is required', async () => {
    const served = await serve({ clientCa: authority.ca });
    await echo(await served.dial(withKey(authority.sign('pump', CLIENT))));
    await echo(await served.dial());
    expect(served.links.map(({ certificate }) => certificate)).toEqual(['pump', undefined]);
  });

  test('3.4.3: one of another authority is dropped, required or not', async () => {
    for (const requireClientCert of [false, true]) {
      const served = await serve({ clientCa: authority.ca, requireClientCert });
      await served.dial(withKey(stranger.sign('pump', CLIENT))).catch(() => undefined);
      await vi.waitFor(() => expect(served.drops('client-certificate')).toBe(1), { timeout: 5000 });
      expect(served.links).toEqual([]);
    }
  });

  test('3.4.3: where one is required, a client without one is dropped', async () => {
    const served = await serve({ clientCa: authority.ca, requireClientCert: true });
    await served.dial().catch(() => undefined);
    await vi.waitFor(() => expect(served.drops('no-client-certificate')).toBe(1), { timeout: 5000 });
    await echo(await served.dial(withKey(authority.sign('pump', CLIENT))));
    expect(served.links.map(({ certificate }) => certificate)).toEqual(['pump']);
  });

  test('where none is asked for, one that is there names nobody', async () => {
    const served = await serve();
    await echo(await served.dial(withKey(authority.sign('pump', CLIENT))));
    expect(served.links.map(({ certificate }) => certificate)).toEqual([undefined]);
  });
});

/** A pair of files of its own, to be overwritten. */
function files(pair: KeyPair): KeyPair {
  const own = { cert: join(folder, 'own.pem'), key: join(folder, 'own.key') };
  overwrite(own, pair);
  return own;
}

function overwrite(own: KeyPair, { cert, key }: KeyPair): void {
  copyFileSync(cert, own.cert);
  copyFileSync(key, own.key);
}

describe('certificates that change', () => {
  test('reload: connections live on, and new ones see the new certificate', async () => {
    const own = files(first);
    const served = await serve({ certFile: own.cert, keyFile: own.key });
    const link = await served.dial();
    const frames: Uint8Array[] = [];
    link.start({
      frame: (bytes) => void frames.push(bytes),
      drained: () => undefined,
      closed: () => undefined,
    });
    await echoAgain(link, frames);
    expect(await shownBy(served.port)).toBe('CN=first');
    overwrite(own, second);
    await served.tls.reload();
    await echoAgain(link, frames);
    expect(await shownBy(served.port)).toBe('CN=second');
    expect(served.log.texts('info')).toEqual(['took up the certificate anew']);
  });

  test('a changed authority holds for clients that would resume a session of TLS, too', async () => {
    const ca = join(folder, 'clients.pem');
    copyFileSync(authority.ca, ca);
    const served = await serve({ clientCa: ca });
    const credentials = withKey(authority.sign('pump', CLIENT));
    const tickets: Buffer[] = [];
    const connectWith = (session?: Buffer): TLSSocket => {
      const to = { port: served.port, host: 'localhost', servername: 'localhost' };
      const socket = connectTls({ ...to, ...credentials, ...(session && { session }) });
      cleanUp.push(() => void socket.destroy());
      return socket
        .on('session', (ticket) => void tickets.push(ticket))
        .on('error', () => undefined)
        .resume();
    };
    connectWith();
    await vi.waitFor(() => expect(tickets).not.toEqual([]), { timeout: 5000 });
    const resumed = connectWith(tickets[0]);
    await vi.waitFor(() => expect(served.links).toHaveLength(2), { timeout: 5000 });
    expect(resumed.isSessionReused()).toBe(true);
    expect(served.links.map(({ certificate }) => certificate)).toEqual(['pump', 'pump']);
    copyFileSync(stranger.ca, ca);
    await served.tls.reload();
    connectWith(tickets[0]);
    await vi.waitFor(() => expect(served.drops('client-certificate')).toBe(1), { timeout: 5000 });
    expect(served.links).toHaveLength(2);
  });

  test('a change of the files is noticed, once both are written', async () => {
    const own = files(first);
    const served = await serve({ certFile: own.cert, keyFile: own.key, reloadCheckMs: 30 });
    copyFileSync(second.cert, own.cert);
    await vi.waitFor(() => expect(served.log.texts('error')).toHaveLength(1), { timeout: 5000 });
    expect(await shownBy(served.port)).toBe('CN=first');
    copyFileSync(second.key, own.key);
    await vi.waitFor(async () => expect(await shownBy(served.port)).toBe('CN=second'), { timeout: 5000 });
    expect(served.log.texts('error')).toHaveLength(1);
  });

  test('files that are touched between two looks are left for the next one', async () => {
    const own = files(first);
    const served = await serve({ certFile: own.cert, keyFile: own.key, reloadCheckMs: 100 });
    for (let time = 1; time <= 15; time += 1) {
      utimesSync(own.cert, time, time);
      await delay(20);
    }
    expect(served.log.texts('info')).toEqual([]);
    await vi.waitFor(() => expect(served.log.texts('info')).toHaveLength(1), { timeout: 5000 });
  });

  test.each([
    ['is no PEM', (own: KeyPair) => writeFileSync(own.cert, 'no certificate')],
    ['does not go with the key', (own: KeyPair) => copyFileSync(second.cert, own.cert)],
    ['is gone', (own: KeyPair) => rmSync(own.cert)],
  ])('a new certificate that %s keeps the old one and says so, once', async (_name, spoil) => {
    const own = files(first);
    const served = await serve({ certFile: own.cert, keyFile: own.key, reloadCheckMs: 20 });
    spoil(own);
    await vi.waitFor(() => expect(served.log.texts('error')).toHaveLength(1), { timeout: 5000 });
    await delay(150);
    expect(served.log.lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        fields: { code: 'HSK-2104', link: 'tls' },
        text: 'the new certificate is not used, the old one stays',
      },
    ]);
    expect(await shownBy(served.port)).toBe('CN=first');
  });

  test('one that nobody renews is warned of, once', async () => {
    const own = files(authority.sign('brief', SERVER, 2));
    const served = await serve({ certFile: own.cert, keyFile: own.key, reloadCheckMs: 20 });
    await delay(100);
    expect(served.log.texts('warn')).toEqual(['the certificate expires soon']);
    overwrite(own, first);
    await vi.waitFor(() => expect(served.log.texts('info')).toHaveLength(1), { timeout: 5000 });
    await delay(50);
    expect(served.log.texts('warn')).toHaveLength(1);
  });

  test('a source whose certificate can’t be used does not open', async () => {
    for (const broken of [{ certFile: join(folder, 'absent.pem') }, { keyFile: second.key }]) {
      const opening = serve(broken);
      await expect(opening).rejects.toMatchObject({ code: 'HSK-2104' });
      const error: unknown = await opening.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(HashikeError);
      expect(describeError(error)).toMatch(/can't be used: (ENOENT|.*key values mismatch)/);
    }
  });
});
