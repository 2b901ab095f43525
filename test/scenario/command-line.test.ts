import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';
import { hashike, program } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';

const TOKEN = 'the token of the command line';
let directory = '';
let config = '';
let gateway: GatewayProcess | undefined;
let url = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hashike-cli-'));
  const port = await freePort();
  url = `hashike://127.0.0.1:${port}`;
  config = join(directory, 'hashike.yaml');
  writeFileSync(join(directory, 'token'), `${TOKEN}\n`);
  writeFileSync(
    config,
    stringify({
      gateway: {
        name: 'cli',
        stateDirectory: join(directory, 'state'),
        runtimeDirectory: join(directory, 'run'),
      },
      listen: { tcp: { port } },
      clients: [
        {
          name: 'person',
          token: `sha256:${createHash('sha256').update(TOKEN).digest('hex')}`,
          publish: ['news/#'],
          subscribe: ['news/#'],
          shared: true,
        },
      ],
    }),
  );
  gateway = new GatewayProcess(config);
  await gateway.start();
});

afterAll(async () => {
  await gateway?.stop('SIGTERM');
  rmSync(directory, { recursive: true, force: true });
});

describe('a user’s mistake ends with code 2, a cause, a cure and no stack trace', () => {
  test.each([
    ['an unknown command', ['nonsense'], /nonsense/],
    ['an unknown flag', ['run', '--colour'], /colour/],
    ['bytes that are no hex', ['decode', '90f'], /not hex.*HSK-6001/],
    ['a configuration that is not there', ['check', '--config', '/nowhere.yaml'], /nowhere.*HSK-2402/],
    ['no token', ['pub', 'news/a', 'b'], /HASHIKE_TOKEN.*HSK-6001/],
    ['a content type of the protocol', ['pub', '--type', '0x0106', 'news/a', 'b'], /0x0106/],
  ])('%s', async (_name, args, expected) => {
    const { code, stderr } = await hashike(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(expected);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

/** `value`, once whatever is ready has had its turn. */
function nextTurn<T>(value: T): Promise<T> {
  return new Promise((resolve) => {
    setImmediate(resolve, value);
  });
}

function as(name: string): string[] {
  return ['--url', url, '--token-file', join(directory, 'token'), '--name', name];
}

describe('against a running gateway', () => {
  test('what pub publishes sub prints, with topic, publisher and content', async () => {
    const heard = hashike('sub', ...as('ear'), '--count', '2', 'news/+');
    // Published until the subscription is in force.
    const pending = Symbol('pending');
    let published = 0;
    while ((await Promise.race([heard, nextTurn(pending)])) === pending) {
      const { code, stderr } = await hashike(
        'pub',
        ...as('mouth'),
        '--type',
        '0x8001',
        '--hex',
        'news/today',
        'cafe',
      );
      expect([code, stderr]).toEqual([0, '']);
      published += 1;
    }
    const { code, stdout } = await heard;
    expect(code).toBe(0);
    expect(published).toBeGreaterThanOrEqual(2);
    const line = { topic: 'news/today', client: 'person/mouth', contents: [['0x8001', 'cafe']] };
    expect(
      stdout
        .trim()
        .split('\n')
        .map((each) => JSON.parse(each) as unknown),
    ).toEqual([line, line]);
  });

  test('5.9.3: what pub --retain published sub prints later, and an empty value clears it', async () => {
    expect(await hashike('pub', ...as('mouth'), '--retain', 'news/kept', 'sun')).toMatchObject({ code: 0 });
    const { stdout } = await hashike('sub', ...as('ear'), '--count', '1', 'news/#');
    expect(JSON.parse(stdout)).toMatchObject({ topic: 'news/kept', retained: true });
    expect(await hashike('pub', ...as('mouth'), '--retain', 'news/kept', '')).toMatchObject({ code: 0 });
    await hashike('pub', ...as('mouth'), '--retain', 'news/other', 'rain');
    const later = await hashike('sub', ...as('ear'), '--count', '1', 'news/#');
    expect(JSON.parse(later.stdout)).toMatchObject({ topic: 'news/other' });
  });

  test('a topic that the token does not allow is refused with code 1 or 2 and a reason', async () => {
    const { code, stderr } = await hashike('pub', ...as('mouth'), 'secret/a', 'b');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/secret\/a.*HSK-/);
  });

  test('status tells links, clients, queues and counters, for people and for programs', async () => {
    const { code, stdout } = await hashike('status', '--config', config);
    expect(code).toBe(0);
    for (const title of ['links', 'clients', 'upstream', 'waiting on disk', 'dropped', 'counters'])
      expect(stdout).toContain(`\n${title}\n`);
    expect(stdout).toMatch(/^cli: hashike \d+\.\d+\.\d+, process \d+, up [\d.]+ s/);
    const json = await hashike('status', '--config', config, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      gateway: 'cli',
      pid: gateway?.pid,
      links: [{ name: 'tcp', state: 'open' }],
    });
  });

  test('check says that the configuration is good', async () => {
    const { code, stdout } = await hashike('check', '--config', config);
    expect([code, stdout]).toEqual([0, `${config} is good: gateway cli, serial ports: 0, clients: 1\n`]);
  });
});

test('token new makes a token and the hash that the configuration wants', async () => {
  const { stdout } = await hashike('token', 'new');
  const [, token = '', hash = ''] = /device:\s+(\S+)\n.*configuration:\s+(\S+)/.exec(stdout) ?? [];
  expect(token).toMatch(/^[\w-]{22}$/);
  expect(hash).toBe(`sha256:${createHash('sha256').update(token).digest('hex')}`);
  expect((await hashike('token', 'new')).stdout).not.toContain(token);
});

test('status of a gateway that does not run says where it looked', async () => {
  const alone = join(directory, 'alone.yaml');
  writeFileSync(
    alone,
    stringify({ gateway: { name: 'alone', runtimeDirectory: join(directory, 'nobody') } }),
  );
  const { code, stderr } = await hashike('status', '--config', alone);
  expect(code).toBe(1);
  expect(stderr).toMatch(/nobody\/status\.sock.*HSK-4202/);
});

test('a reader that is slow gets every line', async () => {
  const frames = 20_000;
  const decode = spawn(process.execPath, [program, 'decode', '--serial'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { stdin, stdout } = decode;
  // Ends before it reads all of it only where something is wrong, and then the count says so.
  stdin.on('error', () => undefined);
  stdin.end('04d02a8d00'.repeat(frames));
  // More than a pipe holds waits in the process by the time that somebody looks.
  await new Promise((resolve) => {
    stdout.once('readable', resolve);
  });
  await new Promise((resolve) => {
    setTimeout(resolve, 500);
  });
  let lines = 0;
  for await (const chunk of stdout) lines += String(chunk).split('\n').length - 1;
  expect(lines).toBe(frames);
});
