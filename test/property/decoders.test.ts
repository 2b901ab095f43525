import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Malformed } from '../../firmware-sim/codec/bytes.ts';
import { Deframer } from '../../firmware-sim/codec/framing.ts';
import { decodeLong } from '../../firmware-sim/codec/long-form.ts';
import { decodeShort as decodeNodeShort } from '../../firmware-sim/codec/short-form.ts';
import { hex, sameBytes } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';
import { parseDatagram } from '../../src/inlets/coap-datagram.ts';
import { decodeRecord, encodeRecord } from '../../src/spool/record-codec.ts';
import { readBatch } from '../../src/wire/batch.ts';
import { cobsDecode } from '../../src/wire/cobs.ts';
import { contentSections } from '../../src/wire/content.ts';
import { messagesIn, readDatagram } from '../../src/wire/datagram.ts';
import { DatagramChannel } from '../../src/wire/datagram-channel.ts';
import { compactContent, expandContent } from '../../src/wire/layout.ts';
import { decodeMessage, encodeMessage, LongFormDelimiter } from '../../src/wire/long-form.ts';
import type { LayoutEntry } from '../../src/wire/message.ts';
import { MESSAGE_HEADER_BYTES, ShortKind } from '../../src/wire/numbers.ts';
import { PublishView } from '../../src/wire/publish-view.ts';
import { SerialDeframer } from '../../src/wire/serial-frame.ts';
import { decodeShort, encodeShort } from '../../src/wire/short-form.ts';
import { Mutants } from '../support/mutants.ts';
import { publicationOf } from '../support/publications.ts';
import { bytesOf, readVectors } from '../support/wire-vectors.ts';

/** HASHIKE_FUZZ_INPUTS: how many for each decoder of the protocol, a part of that for the others. HASHIKE_FUZZ_SEED: others than always. */
const inputs = Number(process.env['HASHIKE_FUZZ_INPUTS'] ?? 1_000_000);
const seed = Number(process.env['HASHIKE_FUZZ_SEED'] ?? 1);
/** A slow machine needs 20 µs for an input. */
const timeout = 60_000 + inputs / 5;
/** Longer ones tell nothing that shorter ones do not. */
const MAX_SAMPLE_BYTES = 200;

/** The byte strings of a file of vectors, right and wrong. */
function samples(file: string, field: string): readonly Uint8Array[] {
  return (readVectors(file) as readonly unknown[])
    .map((vector) => (vector as Readonly<Record<string, unknown>>)[field])
    .filter((digits) => typeof digits === 'string')
    .map(bytesOf)
    .filter(({ length }) => length <= MAX_SAMPLE_BYTES);
}

const long = samples('long-form.json', 'hex');
const short = samples('short-form.json', 'hex');
const lines = samples('serial.json', 'line').map((line) => Uint8Array.of(...line, 0));
const streams = [...long, ...samples('stream.json', 'hex')];
const layouts: readonly (readonly LayoutEntry[])[] = [
  [],
  [{ contentType: 0x8001, length: 2 }],
  [
    { contentType: 0x8001, length: 4 },
    { contentType: 0x8002, length: 0 },
  ],
];

/** Whether `decode` takes it; throws on what is neither taken nor refused with a typed error. */
function takes(decode: () => void): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if ((error instanceof HashikeError && error.fault !== 'bug') || error instanceof Malformed) return false;
    throw error;
  }
}

/** A long-form message whose header tells its length: only then is looked at what is wrong within. */
function mended(message: Uint8Array): Uint8Array {
  const whole = message.subarray(0, message.length & ~3);
  const payload = whole.length - MESSAGE_HEADER_BYTES;
  if (payload >= 0) whole.set([payload >> 8, payload & 0xff], 2);
  return whole;
}

function mustBe(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

type Look = (input: Uint8Array, index: number) => void;

/** The first input over which `look` stumbles, so that it can be looked at alone. */
function stumblesOver(sources: readonly Uint8Array[], count: number, look: Look): unknown {
  const mutants = new Mutants(sources, seed);
  for (let index = 0; index < count; index += 1) {
    const input = mutants.next();
    try {
      look(input, index);
    } catch (error) {
      return { index, input: hex(input), error };
    }
  }
  return undefined;
}

/** A test that feeds `look` with a share of the inputs. */
function fuzz(name: string, sources: readonly Uint8Array[], look: Look, share = 1): void {
  const count = Math.ceil(inputs * share);
  test(`${name}: ${count} inputs, seed ${seed}`, { timeout }, () => {
    expect(stumblesOver(sources, count, look)).toBeUndefined();
  });
}

describe('of whatever comes, a decoder makes sense or a typed error', () => {
  // Nobody looks at the stacks of a million errors.
  const { stackTraceLimit } = Error;
  beforeAll(() => {
    Error.stackTraceLimit = 0;
  });
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  fuzz('long form, whose sense can be written and read again', long, (input, index) => {
    takes(() => {
      const written = encodeMessage(decodeMessage(index % 4 === 0 ? input : mended(input)));
      mustBe(sameBytes(encodeMessage(decodeMessage(written)), written), 'it reads otherwise what it wrote');
    });
  });

  const view = new PublishView();
  fuzz('byte stream, and plain publishes in it', streams, (input) => {
    takes(() => {
      new LongFormDelimiter({
        maxFrameBytes: 128,
        onRun: (bytes, from, to) => {
          for (let at = from; at < to; at = view.end) if (!view.read(bytes, at)) break;
        },
      }).feed(input);
    });
  });

  fuzz('short form, whose sense can be written and read again', short, (input, index) => {
    takes(() => {
      const frame = decodeShort(input);
      const written = encodeShort(frame);
      mustBe(sameBytes(encodeShort(decodeShort(written)), written), 'it reads otherwise what it wrote');
      if (frame.kind === ShortKind.PUBLISH_BATCH) readBatch(layouts[index % layouts.length] ?? [], frame);
    });
  });

  fuzz('serial line, of which every byte is accounted for', lines, (input) => {
    let accounted = 0;
    const deframer = new SerialDeframer({
      maxFrameBytes: 32,
      handler: {
        frame: ({ length }) => (accounted += length),
        discarded: (_, bytes) => (accounted += bytes),
      },
    });
    deframer.feed(input);
    mustBe(accounted <= input.length, 'more was heard than came');
    mustBe((cobsDecode(input)?.length ?? 0) <= input.length, 'there is more than was stuffed');
  });

  fuzz(
    'content, with a layout and without',
    samples('layout.json', 'sections'),
    (input, index) => {
      const layout = layouts[index % layouts.length] ?? [];
      takes(() => void contentSections(input));
      takes(() => void compactContent(layout, input));
      takes(() => void contentSections(expandContent(layout, input)));
    },
    0.1,
  );

  fuzz(
    'datagram and its payload',
    [...samples('datagram.json', 'datagram'), ...long],
    (input) => {
      takes(() => void readDatagram(input));
      takes(() => void messagesIn(input));
    },
    0.1,
  );

  const connectionId = Uint8Array.of(1, 2);
  const key = new Uint8Array(24).fill(7);
  const client = new DatagramChannel({ side: 'client', connectionId, key });
  const server = new DatagramChannel({ side: 'server', connectionId, key, forgeriesPerKey: Infinity });
  fuzz(
    'sealed datagram',
    long.map((payload) => client.seal(payload)),
    (input) => void takes(() => void messagesIn(server.open(readDatagram(input)).payload)),
    0.1,
  );

  const coap = [
    '40010001',
    '48027d34a1b2c3d4e5f60708b66e6f64652f73657411ff21',
    '5403ab10c1d2e3f4620bc1',
    '6045',
  ];
  fuzz('CoAP', coap.map(bytesOf), (input) => void takes(() => void parseDatagram(input)), 0.1);

  const records = [publicationOf(1), publicationOf(2, { topic: 'a/b', retain: true, expiresAt: 9 })];
  fuzz(
    'record of the spool',
    records.map(encodeRecord),
    (input) => void takes(() => void decodeRecord(input)),
    0.1,
  );

  fuzz('long form of the simulated nodes', long, (input) => void takes(() => void decodeLong(input)), 0.1);
  fuzz(
    'short form of the simulated nodes',
    short,
    (input) => void takes(() => void decodeNodeShort(input)),
    0.1,
  );
  fuzz('serial line of the simulated nodes', lines, (input) => void new Deframer().push(input), 0.1);
});
