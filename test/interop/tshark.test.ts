import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { concat, parseHex } from '../../src/base/bytes.ts';
import { decodeCapture } from '../../src/cli/capture/decode-capture.ts';
import { encodeContent, contentSections } from '../../src/client/index.ts';
import { encodeMessage } from '../../src/wire/long-form.ts';
import { MessageType, ShortKind } from '../../src/wire/numbers.ts';
import { DatagramChannel } from '../../src/wire/datagram-channel.ts';
import { encodeSerialFrame } from '../../src/wire/serial-frame.ts';
import { encodeShort } from '../../src/wire/short-form.ts';
import { clientConfig, demolish, openHouse } from '../support/broker-house.ts';
import {
  linkTypes,
  pcapFile,
  TcpTalk,
  udpPacket,
  upgradeRequest,
  upgradeResponse,
  webSocketFrame,
} from '../support/capture-builder.ts';
import { hashike } from '../support/command-line.ts';
import { connectToken, publish } from '../support/peer.ts';
import { requires } from '../support/requires.ts';
import { captureLoopback, dissect, type Dissected, tshark } from '../support/tshark.ts';
import { until } from '../support/until.ts';
import { message, shortFrame } from '../support/wire-arbitraries.ts';
import { bytesOf, readVectors } from '../support/wire-vectors.ts';

const describe = requires('tshark');
const captures = requires('tshark', 'root');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hashike-tshark-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(packets: readonly Uint8Array[], linkType: number = linkTypes.raw): string {
  const path = join(folder, 'made.pcap');
  const time = 1_767_323_045_000_000_000n;
  writeFileSync(
    path,
    pcapFile(
      packets.map((bytes) => ({ time, bytes })),
      { linkType },
    ),
  );
  return path;
}

/** What one line of `hashike decode --json` says of a frame. */
interface Told {
  readonly form: 'long' | 'short';
  readonly type: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

async function decodeByUs(file: string, ...flags: readonly string[]): Promise<Told[]> {
  const { code, stdout, stderr } = await hashike('decode', '--json', '--capture', file, ...flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);
  return lines.filter(({ form }) => form === 'long' || form === 'short');
}

const colons = (hexDigits: string): string => hexDigits.replaceAll(/(..)(?=.)/g, '$1:');
const bytesNames: ReadonlySet<string> = new Set([
  'token',
  'sessionId',
  'resumeKey',
  'connectionId',
  'key',
  'correlation',
]);
const renamed: Readonly<Record<string, string>> = {
  clientIds: 'client_id',
  topics: 'topic',
  versions: 'version',
};

/** What the dissector should say, from what `hashike decode` says. */
class Expected {
  readonly fields = new Map<string, string[]>();

  constructor({ form, type, fields }: Told) {
    if (form === 'long') {
      this.#add('type', `0x${MessageType[type as keyof typeof MessageType].toString(16).padStart(4, '0')}`);
      this.#sections(fields);
    } else {
      this.#add('kind', String(ShortKind[type as keyof typeof ShortKind]));
      this.#short(type, fields);
    }
  }

  #add(name: string, value: string): void {
    const filter = `hashike.${name}`;
    const known = this.fields.get(filter);
    if (known) known.push(value);
    else this.fields.set(filter, [value]);
  }

  #sections(fields: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(fields)) {
      const filter = renamed[name] ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      if (value === undefined) continue;
      else if (name === 'content') this.#content(value);
      else if (name === 'reason') this.#reason(value as { code: number; text: string });
      else if (name === 'will') this.#sections(value as Record<string, unknown>);
      else if (name === 'aliases' || name === 'entries') this.#aliases(value as Record<string, unknown>[]);
      else if (name === 'layout') this.#layout(value as { contentType: number; length: number }[]);
      else if (Array.isArray(value)) {
        for (const each of value) if (each !== '') this.#add(filter, String(each));
      } else if (typeof value === 'boolean') {
        if (value) this.#add(filter, '1');
      } else if (typeof value === 'string') {
        if (value !== '') this.#add(filter, bytesNames.has(name) ? colons(value) : value);
      } else if (typeof value === 'number') this.#add(filter, String(value));
    }
  }

  #content(value: unknown): void {
    const sections =
      typeof value === 'string'
        ? contentSections(parseHex(value) ?? new Uint8Array(0)).map((section) => ({
            value: Buffer.from(section.value).toString('hex'),
          }))
        : (value as readonly { readonly value: string }[]);
    for (const section of sections) if (section.value !== '') this.#add('content', colons(section.value));
  }

  #reason({ code, text }: { readonly code: number; readonly text: string }): void {
    this.#add('reason.code', String(code));
    if (text !== '') this.#add('reason.text', text);
  }

  #aliases(entries: readonly Record<string, unknown>[]): void {
    for (const entry of entries) this.#sections(entry);
  }

  #layout(entries: readonly { readonly contentType: number; readonly length: number }[]): void {
    for (const { contentType, length } of entries) {
      this.#add('layout.type', `0x${contentType.toString(16)}`);
      this.#add('layout.length', String(length));
    }
  }

  #short(type: string, fields: Readonly<Record<string, unknown>>): void {
    const names: Readonly<Record<string, string>> = { content: 'values', echo: 'echo8', bytes: 'fragment' };
    for (const [name, value] of Object.entries(fields)) {
      const filter = names[name] ?? name;
      if (typeof value === 'boolean') this.#add(filter, value ? '1' : '0');
      else if (name === 'session16') this.#add(filter, `0x${Number(value).toString(16).padStart(4, '0')}`);
      else if (typeof value === 'number') this.#add(filter, String(value));
      else if (value !== '') this.#add(filter, colons(String(value)));
    }
    expect(ShortKind).toHaveProperty(type);
  }
}

const layoutOfFrame = new Set([
  'hashike.length',
  'hashike.section',
  'hashike.section.type',
  'hashike.section.length',
  'hashike.section.padding',
]);

/** Without the fields that only say how the bytes are laid out. Newer versions print a boolean as a word. */
function said(dissected: Dissected): object {
  const fields = [...dissected].filter(([name]) => !layoutOfFrame.has(name));
  const plain = fields.map(([name, values]) => [
    name,
    values.map((value) => (value === 'True' ? '1' : value === 'False' ? '0' : value)),
  ]);
  return Object.fromEntries(plain) as object;
}

async function expectSame(file: string, port = 7858): Promise<Told[]> {
  const ours = await decodeByUs(file, '--port', String(port));
  const theirs = await dissect(file, { port });
  expect(theirs.map(said)).toEqual(ours.map((told) => Object.fromEntries(new Expected(told).fields)));
  return ours;
}

/** Runs `action` once with `count` values; a failure prints the seed. */
function withMany<T>(
  value: fc.Arbitrary<T>,
  count: number,
  action: (values: T[]) => Promise<void>,
): Promise<void> {
  const list = fc.array(value, { minLength: count, maxLength: count, size: 'max' });
  return fc.assert(fc.asyncProperty(list, action), { numRuns: 1, endOnFailure: true });
}

/** Strings that Wireshark prints as they are. */
const isPlain = (text: string): boolean => /^[\u0020-\u007e\u00a1-\u024f]*$/.test(text);
const isPrintable = (value: unknown): boolean =>
  typeof value === 'string'
    ? isPlain(value)
    : typeof value !== 'object' ||
      value === null ||
      value instanceof Uint8Array ||
      Object.values(value).every(isPrintable);

captures('a real connection, captured on the loopback', () => {
  test('Wireshark and hashike decode say the same of every message', async () => {
    const house = await openHouse({ clients: [clientConfig('a'), clientConfig('b')] });
    const file = join(folder, 'real.pcapng');
    const stop = await captureLoopback(file, `tcp port ${house.port}`);
    try {
      const reader = await house.client('a');
      const writer = await house.client('b');
      const readings = await reader.subscribe('bed-1/#');
      for (let value = 0; value < 20; value += 1) {
        const content = encodeContent([
          { contentType: 0x8001, value: Uint8Array.of(value) },
          { contentType: 0x8002, value: new Uint8Array(value * 300) },
        ]);
        await writer.publish('bed-1/größe', content, { reliable: value % 2 === 0 });
      }
      for (let index = 0; index < 20; index += 1) await readings.next();
      await writer.close();
      await reader.close();
      await until(() => endsIn(file, house.port), 20_000, 'both DISCONNECT in the file');
    } finally {
      await stop();
      await house.stop();
      await demolish(house);
    }
    const told = await expectSame(file, house.port);
    const types = new Set(told.map(({ type }) => type));
    expect([...types]).toEqual(
      expect.arrayContaining([
        'CONNECT_TOKEN',
        'CONNACK_SUCCESS',
        'SUBSCRIBE',
        'PUBLISH',
        'ACK',
        'DISCONNECT',
      ]),
    );
    expect(told.filter(({ type }) => type === 'PUBLISH')).toHaveLength(40);
  });
});

async function endsIn(file: string, port: number): Promise<boolean> {
  let ends = 0;
  for await (const each of decodeCapture(createReadStream(file), [port])) {
    if (each.kind === 'frame' && each.frame[1] === MessageType.DISCONNECT && each.frame[0] === 0) ends += 1;
  }
  return ends === 2;
}

describe('made captures', () => {
  const vectors = readVectors('long-form.json') as readonly {
    readonly name: string;
    readonly clause: string;
    readonly hex: string;
    readonly then?: { readonly byte: string; readonly count: number };
    readonly error?: string;
    readonly canonical?: boolean;
  }[];

  test('every message of the vectors, over TCP', async () => {
    const talk = new TcpTalk({ client: 40_000, server: 7858 }).handshake();
    // The others hold sections that a message does not name, which a receiver skips and Wireshark shows.
    const good = vectors.filter(({ error, canonical }) => error === undefined && canonical !== false);
    for (const { hex, then } of good) {
      const whole = bytesOf(hex + (then?.byte.repeat(then.count) ?? ''));
      for (let at = 0; at < whole.length; at += 30_000) talk.client(whole.subarray(at, at + 30_000));
    }
    expect(await expectSame(fileOf(talk.packets))).toHaveLength(good.length);
  });

  test('messages of any kind, cut by segments anywhere', async () => {
    await withMany(message.filter(isPrintable), 300, async (messages) => {
      const stream = concat(messages.map(encodeMessage));
      const talk = new TcpTalk({ client: 40_000, server: 7858 }).handshake();
      for (let at = 0; at < stream.length; at += 97) talk.client(stream.subarray(at, at + 97));
      expect(await expectSame(fileOf(talk.packets))).toHaveLength(300);
    });
  });

  test('what breaks the specification is marked, and no bytes make the dissector fail', async () => {
    const bad = vectors.filter(({ error, hex }) => error !== undefined && bytesOf(hex).length >= 8);
    const frames = bad.map(({ hex, then }) => bytesOf(hex + (then?.byte.repeat(then.count) ?? '')));
    const noise = fc.uint8Array({ minLength: 1, maxLength: 60 });
    const damaged = fc.tuple(message, fc.nat(400), fc.nat(255)).map(([whole, index, byte]) => {
      const frame = encodeMessage(whole).slice();
      frame[index % frame.length] = byte;
      return frame;
    });
    await withMany(fc.oneof(noise, damaged), 600, async (more) => {
      const line = [...frames, ...more].map(encodeSerialFrame);
      const found = await dissect(fileOf(line, linkTypes.user0), { protocol: 'hashike_serial' });
      expect(found).toHaveLength(line.length);
    });
    const marked = await tshark(
      '-r',
      fileOf(frames.map(encodeSerialFrame), linkTypes.user0),
      '-Y',
      'hashike.malformed',
    );
    expect(marked.trim().split('\n').length).toBeGreaterThan(frames.length / 3);
  });

  test('short frames of a serial line, and a bad CRC', async () => {
    await withMany(shortFrame, 200, async (frames) => {
      const broken = encodeSerialFrame(Uint8Array.of(0xd0));
      broken[1] = (broken[1] ?? 0) ^ 1;
      const packets = [...frames.map((frame) => encodeSerialFrame(encodeShort(frame))), broken];
      const file = fileOf(packets, linkTypes.user0);
      expect(await expectSame(file)).toHaveLength(frames.length);
      expect(
        await tshark('-r', file, '-Y', 'hashike_serial.bad_crc', '-T', 'fields', '-e', 'frame.number'),
      ).toBe(`${packets.length}\n`);
      const stuffed = await dissect(file, { protocol: 'hashike_serial' });
      expect(stuffed).toHaveLength(packets.length);
    });
  });

  test('WebSocket, at any port', async () => {
    const { packets } = new TcpTalk({ client: 40_000, server: 80 })
      .handshake()
      .client(upgradeRequest())
      .server(upgradeResponse())
      .client(webSocketFrame(encodeMessage(connectToken('secret')), { mask: 0x01020304 }))
      .client(webSocketFrame(encodeMessage(publish('t', 1)), { mask: 5 }));
    expect(await expectSame(fileOf(packets))).toHaveLength(2);
  });

  test('the header of a datagram', async () => {
    const channel = new DatagramChannel({
      side: 'client',
      connectionId: Uint8Array.of(1, 2, 3),
      key: new Uint8Array(24),
    });
    const sealed = channel.seal(encodeMessage(publish('t', undefined)));
    const [found] = await dissect(fileOf([udpPacket(40_000, 7858, sealed)]), {
      protocol: 'hashike_datagram',
    });
    expect(Object.fromEntries(found ?? [])).toEqual({
      'hashike_datagram.id_length': ['2'],
      'hashike_datagram.connection_id': ['01:02:03'],
      'hashike_datagram.packet_number': ['1'],
      'hashike_datagram.payload': [colons(Buffer.from(sealed.subarray(6, -8)).toString('hex'))],
      'hashike_datagram.tag': [colons(Buffer.from(sealed.subarray(-8)).toString('hex'))],
    });
  });

  test('at another port it is nothing of ours until the preference says so', async () => {
    const { packets } = new TcpTalk({ client: 40_000, server: 9000 })
      .handshake()
      .client(encodeMessage(publish('t', 1)));
    const file = fileOf(packets);
    expect(await dissect(file)).toHaveLength(0);
    expect(await dissect(file, { port: 9000 })).toHaveLength(1);
  });
});
