import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeContent } from '../../src/wire/content.ts';
import { CoapGateway, until } from '../support/coap-gateway.ts';
import { requires } from '../support/requires.ts';

const describe = requires('coap-client-notls');

describe('libcoap as a device', () => {
  let gateway: CoapGateway;

  beforeEach(async () => {
    gateway = await CoapGateway.open({ ackTimeoutMs: 500 });
  });

  afterEach(() => gateway.inlet.close());

  function start(path: string, ...flags: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    const url = `coap://[::1]:${gateway.port}/${path}`;
    return spawn('coap-client-notls', ['-B', '10', ...flags, url], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** What it printed, answers and refusals alike. */
  async function run(path: string, ...flags: readonly string[]): Promise<string> {
    const child = start(path, ...flags);
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
    await once(child, 'close');
    return output;
  }

  test('publishes reliably with a confirmable POST', async () => {
    await run('node/temperature?t=node-secret', '-m', 'post', '-t', 'text/plain', '-e', '21.5');
    const content = encodeContent([{ contentType: 0x8001, value: Uint8Array.of(0x08, 0x66) }]);
    expect(gateway.kept).toMatchObject([{ topic: 'node/temperature', reliable: true, content }]);
  });

  test('publishes best effort with a non-confirmable PUT', async () => {
    await run('node/x?t=node-secret', '-N', '-m', 'put', '-e', 'hello');
    expect(gateway.kept).toMatchObject([{ topic: 'node/x', reliable: false }]);
  });

  test('is let in by option 65000', async () => {
    await run('node/x', '-O', '65000,node-secret', '-m', 'post', '-e', 'hello');
    expect(gateway.kept).toHaveLength(1);
  });

  test('is refused with a wrong token, and reads why', async () => {
    expect(await run('node/x?t=guess', '-m', 'post', '-e', 'hello')).toMatch(/4\.01.*nobody has this token/);
    expect(gateway.kept).toHaveLength(0);
  });

  test('reads the last value as JSON', async () => {
    await run('node/temperature?t=node-secret', '-m', 'post', '-t', '0', '-e', '-3.25');
    expect(await run('node/temperature?t=node-secret', '-A', '50')).toContain('{"temperature":-3.25}');
  });

  test('reads a value of several blocks', async () => {
    await gateway.command(
      encodeContent([{ contentType: 0x8000, value: Buffer.from('0123456789'.repeat(300)) }]),
    );
    expect(await run('node/set?t=node-secret')).toContain('0123456789'.repeat(300));
  });

  test('observes commands, each once and in order', async () => {
    const child = start('node/set?t=node-secret', '-s', '3', '-w', '-A', '50');
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    await until(() => gateway.inlet.describe().detail.observers === 1);
    for (const tenths of [200, 205, 210]) {
      await gateway.command(encodeContent([{ contentType: 0x8003, value: Uint8Array.of(0, tenths) }]));
    }
    await once(child, 'close');
    expect(output.match(/"setpoint":[\d.]+/g)).toEqual(['"setpoint":20', '"setpoint":20.5', '"setpoint":21']);
    // It ends its observation when it leaves.
    expect(gateway.inlet.describe().detail.observers).toBe(0);
  });

  test('loses its first datagram and still publishes once', async () => {
    await run('node/x?t=node-secret', '-l', '1', '-m', 'post', '-e', 'again');
    expect(gateway.kept).toHaveLength(1);
  });
});
