import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { concat } from '../../src/base/bytes.ts';
import { encodeMessage } from '../../src/wire/long-form.ts';
import { encodeSerialFrame } from '../../src/wire/serial-frame.ts';
import { linkTypes, pcapFile, TcpTalk } from '../support/capture-builder.ts';
import { hashike } from '../support/command-line.ts';
import { connectToken, publish } from '../support/peer.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hashike-decode-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const talk = new TcpTalk({ client: 40_000, server: 7858 })
  .handshake()
  .client(encodeMessage(connectToken('a')));
for (let id = 1; id <= 20_000; id += 1) talk.client(encodeMessage(publish('bed-1/temperature', id)));
const capture = pcapFile(
  talk.packets.map((bytes) => ({ time: 0n, bytes })),
  { linkType: linkTypes.raw },
);

describe('hashike decode --capture', () => {
  test('says of a damaged file what came before the damage, then what is wrong, and ends with 1', async () => {
    const file = write('damaged.pcap', concat([capture.subarray(0, 400), new Uint8Array(64).fill(0xff)]));
    const { code, stdout, stderr } = await hashike('decode', '--capture', file);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/HSK-6002[^]*tcpdump/) as string,
    });
    expect(stdout).toMatch(/^1970-01-01T00:00:00\.000000000Z tcp .*CONNECT_TOKEN/);
  });

  test.each([
    ['a file that is not there', 'absent.pcap', /HSK-6003/],
    ['a file that is no capture', 'text.pcap', /HSK-6002/],
  ])('%s', async (_, name, says) => {
    write('text.pcap', new TextEncoder().encode('hello'));
    const { code, stdout, stderr } = await hashike('decode', '--capture', join(folder, name));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(says);
  });

  test('takes the log of a serial line', async () => {
    const file = write('line.bin', encodeSerialFrame(Uint8Array.of(0x90, 5, 0xca, 0xfe)));
    expect(await hashike('decode', '--serial', '--capture', file)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^serial byte 0: PUBLISH_RELIABLE [^]*\n1 messages\n$/) as string,
    });
  });

  test('ends quietly when its reader has read enough', () => {
    const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
    const file = write('whole.pcap', capture);
    const script = '"$0" "$1" decode --capture "$2" | head -n 1; echo "${PIPESTATUS[0]}"';
    const output = execFileSync('bash', ['-c', script, process.execPath, program, file], {
      encoding: 'utf8',
    });
    expect(output).toMatch(/CONNECT_TOKEN .*\n0\n$/);
  });
});
