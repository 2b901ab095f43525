import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';
import { type Decoded, decodeCapture, decodeLine } from '../../src/cli/capture/decode-capture.ts';
import { serialLogBytes } from '../../src/cli/capture/serial-log.ts';
import { TcpReassembly } from '../../src/cli/capture/tcp-reassembly.ts';
import { decodedToJson, describeDecoded } from '../../src/cli/describe-capture.ts';
import { encodeMessage } from '../../src/wire/long-form.ts';
import {
  chunked,
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
} from '../support/capture-builder.ts';
import { connectToken, publish } from '../support/peer.ts';
import { message } from '../support/wire-arbitraries.ts';

const time = 1_767_323_045_000_000_000n;
const hello = encodeMessage(connectToken('secret'));

/** Decodes and prints to the end; the only error that may come is that the file is no good. */
async function readThrough(decoded: AsyncIterable<Decoded>): Promise<Decoded[]> {
  const found: Decoded[] = [];
  try {
    for await (const each of decoded) {
      found.push(each);
      expect(describeDecoded(each).length).toBeGreaterThan(0);
      expect(JSON.stringify(decodedToJson(each))).toMatch(/^\{/);
    }
  } catch (error) {
    if (!(error instanceof HashikeError) || error.code !== 'HSK-6002') throw error;
  }
  return found;
}

/** A capture with a little of everything, to be damaged. */
const samples: readonly Uint8Array[] = (() => {
  const reading = encodeMessage(publish('bed-1/temperature', 1));
  const tcp = new TcpTalk({ client: 40_000, server: 7858 })
    .handshake()
    .client(hello)
    .client(reading)
    .server(reading);
  const webSocket = new TcpTalk({ client: 40_001, server: 7858 })
    .handshake()
    .client(upgradeRequest())
    .server(upgradeResponse())
    .client(webSocketFrame(hello, { mask: 7 }))
    .client(webSocketFrame(reading.subarray(0, 9), { mask: 8, final: false }))
    .client(webSocketFrame(reading.subarray(9), { mask: 8, opcode: 0 }));
  const v6 = new TcpTalk({ client: 40_002, server: 7858, v6: true }).handshake().client(hello);
  const udp = udpPacket(40_000, 7858, new Uint8Array(30).fill(0xc5));
  const packets = [...tcp.packets, ...webSocket.packets, ...v6.packets, udp];
  return Object.values(linkTypes).flatMap((linkType) => {
    const captured = packets.map((packet) => ({ time, bytes: onLink(linkType, packet) }));
    return [pcapFile(captured, { linkType }), pcapngFile(captured, { linkType, littleEndian: false })];
  });
})();

const damage = fc.array(fc.record({ at: fc.nat(5000), byte: fc.nat(255) }), { maxLength: 12 });

describe('captures', () => {
  test('any bytes, and any damage to a good file: told or refused, never a crash', async () => {
    const file = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .record({
          sample: fc.constantFrom(...samples),
          damage,
          cut: fc.nat(200),
        })
        .map(({ sample, damage, cut }) => {
          const bytes = sample.slice(0, sample.length - cut);
          for (const { at, byte } of damage) bytes[at % bytes.length] = byte;
          return bytes;
        }),
    );
    await fc.assert(
      fc.asyncProperty(file, fc.integer({ min: 1, max: 5000 }), async (bytes, size) => {
        const found = await readThrough(decodeCapture(chunked(bytes, size), [7858]));
        // Nothing at all comes of what is no capture.
        expect(found.at(-1)?.kind ?? 'end').toBe('end');
      }),
      { numRuns: 3000 },
    );
  });

  test('any payloads on TCP, UDP and a serial line are told, never a crash', async () => {
    const packet = fc.oneof(
      fc.uint8Array({ maxLength: 80 }).map((payload) => udpPacket(7858, 40_000, payload)),
      fc
        .record({
          sequence: fc.oneof(fc.nat(200), fc.nat(0xffff_ffff)),
          acknowledged: fc.nat(400),
          flags: fc.constantFrom('', '', '', 'S', 'F', 'R'),
          payload: fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(hello, upgradeRequest())),
          reverse: fc.boolean(),
        })
        .map(({ reverse, ...rest }) =>
          tcpPacket({ ...rest, from: reverse ? 7858 : 40_000, to: reverse ? 40_000 : 7858 }),
        ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { maxLength: 20 }), async (packets) => {
        const file = pcapFile(
          packets.map((bytes) => ({ time, bytes })),
          { linkType: linkTypes.raw },
        );
        const found = await readThrough(decodeCapture(chunked(file), [7858]));
        expect(found.at(-1)).toMatchObject({
          kind: 'end',
          wholeFile: true,
          summary: { packets: packets.length },
        });
      }),
      { numRuns: 2000 },
    );
  });

  test('any serial log is told or refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 200 }),
        async (bytes, size) => {
          await readThrough(decodeLine(serialLogBytes(chunked(bytes, size))));
          const [last] = (await readThrough(decodeLine(chunked(bytes, size)))).slice(-1);
          expect(last?.kind).toBe('end');
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('messages arrive whole whatever the segments, their order and their repetitions', async () => {
    const plan = fc.record({
      messages: fc.array(message, { minLength: 1, maxLength: 6 }),
      cuts: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
      order: fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }),
      first: fc.nat(0xffff_ffff),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ messages, cuts, order, first }) => {
        const frames = [hello, ...messages.map(encodeMessage)];
        const stream = concat(frames);
        const segments: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const length = cuts[turn % cuts.length] ?? 1;
          const sequence = (first + 1 + at) >>> 0;
          segments.push(
            tcpPacket({ from: 40_000, to: 7858, sequence, payload: stream.subarray(at, at + length) }),
          );
          at += length;
        }
        // Some in disorder, some twice, and in the end everything once more.
        const disorder = order.flatMap((index) => segments.slice(index % segments.length).slice(0, 1));
        const syn = tcpPacket({ from: 40_000, to: 7858, sequence: first, flags: 'S' });
        const packets = [syn, ...disorder, ...segments].map((bytes) => ({ time, bytes }));
        const found = await readThrough(
          decodeCapture(chunked(pcapFile(packets, { linkType: linkTypes.raw })), [7858]),
        );
        expect(found.flatMap((each) => (each.kind === 'frame' ? [each.frame] : []))).toEqual(frames);
        expect(found.filter(({ kind }) => kind === 'note')).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

function segment(sequence: number, length: number): Parameters<TcpReassembly['take']>[0] {
  return {
    kind: 'tcp',
    from: '',
    to: '',
    fromPort: 1,
    toPort: 2,
    sequence,
    acknowledged: undefined,
    syn: false,
    rst: false,
    payload: new Uint8Array(length),
    payloadLength: length,
  };
}

describe('memory', () => {
  test('a segment that never comes is given up when a megabyte waits for it', () => {
    const together = { bytes: 0 };
    const gaps: number[] = [];
    let fed = 0;
    const stream = new TcpReassembly(
      { feed: (bytes) => void (fed += bytes.length), gap: (bytes) => void gaps.push(bytes) },
      together,
    );
    stream.take(segment(0, 10));
    let most = 0;
    for (let index = 0; index < 300; index += 1) {
      stream.take(segment(1000 + index * 10_000, 10_000));
      most = Math.max(most, together.bytes);
    }
    expect(gaps).toEqual([990]);
    expect(most).toBeLessThanOrEqual(1_048_576);
    expect(together.bytes).toBe(0);
    expect(fed).toBe(10 + 300 * 10_000);
  });
});
