import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { corruptor } from '../../firmware-sim/node/behaviours/corruptor.ts';
import { Random } from '../../firmware-sim/random.ts';
import { tokenOf } from '../../firmware-sim/site-plan.ts';
import { connect } from '../../src/client/index.ts';
import { noDefects } from '../support/cloud-application.ts';
import { hashike } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { lineNoise, tcpNoise, udpNoise } from '../support/noise.ts';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';
import { until } from '../support/until.ts';

const describe = requires('mosquitto');

const NOISE_MS = 3000;
const SEED = 8858;

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'hashike-bad-input-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** The value of all drop counters of a place together. */
function dropsOf({ counters }: Awaited<ReturnType<Site['status']>>, place: string): number {
  return counters
    .filter(({ name, labels }) => name === 'dropped' && labels['place'] === place)
    .reduce((sum, { value }) => sum + value, 0);
}

describe('a configuration with a wrong key', () => {
  test.concurrent('ends the start with exit code 2, the line, the key and what would be right', async () => {
    using directory = folder();
    const path = join(directory.path, 'hashike.yaml');
    writeFileSync(path, 'gateway:\n  name: gw\nserial:\n  - path: /dev/ttyUSB0\n    bauds: 9600\n');
    const { code, stderr } = await hashike('run', '--config', path);
    expect(code).toBe(2);
    expect(stderr).toContain(`${path}:5:5: serial[0].bauds`);
    expect(stderr).toContain('did you mean baud?');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('a gateway that serves good nodes', () => {
  test.concurrent('starts with a serial port that does not exist, warns once and says so in its status', async () => {
    await using site = await Site.open({
      serial: [{ names: ['node-1'] }],
      adapt: (configuration) => ({
        ...configuration,
        serial: [...configuration.serial, { path: '/dev/hashike-no-such-port', name: 'ghost' }],
      }),
    });
    await site.start();
    await site.acknowledges(20);
    const { links } = await site.status();
    expect(links).toContainEqual(expect.objectContaining({ name: 'serial ghost', state: 'absent' }));
    expect(links).toContainEqual(expect.objectContaining({ name: 'serial node-1', state: 'open' }));
    const warnings = (): number => site.gateway.log.filter(({ code }) => code === 'HSK-2150').length;
    await until(() => warnings() > 0, 5000, 'a warning');
    await site.acknowledges(20);
    expect(warnings()).toBe(1);
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
  });

  test.concurrent('keeps everything while the upstream refuses its password, and delivers it once that is mended', async () => {
    using directory = folder();
    const login = { user: 'gateway', password: 'correct horse' };
    const wrong = 'battery staple';
    const passwordFile = join(directory.path, 'password');
    writeFileSync(passwordFile, wrong);
    chmodSync(passwordFile, 0o600);
    await using site = await Site.open({
      serial: [{ names: ['node-1'] }],
      coap: { names: ['coap-1'] },
      mosquitto: { login },
      mqtt: { username: login.user, passwordFile },
    });
    await site.start();
    await site.acknowledges(50);
    const lines = site.gateway.log.filter(({ code }) => typeof code === 'string' && code.startsWith('HSK-4'));
    expect(lines.map(({ code }) => code)).toEqual(['HSK-4103']);
    expect(JSON.stringify(site.gateway.log)).not.toContain(wrong);
    const { spool, upstream } = await site.status();
    expect(upstream).toContainEqual(
      expect.objectContaining({ state: expect.stringMatching(/^(waiting|connecting)$/) as string }),
    );
    expect(JSON.stringify(upstream)).toContain('HSK-4103');
    expect(spool.find(({ consumer }) => consumer === 'upstream/mqtt')?.messages).toBeGreaterThanOrEqual(40);

    writeFileSync(passwordFile, login.password);
    await site.settle();
    expect(JSON.stringify(site.gateway.log)).not.toContain(login.password);
    expect(site.cloud.defects).toEqual(noDefects);
  });

  test.concurrent('refuses wrong tokens on serial lines and over TCP, and goes on', async () => {
    const unknown = `sha256:${'0'.repeat(64)}`;
    await using site = await Site.open({
      serial: [{ names: ['node-1'] }, { names: ['stranger-1'], behaviours: [] }],
      adapt: (configuration) => ({
        ...configuration,
        limits: { wrongTokenDelayMs: 100 },
        clients: configuration.clients.map((client) =>
          'name' in client && client.name === 'stranger-1' ? { ...client, token: unknown } : client,
        ),
      }),
    });
    await site.start();
    const { port } = site.configuration.listen.tcp;
    await expect(connect({ port, token: 'wrong' })).rejects.toMatchObject({ code: 'HSK-3101' });
    await until(
      () => (site.ledger('stranger-1').counts.get('refused') ?? 0) > 0,
      5000,
      'a refusal on the serial line',
    );
    await until(
      () => site.gateway.log.filter(({ msg }) => msg.includes('token')).length >= 2,
      5000,
      'a log line for each',
    );
    expect(JSON.stringify(site.gateway.log)).not.toContain(tokenOf('stranger-1'));
    expect(dropsOf(await site.status(), 'handshake')).toBeGreaterThanOrEqual(2);
    await site.acknowledges(20, 'node-1');
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
  });

  test.concurrent('goes on under random bytes on every port, and counts what it drops', async () => {
    console.log(`seed ${SEED}`);
    const random = new Random(SEED);
    await using site = await Site.open({
      serial: [
        { names: ['node-1'] },
        { names: ['noisy-1'], extra: [corruptor({ everyMs: 500 })] },
        { names: ['noise-1'], behaviours: [] },
      ],
      coap: { names: ['coap-1'] },
    });
    await site.start();
    const noisy = site.nodes.find(({ node }) => node.name === 'noise-1');
    if (!noisy) throw new Error('no line for noise');
    noisy.node.stop();
    const { tcp } = site.configuration.listen;
    const { coap } = site.configuration;
    const over = AbortSignal.timeout(NOISE_MS);
    const sent = await Promise.all([
      tcpNoise(tcp.port, random.fork(), over),
      tcpNoise(tcp.port, random.fork(), over),
      udpNoise(coap.port, random.fork(), over),
      lineNoise(noisy.line.node, random.fork(), over),
      site.acknowledges(80),
    ]);
    console.log(`noise: ${sent[0] + sent[1]} connections, ${sent[2]} datagrams, ${sent[3]} bytes on a line`);
    await site.acknowledges(10, 'node-1');
    await site.acknowledges(10, 'noisy-1');
    await site.acknowledges(5, 'coap-1');
    const status = await site.status();
    for (const place of ['tcp', 'coap', 'serial noise-1', 'serial noisy-1'])
      expect(dropsOf(status, place), place).toBeGreaterThan(0);
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    for (const { node, sums } of site.ledgers)
      expect(sums, node).toMatchObject({ rejected: 0, forgotten: 0 });
    expect(site.gateway.log.filter(({ code }) => code === 'HSK-1001')).toEqual([]);
  });

  test.concurrent('keeps a second one away from its state directory', async () => {
    await using site = await Site.open({ serial: [{ names: ['node-1'] }] });
    await site.start();
    const path = join(site.directory, 'second.yaml');
    const { gateway } = site.configuration;
    const runtimeDirectory = join(site.directory, 'second');
    writeFileSync(
      path,
      stringify({ gateway: { ...gateway, runtimeDirectory }, listen: { tcp: { port: await freePort() } } }),
    );
    const { code, stderr } = await hashike('run', '--config', path);
    expect(code).toBe(2);
    expect(stderr).toContain('stop the other gateway');
    expect(stderr).toContain('HSK-2202');
    expect(stderr).not.toMatch(/^\s+at /m);
    await site.acknowledges(20);
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
  });
});
