import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ConfigError, formatProblems, type LoadedConfig, parseConfig } from '../../../src/config/load.ts';
import { type Certificates, makeCertificates } from '../../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'hashike-listeners-'));
let certificates: Certificates;

beforeAll(() => {
  certificates = makeCertificates(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

const load = (listen: object, clients: readonly object[] = []): LoadedConfig =>
  parseConfig(stringify({ gateway: { name: 'barn' }, listen, clients }), join(folder, 'hashike.yaml'));

/** The problems as a user reads them, without file, line and column. */
function problemsOf(...args: Parameters<typeof load>): readonly string[] {
  try {
    load(...args);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblems('f', [problem]).replace(/^f:\d+:\d+: /, ''));
  }
  return [];
}

const warningsOf = (...args: Parameters<typeof load>): readonly string[] =>
  load(...args).warnings.map((line) => line.replace(/^.*?:\d+:\d+: /, ''));

const token = `sha256:${'a'.repeat(64)}`;
const rights = { subscribe: ['#'] };

describe('listeners with TLS', () => {
  test('have defaults, and paths that start in the folder of the file', () => {
    const files = { certFile: 'server.pem', keyFile: 'server.key' };
    const { config, warnings } = load({ tls: files, websocket: { tls: { ...files, clientCa: 'ca.pem' } } });
    const { server, ca } = certificates;
    const tls = {
      certFile: server.cert,
      keyFile: server.key,
      requireClientCert: false,
      reloadCheckMs: 10_000,
    };
    expect(config.listen).toMatchObject({
      tls: { host: '127.0.0.1', port: 8858, ...tls },
      websocket: { host: '127.0.0.1', port: 7859, origins: [], tls: { ...tls, clientCa: ca } },
    });
    expect(warnings).toEqual([]);
  });

  test('need files that can be read and fit together', () => {
    const { server, client } = certificates;
    expect(problemsOf({ tls: { certFile: 'no.pem', keyFile: server.key } })).toEqual([
      expect.stringMatching(/^listen\.tls\.certFile: names a file that cannot be read; ENOENT/),
    ]);
    expect(problemsOf({ websocket: { tls: { certFile: client.cert, keyFile: server.key } } })).toEqual([
      expect.stringMatching(
        /^listen\.websocket\.tls\.certFile: does not go with keyFile; .*key values mismatch/,
      ),
    ]);
  });

  test('that require a client certificate need its authority', () => {
    const { server } = certificates;
    const tls = { certFile: server.cert, keyFile: server.key, requireClientCert: true };
    expect(problemsOf({ tls })).toEqual([
      expect.stringContaining('listen.tls.requireClientCert: can accept no certificate; set clientCa'),
    ]);
  });

  test('warn of a key that everybody may read', () => {
    const { server } = certificates;
    chmodSync(server.key, 0o644);
    expect(warningsOf({ tls: { certFile: server.cert, keyFile: server.key } })).toEqual([
      expect.stringMatching(
        /^listen\.tls\.keyFile: every user of this machine may read that file; chmod o-r it/,
      ),
    ]);
    chmodSync(server.key, 0o600);
  });

  test('may be open to the network; those without TLS are warned of', () => {
    const { server } = certificates;
    const tls = { certFile: server.cert, keyFile: server.key };
    const host = '0.0.0.0';
    expect(warningsOf({ tls: { host, ...tls }, websocket: { host, tls } })).toEqual([]);
    expect(warningsOf({ tcp: { host }, websocket: { host } })).toEqual([
      expect.stringContaining('listen.tcp.host: opens the gateway to the network'),
      expect.stringContaining('listen.websocket.host: opens the gateway to the network'),
    ]);
  });
});

describe('clients with a certificate', () => {
  test('need no token, and a listener that asks for certificates', () => {
    const { server, ca } = certificates;
    const tls = { certFile: server.cert, keyFile: server.key };
    const clients = [{ name: 'pump', certificate: 'pump', ...rights }];
    expect(warningsOf({ tls: { ...tls, clientCa: ca } }, clients)).toEqual([]);
    expect(warningsOf({ tls }, clients)).toEqual([
      expect.stringContaining('clients[0].certificate: is asked for by no listener; set clientCa'),
    ]);
  });

  test('have a certificate or a token, and no two have the same', () => {
    const { server, ca } = certificates;
    const tls = { certFile: server.cert, keyFile: server.key, clientCa: ca };
    const pump = { name: 'pump', certificate: 'pump', ...rights };
    expect(problemsOf({ tls }, [{ name: 'nobody', ...rights }])).toEqual([
      expect.stringContaining('clients[0]: has neither token nor certificate'),
    ]);
    expect(problemsOf({ tls }, [pump, { ...pump, name: 'other' }])).toEqual([
      expect.stringContaining('clients[1]: the certificate is used twice'),
    ]);
    expect(problemsOf({ tls }, [pump, { name: 'other', token, ...rights }])).toEqual([]);
  });
});
