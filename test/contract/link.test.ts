import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Counters } from '../../src/base/counters.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Link, LinkSource } from '../../src/links/link.ts';
import type { ClientTls } from '../../src/links/open-stream.ts';
import { connectTcp } from '../../src/links/tcp-client.ts';
import { TcpSource } from '../../src/links/tcp.ts';
import { TlsServer } from '../../src/links/tls-server.ts';
import { connectBrowserWebSocket } from '../../src/links/websocket-browser.ts';
import { connectWebSocket } from '../../src/links/websocket-client.ts';
import { WebSocketSource } from '../../src/links/websocket.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { MemoryLink } from '../support/memory-link.ts';
import { linkContract, type LinkPair } from './link-contract.ts';

const common = { clock: systemClock, counters: new Counters(), log: silentLog };
const listening = {
  ...common,
  host: '127.0.0.1',
  port: 0,
  messageBytes: 65_532,
  handshakeMs: 10_000,
  unfinishedHandshakes: 8,
};
const dialling = { clock: systemClock, host: 'localhost', messageBytes: 65_532, timeoutMs: 5000 };

let folder: string;
let certificates: Certificates;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hashike-links-'));
  certificates = makeCertificates(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

const tlsServer = (name: string): TlsServer =>
  new TlsServer({
    ...listening,
    name,
    certFile: certificates.server.cert,
    keyFile: certificates.server.key,
    requireClientCert: false,
    reloadCheckMs: 60_000,
  });
const trust = (): ClientTls => ({ ca: readFileSync(certificates.ca, 'utf8') });

/** Both ends of a connection that `dial` makes to a source. */
async function pairOf(
  source: LinkSource & { readonly address: { readonly port: number } | undefined },
  dial: (port: number) => Promise<Link>,
): Promise<LinkPair> {
  const accepted = Promise.withResolvers<Link>();
  await source.open(accepted.resolve);
  const near = await dial(source.address?.port ?? 0);
  return {
    near,
    far: await accepted.promise,
    [Symbol.asyncDispose]: async () => {
      near.close();
      await source.close();
    },
  };
}

linkContract('TCP', () => pairOf(new TcpSource(listening), (port) => connectTcp({ ...dialling, port })));

linkContract('TLS', () =>
  pairOf(new TcpSource({ ...listening, tls: tlsServer('tls') }), (port) =>
    connectTcp({ ...dialling, port, tls: trust() }),
  ),
);

linkContract('WebSocket', () =>
  pairOf(new WebSocketSource({ ...listening, origins: [] }), (port) =>
    connectWebSocket({ ...dialling, port, url: `ws://localhost:${port}/tlv` }),
  ),
);

linkContract("a browser's WebSocket", () =>
  pairOf(new WebSocketSource({ ...listening, origins: [] }), (port) =>
    connectBrowserWebSocket({ ...dialling, url: `ws://localhost:${port}/tlv` }),
  ),
);

linkContract('WebSocket over TLS', () =>
  pairOf(new WebSocketSource({ ...listening, origins: [], tls: tlsServer('websocket') }), (port) =>
    connectWebSocket({ ...dialling, port, url: `wss://localhost:${port}/tlv`, tls: trust() }),
  ),
);

linkContract('the link of the tests', async () => {
  const [near, far] = MemoryLink.pair();
  return { near, far, [Symbol.asyncDispose]: () => Promise.resolve() };
});
