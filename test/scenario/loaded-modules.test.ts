import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';

const program = fileURLToPath(new URL('./loaded-modules-child.ts', import.meta.url));
let directory = '';
let list = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hashike-modules-'));
  list = join(directory, 'modules');
  process.env['HASHIKE_TEST_MODULES'] = list;
});
afterEach(() => {
  delete process.env['HASHIKE_TEST_MODULES'];
  rmSync(directory, { recursive: true, force: true });
});

/** What a gateway with these sections of the configuration has loaded when it was started and stopped. */
async function loadedWith(sections: object): Promise<readonly string[]> {
  const file = join(directory, 'hashike.yaml');
  writeFileSync(
    file,
    stringify({
      gateway: {
        name: 'gw',
        stateDirectory: join(directory, 'state'),
        runtimeDirectory: join(directory, 'run'),
      },
      ...sections,
    }),
  );
  const gateway = new GatewayProcess(file, program);
  try {
    await gateway.start();
  } finally {
    await gateway.stop('SIGTERM');
  }
  return readFileSync(list, 'utf8').split('\n');
}

/** Node's own WebSocket client, which an import of node:http loads. */
const webSocketClient = /internal\/deps\/undici\/undici$/;

/** Each of them is megabytes of memory, or tens of milliseconds of the start. */
const needless = [
  // The configuration has been read elsewhere.
  /\/node_modules\/(zod|yaml)\//,
  /\/src\/config\/(?!load-apart\.ts)/,
  // The other commands.
  /\/src\/client\//,
  /\/src\/cli\/(capture|decode|describe)/,
  webSocketClient,
  // What is not configured.
  /^NativeModule tls$/,
  /\/node_modules\/(mqtt|coap|serialport|@serialport|ws|pino-pretty)\//,
  /\/src\/(bridges|inlets)\//,
  /\/src\/links\/(serial|tls|udp|websocket)/,
];

test('a gateway that only listens on TCP loads nothing else', async () => {
  const loaded = await loadedWith({ listen: { tcp: { port: 0 } } });
  expect(loaded).toContainEqual(expect.stringContaining('/src/links/tcp.ts'));
  expect(loaded.filter((url) => needless.some((pattern) => pattern.test(url)))).toEqual([]);
});

test('a WebSocket listener brings no WebSocket client of Node', async () => {
  const loaded = await loadedWith({ listen: { websocket: { port: 0 } } });
  expect(loaded).toContainEqual(expect.stringContaining('/node_modules/ws/'));
  expect(loaded.filter((url) => webSocketClient.test(url))).toEqual([]);
});
