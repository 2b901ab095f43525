import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { type Decoded, decodeCapture, decodeLine } from '../../../src/cli/capture/decode-capture.ts';
import { serialLogBytes } from '../../../src/cli/capture/serial-log.ts';
import { decodedToJson, describeDecoded } from '../../../src/cli/describe-capture.ts';
import { encodeContent } from '../../../src/wire/content.ts';
import { DatagramChannel } from '../../../src/wire/datagram-channel.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/long-form.ts';
import type { Message } from '../../../src/wire/message.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { encodeSerialFrame } from '../../../src/wire/serial-frame.ts';
import {
  type CapturedBytes,
  chunked,
  type FileOptions,
  linkTypes,
  onLink,
  pcapFile,
  pcapngFile,
  TcpTalk,
  tcpPacket,
  udpPacket,
  upgradeRequest,
  upgradeResponse,
  webSocketFrame,
} from '../../support/capture-builder.ts';
import { connectToken, publish } from '../../support/peer.ts';

const start = 1_767_323_045_123_456_000n;
const hello = encodeMessage(connectToken('secret'));
const welcome = encodeMessage({
  type: MessageType.CONNACK_SUCCESS,
  timestamp: 1,
  clientId: 'bed-1',
  sessionId: new Uint8Array(8),
  resumeKey: new Uint8Array(16),
  keepAlive: 60_000,
  resumeWindow: 60_000,
  serverTime: 5,
});
const reading = (id: number): Uint8Array => encodeMessage(publish('bed-1/temperature', id));

const at = (bytes: Uint8Array, index: number): CapturedBytes => ({
  time: start + BigInt(index) * 1000n,
  bytes,
});
const onRaw = (packets: readonly Uint8Array[]): Uint8Array =>
  pcapFile(packets.map(at), { linkType: linkTypes.raw });

async function decode(file: Uint8Array, ports: readonly number[] = [7858, 8858]): Promise<Decoded[]> {
  const found: Decoded[] = [];
  for await (const each of decodeCapture(chunked(file), ports)) found.push(each);
  return found;
}

/** Message types with MESSAGE_IDs and notes, in order. */
function story(found: readonly Decoded[]): unknown[] {
  return found.flatMap((each): unknown[] => {
    if (each.kind === 'note') return [each.text];
    if (each.kind !== 'frame') return [];
    const message: Message = decodeMessage(each.frame);
    return ['messageId' in message && message.messageId !== undefined ? message.messageId : message.type];
  });
}

function ignoredIn(found: readonly Decoded[]): object {
  const last = found.at(-1);
  return last?.kind === 'end' ? Object.fromEntries(last.summary.ignored) : {};
}

const talk = (): TcpTalk => new TcpTalk({ client: 40_000, server: 7858 }).handshake();

describe('files', () => {
  const variants: (FileOptions & { readonly name: string; readonly make: typeof pcapFile })[] = [];
  for (const [name, make] of Object.entries({ pcap: pcapFile, pcapng: pcapngFile })) {
    for (const littleEndian of [true, false]) {
      for (const nanoseconds of [true, false]) {
        const words = `${name}, ${littleEndian ? 'little' : 'big'}-endian, ${nanoseconds ? 'nano' : 'micro'}seconds`;
        variants.push({ name: words, make, littleEndian, nanoseconds, linkType: linkTypes.raw });
      }
    }
  }

  test.each(variants)('$name', async ({ make, ...options }) => {
    const packets = talk().client(hello).server(welcome).packets.map(at);
    const file = make(packets, options);
    const found: Decoded[] = [];
    // In small chunks, so that every field is cut somewhere.
    for await (const each of decodeCapture(chunked(file, 7), [7858])) found.push(each);
    expect(found.slice(0, -1)).toEqual([
      {
        kind: 'frame',
        frame: hello,
        place: {
          time: start + 2000n,
          transport: 'tcp',
          from: '127.0.0.1:40000',
          to: '127.0.0.1:7858',
          sender: 'client',
        },
      },
      expect.objectContaining({ frame: welcome }),
    ]);
    expect(found.at(-1)).toMatchObject({
      summary: { packets: 4, messages: 2, connections: 1 },
      wholeFile: true,
    });
  });

  test.each(Object.entries(linkTypes).filter(([name]) => name !== 'user0'))(
    'packets of link type %s, over IPv4 and IPv6',
    async (_, linkType) => {
      for (const v6 of [false, true]) {
        const { packets } = new TcpTalk({ client: 40_000, server: 7858, v6 }).handshake().client(hello);
        const file = pcapFile(
          packets.map((packet, index) => at(onLink(linkType, packet), index)),
          { linkType },
        );
        const [first] = await decode(file);
        const address = v6 ? '[::1]' : '127.0.0.1';
        expect(first).toMatchObject({ frame: hello, place: { from: `${address}:40000` } });
      }
    },
  );

  test('a file that ends within a packet is read up to there', async () => {
    for (const make of [pcapFile, pcapngFile]) {
      const file = make(talk().client(hello).client(reading(1)).packets.map(at), { linkType: linkTypes.raw });
      const found = await decode(file.subarray(0, -10));
      expect(story(found)).toEqual([MessageType.CONNECT_TOKEN]);
      expect(describeDecoded(found.at(-1) as Decoded).at(-1)).toBe(
        '  the file ends in the middle of a packet',
      );
    }
  });

  test('a damaged file tells what came before the damage, and then where it is', async () => {
    const file = onRaw(talk().client(hello).packets);
    const broken = concat([file, new Uint8Array(16).fill(0xff)]);
    const found: Decoded[] = [];
    const reading = (async () => {
      for await (const each of decodeCapture(chunked(broken), [7858])) found.push(each);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'HSK-6002', context: { at: file.length } });
    expect(story(found)).toEqual([MessageType.CONNECT_TOKEN]);
    expect(found.at(-1)).toMatchObject({ kind: 'end', wholeFile: false });
  });

  test.each([new Uint8Array(0), utf8('no capture'), Uint8Array.of(0x0a)])(
    'what is no capture is refused',
    async (file) => {
      await expect(decode(file)).rejects.toMatchObject({ code: 'HSK-6002' });
    },
  );
});

describe('TCP', () => {
  const ids = [1, 2, 3, 4, 5, 6];
  const stream = concat([hello, ...ids.map(reading)]);
  const wanted = [MessageType.CONNECT_TOKEN, ...ids];
  /** The stream in segments of 20 bytes, its first sequence number near the wrap. */
  const first = 0xffff_fff0;
  const syn = tcpPacket({ from: 40_000, to: 7858, sequence: first - 1, flags: 'S' });
  const segments = Array.from({ length: Math.ceil(stream.length / 20) }, (_, index) =>
    tcpPacket({
      from: 40_000,
      to: 7858,
      sequence: first + index * 20,
      payload: stream.subarray(index * 20, (index + 1) * 20),
    }),
  );

  test('messages are put together across segments and the wrap of the numbers', async () => {
    expect(story(await decode(onRaw([syn, ...segments])))).toEqual(wanted);
  });

  test('segments out of order and sent again change nothing', async () => {
    const shuffled = [...segments];
    for (let index = 1; index + 3 < shuffled.length; index += 4) {
      shuffled.splice(index, 3, ...shuffled.slice(index, index + 3).toReversed());
    }
    const twice = shuffled.flatMap((segment, index) => (index % 3 === 0 ? [segment, segment] : [segment]));
    expect(story(await decode(onRaw([syn, ...twice, ...segments])))).toEqual(wanted);
  });

  test('a gap is told, and the next whole message is found again', async () => {
    const without = segments.toSpliced(4, 1);
    const found = story(await decode(onRaw([syn, ...without])));
    expect(found[0]).toBe(MessageType.CONNECT_TOKEN);
    const notes = found.filter((each) => typeof each === 'string');
    expect(notes).toEqual([
      expect.stringMatching(/^20 bytes are missing in the capture, \d+ bytes were passed over/),
    ]);
    expect(found.slice(-4)).toEqual([3, 4, 5, 6]);
  });

  test('a gap is told as soon as the other side acknowledges beyond it', async () => {
    const ack = tcpPacket({ from: 7858, to: 40_000, sequence: 1, acknowledged: first + 120 });
    const packets = [syn, ...segments.slice(0, 4), ...segments.slice(5, 6), ack];
    const events = await decode(onRaw(packets));
    const note = events.find(({ kind }) => kind === 'note');
    expect(note).toMatchObject({ place: { time: start + BigInt(packets.length - 1) * 1000n } });
  });

  test('packets that the capture cut leave a gap too', async () => {
    const whole = concat([hello, reading(1), reading(2)]);
    const packets = [
      syn,
      tcpPacket({ from: 40_000, to: 7858, sequence: first, payload: whole }),
      tcpPacket({
        from: 40_000,
        to: 7858,
        sequence: first + whole.length,
        payload: concat([reading(3), reading(4)]),
      }),
    ];
    const cut = packets.map((bytes, index) => ({
      ...at(index === 1 ? bytes.subarray(0, 40 + hello.length + 12) : bytes, index),
      originalLength: bytes.length,
    }));
    const found = story(await decode(pcapFile(cut, { linkType: linkTypes.raw })));
    expect(found).toEqual([MessageType.CONNECT_TOKEN, expect.stringMatching(/missing/), 3, 4]);
  });

  test('a capture that joins in the middle finds the first whole message', async () => {
    const found = story(await decode(onRaw(segments.slice(4))));
    expect(found).toEqual(
      [expect.stringMatching(/^\d+ bytes were passed over/), 3, 4, 5, 6].slice(-found.length),
    );
    expect(found.at(-1)).toBe(6);
  });

  test('a session at another port is known by how it begins, anything else is counted', async () => {
    const ours = new TcpTalk({ client: 40_000, server: 9999 }).handshake().client(hello).server(welcome);
    const notOurs = new TcpTalk({ client: 40_001, server: 9999 }).handshake().client(utf8('SSH-2.0-x'));
    const alike = new TcpTalk({ client: 40_002, server: 9999 })
      .handshake()
      .client(Uint8Array.of(0, 1, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    const found = await decode(onRaw([...ours.packets, ...notOurs.packets, ...alike.packets]));
    expect(story(found)).toEqual([MessageType.CONNECT_TOKEN, MessageType.CONNACK_SUCCESS]);
    expect(ignoredIn(found)).toEqual({ 'TCP connections of other protocols': 2 });
  });

  test('a second connection of the same ports is another one', async () => {
    const again = new TcpTalk({ client: 40_000, server: 7858, sequence: 700_000 }).handshake().client(hello);
    const found = await decode(onRaw([...talk().client(hello.subarray(0, 9)).packets, ...again.packets]));
    expect(story(found)).toEqual([expect.stringMatching(/^9 bytes/), MessageType.CONNECT_TOKEN]);
  });

  test('TLS is said to be encrypted', async () => {
    const { packets } = new TcpTalk({ client: 40_000, server: 8858 })
      .handshake()
      .client(Uint8Array.of(22, 3, 1, 0, 4, 1, 2, 3, 4))
      .server(Uint8Array.of(22, 3, 3, 0, 4, 1, 2, 3, 4));
    const found = await decode(onRaw(packets));
    expect(story(found)).toEqual(['TLS: this connection is encrypted, nothing of it can be read']);
    expect(ignoredIn(found)).toEqual({ 'TCP connections encrypted with TLS': 1 });
  });
});

const open = (): TcpTalk =>
  new TcpTalk({ client: 40_000, server: 8080 })
    .handshake()
    .client(upgradeRequest())
    .server(upgradeResponse());

describe('WebSocket', () => {
  test('the upgrade and control frames are passed over, masks taken off, fragments joined', async () => {
    const big = encodeMessage(
      publish('t', 2, { content: encodeContent([{ contentType: 0x8001, value: new Uint8Array(900) }]) }),
    );
    const { packets } = open()
      .client(webSocketFrame(hello, { mask: 0x01020304 }))
      .server(webSocketFrame(welcome))
      .client(webSocketFrame(utf8('x'), { opcode: 9, mask: 5 }))
      .client(webSocketFrame(big.subarray(0, 301), { final: false, mask: 0xdeadbeef }))
      .client(webSocketFrame(utf8('y'), { opcode: 10, mask: 6 }))
      .client(webSocketFrame(big.subarray(301), { opcode: 0, mask: 0xcafecafe }))
      .client(webSocketFrame(utf8('{}'), { opcode: 1, mask: 7 }))
      .client(webSocketFrame(concat([reading(3), reading(4)]), { mask: 8 }));
    const found = await decode(onRaw(packets));
    expect(story(found)).toEqual([MessageType.CONNECT_TOKEN, MessageType.CONNACK_SUCCESS, 2, 3, 4]);
    expect(found[0]).toMatchObject({ place: { transport: 'websocket', sender: 'client' } });
    expect(ignoredIn(found)).toEqual({ 'WebSocket messages that are not binary': 1 });
  });

  test('a header cut by segments is put together', async () => {
    const bytes = concat([webSocketFrame(hello, { mask: 9 }), webSocketFrame(reading(1), { mask: 77 })]);
    const conversation = open();
    for (const byte of bytes) conversation.client(Uint8Array.of(byte));
    expect(story(await decode(onRaw(conversation.packets)))).toEqual([MessageType.CONNECT_TOKEN, 1]);
  });

  test('after a gap it goes on at a segment that begins with a frame', async () => {
    const { packets } = open()
      .client(webSocketFrame(hello, { mask: 9 }))
      .client(webSocketFrame(reading(1), { mask: 1 }))
      .client(webSocketFrame(reading(2), { mask: 2 }))
      .client(webSocketFrame(reading(3), { mask: 3 }));
    const found = story(await decode(onRaw(packets.toSpliced(5, 1))));
    expect(found).toEqual([MessageType.CONNECT_TOKEN, expect.stringMatching(/missing/), 2, 3]);
  });

  test('a gap within a frame leaves the next frame in step', async () => {
    const frame = webSocketFrame(concat([reading(1), reading(2)]), { mask: 4 });
    const { packets } = open()
      .client(webSocketFrame(hello, { mask: 9 }))
      .client(frame.subarray(0, 20))
      .client(frame.subarray(20, 40))
      .client(frame.subarray(40))
      .client(webSocketFrame(reading(3), { mask: 3 }));
    const found = story(await decode(onRaw(packets.toSpliced(6, 1))));
    expect(found).toEqual([MessageType.CONNECT_TOKEN, expect.stringMatching(/^20 bytes are missing/), 2, 3]);
  });

  test('another sub-protocol at another port is not ours', async () => {
    const { packets } = new TcpTalk({ client: 40_000, server: 8080 })
      .handshake()
      .client(upgradeRequest('mqtt'))
      .server(upgradeResponse('mqtt'))
      .client(webSocketFrame(hello, { mask: 9 }));
    const found = await decode(onRaw(packets));
    expect(story(found)).toEqual([]);
    expect(ignoredIn(found)).toEqual({ 'TCP connections of other protocols': 1 });
  });
});

describe('UDP', () => {
  const connectionId = Uint8Array.of(1, 2, 3);
  const key = new Uint8Array(24).fill(7);
  const ticket = encodeMessage({
    type: MessageType.UDP_TICKET,
    timestamp: 0,
    requestId: 1,
    connectionId,
    key,
    port: 5000,
  });
  const probe = encodeMessage({ type: MessageType.UDP_PROBE, timestamp: 0, connectionId });
  const bestEffort = encodeMessage(publish('bed-1/temperature', undefined));

  test('where the ticket was captured the messages are told', async () => {
    const client = new DatagramChannel({ side: 'client', connectionId, key });
    const server = new DatagramChannel({ side: 'server', connectionId, key });
    const { packets } = talk().client(hello).server(ticket);
    const found = await decode(
      onRaw([
        ...packets,
        udpPacket(40_000, 5000, client.seal(concat([probe, bestEffort]))),
        udpPacket(5000, 40_000, server.seal(bestEffort)),
      ]),
    );
    expect(story(found).slice(2)).toEqual([MessageType.UDP_PROBE, MessageType.PUBLISH, MessageType.PUBLISH]);
    expect(found.slice(2)).toMatchObject([
      { place: { transport: 'udp', sender: 'client' } },
      { place: { transport: 'udp', sender: 'client' } },
      { place: { transport: 'udp', sender: 'server', from: '127.0.0.1:5000' } },
      { kind: 'end' },
    ]);
  });

  test('of another datagram the header is told', async () => {
    const client = new DatagramChannel({ side: 'client', connectionId, key });
    const sealed = client.seal(probe);
    const cut = { ...at(udpPacket(40_000, 7858, sealed), 3), originalLength: 28 + sealed.length + 4 };
    const packets = [
      at(udpPacket(40_000, 7858, sealed), 0),
      at(udpPacket(7858, 40_000, sealed.subarray(0, 9)), 1),
      at(udpPacket(53, 40_000, utf8('who')), 2),
      { ...cut, bytes: cut.bytes.subarray(0, 40) },
    ];
    const found = await decode(pcapFile(packets, { linkType: linkTypes.raw }));
    expect(found[0] && describeDecoded(found[0])).toEqual([
      `2026-01-02T03:04:05.123456000Z udp 127.0.0.1:40000 > 127.0.0.1:7858 (client): encrypted datagram (${probe.length} bytes of payload)`,
      '  connectionId: 010203 (3 bytes)',
      '  packetNumber: 1',
      `  tag: ${Buffer.from(sealed.subarray(-8)).toString('hex')} (8 bytes)`,
    ]);
    expect(ignoredIn(found)).toEqual({
      'UDP datagrams of our ports that are none of ours': 1,
      'UDP datagrams of other ports': 1,
      'UDP datagrams that the capture cut': 1,
    });
  });
});

describe('serial', () => {
  const frames = [Uint8Array.of(0x90, 5, 0xca, 0xfe), reading(1)];

  test('frames of a capture of link type USER0, and what is wrong with one', async () => {
    const broken = encodeSerialFrame(Uint8Array.of(0xd0));
    broken[1] = (broken[1] ?? 0) ^ 1;
    const packets = [
      concat(frames.map(encodeSerialFrame)),
      broken,
      encodeSerialFrame(reading(2)).subarray(0, -1),
    ];
    const found = await decode(pcapFile(packets.map(at), { linkType: linkTypes.user0 }));
    expect(found).toMatchObject([
      { kind: 'frame', frame: frames[0], place: { transport: 'serial', time: start } },
      { kind: 'frame', frame: frames[1] },
      { kind: 'note', text: '5 bytes were passed over: crc' },
      { kind: 'frame', frame: reading(2) },
      { kind: 'end' },
    ]);
  });

  test.each(['binary', 'hex'])('a log in %s tells the offset of each frame', async (form) => {
    const line = concat([Uint8Array.of(7, 7, 0), ...frames.map(encodeSerialFrame), Uint8Array.of(9)]);
    const file =
      form === 'hex'
        ? utf8(
            Buffer.from(line)
              .toString('hex')
              .replaceAll(/(.{7})/g, '$1\n'),
          )
        : line;
    const found: Decoded[] = [];
    for await (const each of decodeLine(serialLogBytes(chunked(file, 10)))) found.push(each);
    expect(found).toMatchObject([
      { kind: 'note', place: { offset: 0 }, text: '3 bytes were passed over: leading' },
      { kind: 'frame', frame: frames[0], place: { transport: 'serial', offset: 3 } },
      { kind: 'frame', frame: frames[1], place: { offset: 11 } },
      { kind: 'note', text: '1 bytes were passed over: open' },
      { kind: 'end' },
    ]);
  });

  test('a log that stops being hex is refused', async () => {
    const bytes = serialLogBytes(chunked(utf8('00ff00 zz'), 5));
    expect(await bytes.next()).toMatchObject({ done: false });
    await expect(bytes.next()).rejects.toMatchObject({ code: 'HSK-6002' });
  });
});

describe('what is printed', () => {
  test('one line with time, medium, addresses and direction, then the fields', async () => {
    const [first] = await decode(onRaw(talk().client(hello).packets));
    expect(first && describeDecoded(first)).toEqual([
      `2026-01-02T03:04:05.123458000Z tcp 127.0.0.1:40000 > 127.0.0.1:7858 (client): CONNECT_TOKEN (long form, type 0x0001, ${hello.length} bytes)`,
      '  timestamp: 0',
      '  token: 736563726574 (6 bytes)',
      '  confirm: false',
      '  aliases: []',
    ]);
  });

  test('as JSON, an object each', async () => {
    const found = await decode(onRaw(talk().client(hello).client(reading(1)).packets));
    const objects: unknown[] = found.map(
      (each) => JSON.parse(JSON.stringify(decodedToJson(each))) as unknown,
    );
    expect(objects).toEqual([
      expect.objectContaining({ type: 'CONNECT_TOKEN' }),
      {
        time: '2026-01-02T03:04:05.123459000Z',
        transport: 'tcp',
        from: '127.0.0.1:40000',
        to: '127.0.0.1:7858',
        sender: 'client',
        form: 'long',
        type: 'PUBLISH',
        bytes: reading(1).length,
        fields: {
          timestamp: 0,
          messageId: 1,
          topic: 'bed-1/temperature',
          retain: false,
          content: [{ type: '0x8001', value: '01' }],
        },
      },
      { summary: { packets: 4, messages: 2, connections: 1, wholeFile: true, ignored: {} } },
    ]);
  });
});
