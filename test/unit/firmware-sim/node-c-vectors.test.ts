import { afterAll, beforeAll, expect, test } from 'vitest';
import { MessageType } from '../../../src/wire/numbers.ts';
import { decodeMessage } from '../../../src/wire/long-form.ts';
import { make } from '../../../firmware-sim/node-c/make.ts';
import { BUILD_MS, framesOf, Probe } from '../../support/node-c.ts';
import { requires } from '../../support/requires.ts';
import { bytesOf, plainHex, readVectors, toPlain } from '../../support/wire-vectors.ts';

const describe = requires('gcc', 'libc6-dev', 'make', 'flock');

interface Vector {
  readonly name: string;
  readonly hex?: string;
  readonly error?: unknown;
  readonly canonical?: boolean;
  readonly then?: unknown;
}

function vectors<T>(file: string): (Vector & T)[] {
  return readVectors(file) as unknown as (Vector & T)[];
}

const word = (digits: string): string => plainHex(digits) || '-';

describe('the shared vectors in C', () => {
  let probe: Probe;
  beforeAll(() => {
    make('build/probe');
    probe = new Probe();
  }, BUILD_MS);
  afterAll(() => probe[Symbol.asyncDispose]());

  test.each(vectors<{ bytes: string; crc: string }>('crc16.json'))('crc16: $name', async ({ bytes, crc }) => {
    expect(await probe.ask('crc', word(bytes))).toBe(crc);
  });

  test.each(vectors<{ bytes?: string; stuffed: string }>('cobs.json'))('cobs: $name', async (vector) => {
    expect(await probe.ask('unstuff', word(vector.stuffed))).toBe(
      vector.bytes === undefined ? 'error' : word(vector.bytes),
    );
    if (vector.bytes !== undefined && vector.canonical !== false)
      expect(await probe.ask('stuff', word(vector.bytes))).toBe(word(vector.stuffed));
  });

  test.each(vectors<{ frame?: string; line: string; discard?: string }>('serial.json'))(
    'serial: $name',
    async ({ frame, line, discard }) => {
      if (frame !== undefined) expect(await probe.ask('line', word(frame))).toBe(word(line));
      const heard = await probe.ask('receive', word(line));
      // Without an end it is only waited for, and costs the buffer.
      if (!plainHex(line).endsWith('00')) expect(heard).toBe('');
      else if (discard !== undefined) expect(heard).toBe('dropped');
      // A frame that the framing takes and the codec does not is dropped too; those of this file that begin with 0x01 … are no messages.
      else expect(heard).toBe(/^(?:[89a-e]|0023)/v.test(plainHex(frame ?? '')) ? 'frame' : 'dropped');
    },
  );

  test.each(vectors<{ id8: number; expected: number; messageId: number }>('id8.json'))(
    'id8: $name',
    async ({ id8, expected, messageId }) => {
      // A node only asks whether a number is the next one.
      const answer = await probe.ask('short', expected, 0, `91${id8.toString(16).padStart(2, '0')}aa`);
      expect(answer.includes(' numbered')).toBe(messageId === expected);
    },
  );
});

interface ShortFields {
  readonly kind: string;
  readonly alias: number;
  readonly id8: number;
  readonly content: string;
  readonly count: number;
  readonly readings: string;
  readonly pong: boolean;
  readonly echo: number;
  readonly confirmed: boolean;
  readonly credit?: number;
  readonly session16: number;
  readonly answer: boolean;
}

interface ShortVector {
  readonly fields: ShortFields;
  readonly layout?: readonly { readonly length: number }[];
  readonly batch?: readonly { readonly age: number; readonly content: string }[];
}

const two = (value: number): string => value.toString(16).padStart(2, '0');

/** A node knows no layout that the profile declares, so only its application can see that a content is too long (clause 6.1.3). */
const seenByTheApplication = new Set(['batch with a reading too many']);
/** More readings than a node's queue ever holds. */
const tooManyForANode = new Set(['batch of 255']);

describe('the shared vectors of the short form in C', () => {
  let probe: Probe;
  beforeAll(() => {
    make('build/probe');
    probe = new Probe();
  }, BUILD_MS);
  afterAll(() => probe[Symbol.asyncDispose]());

  const all = vectors<ShortVector>('short-form.json');
  const wrong = all.filter(({ error, name }) => error !== undefined && !seenByTheApplication.has(name));
  const right = all.filter(({ error }) => error === undefined);
  const readings = right.filter(({ fields }) => fields.kind.startsWith('PUBLISH'));

  test.each(wrong)('refused: $name', async ({ hex = '', layout }) => {
    const sized = Number(layout?.length === 0);
    expect(await probe.ask('short', 1, sized, word(hex))).toMatch(/^refused/v);
  });

  test.each(right)('taken: $name', async ({ hex = '', fields, layout, batch }) => {
    const { kind, alias, id8, content, credit } = fields;
    const sized = Number(layout !== undefined && (layout.length === 0 || layout.at(-1)?.length === 0));
    const answer = await probe.ask('short', id8 === 0 ? 256 : (id8 ?? 1), sized, word(hex));
    const sent = framesOf(answer.slice(answer.indexOf('sent ') + 5));
    const [first] = batch ?? [];
    switch (kind) {
      case 'PUBLISH':
        expect(answer).toBe(`ok state up alias ${alias} content ${content || '-'} sent -`);
        break;
      case 'PUBLISH_RELIABLE':
        expect(answer).toBe(`ok state up alias ${alias} content ${content || '-'} numbered sent -`);
        break;
      case 'PUBLISH_BATCH':
        // A server's batch holds one reading (clause 6.1.6).
        if (fields.count > 1) expect(answer).toMatch(/^refused/v);
        else
          expect(answer).toBe(`ok state up alias ${alias} content ${first?.content || '-'} numbered sent -`);
        break;
      case 'ACK':
        expect(answer).toBe(
          fields.confirmed
            ? 'ok state up sent -'
            : `ok state up acknowledged${credit === undefined ? '' : ` credit ${credit}`} sent -`,
        );
        break;
      case 'PING':
        expect(sent).toEqual(fields.pong ? [] : [`c1${two(fields.echo)}`]);
        break;
      case 'RESET':
        expect(answer).toBe('ok state rejoining sent -');
        break;
      case 'RESUME':
        expect(fields.session16).toBe(0x0708);
        expect(answer).toMatch(/^ok state up/v);
        // One that answers nothing means nothing.
        expect(sent.map((frame) => frame.slice(0, 6))).toEqual(fields.answer ? [] : ['e10708']);
        break;
      default:
        // The piece with index 255 follows none: it is discarded.
        expect(answer).toMatch(hex.startsWith('f0') ? /^ok/v : /^refused/v);
    }
  });

  test.each(readings.filter(({ canonical, name }) => canonical !== false && !tooManyForANode.has(name)))(
    'written: $name',
    async ({ hex = '', fields, layout, batch }) => {
      const { kind, alias, id8, content } = fields;
      const sized = Number(layout !== undefined && (layout.length === 0 || layout.at(-1)?.length === 0));
      // A batch of one fresh reading is not what a node writes.
      if (batch?.length === 1) return;
      const line = batch
        ? await probe.ask('batch', alias, id8, sized, ...batch.map((one) => `${one.age}:${one.content}`))
        : await probe.ask('publish', Number(kind === 'PUBLISH_RELIABLE'), alias, id8 ?? 0, content || '-');
      expect(framesOf(line)).toEqual([plainHex(hex)]);
    },
  );
});

interface LongFields {
  readonly type: keyof typeof MessageType;
  readonly messageId?: number;
  readonly sessionId: string;
  readonly resumeKey: string;
  readonly keepAlive: number;
  readonly topic?: string;
  readonly aliasId?: number;
  readonly content: string;
}

/** What a server sends (clause 3.3); for a node every other message is a protocol error (3.1.1). */
const toNodes = new Set([
  'CONNACK_SUCCESS',
  'CONNACK_RESUMED',
  'CONNACK_FAILED',
  'CONNACK_FAILED_TOKEN_ERROR',
  'CONNACK_FAILED_SESSION_EXPIRED',
  'CONNACK_FAILED_BUSY',
  'CONNACK_FAILED_VERSION',
  'PUBLISH',
  'ACK',
  'REJECTED',
  'CONFIRMED',
  'PRESENCE_JOINED',
  'PRESENCE_LEFT',
  'SUBSCRIBERS',
  'TIME',
  'PING',
  'PONG',
  'UDP_TICKET',
  'UDP_CONFIRM',
  'ALIAS',
  'DISCONNECT',
]);

/** The values of content sections, without their headers and padding. */
function valuesOf(content: string): string {
  let values = '';
  for (let at = 0; at < content.length;) {
    const length = Number.parseInt(content.slice(at + 4, at + 8), 16);
    values += content.slice(at + 8, at + 8 + 2 * length);
    at += 8 + 8 * Math.ceil(length / 4);
  }
  return values;
}

describe('the shared vectors of the long form in C', () => {
  let probe: Probe;
  beforeAll(() => {
    make('build/probe');
    probe = new Probe();
  }, BUILD_MS);
  afterAll(() => probe[Symbol.asyncDispose]());

  // The others are longer than a node's buffer.
  const all = vectors<{ fields: LongFields }>('long-form.json').filter(({ then }) => then === undefined);
  const right = all.filter(({ error, fields }) => error === undefined && toNodes.has(fields.type));
  const wrong = all.filter((vector) => !right.includes(vector));

  test.each(wrong)('refused: $name', async ({ hex = '' }) => {
    expect(await probe.ask('long', word(hex))).toBe('refused');
  });

  test.each(right)('taken: $name', async ({ hex = '', fields }) => {
    const answer = await probe.ask('long', word(hex));
    const { type, messageId, topic, aliasId, content } = fields;
    expect(answer).toMatch(new RegExp(`^ok type ${MessageType[type]}(?: |$)`, 'v'));
    if (messageId !== undefined) expect(answer).toContain(` id8 ${messageId % 256}`);
    if (type === 'CONNACK_SUCCESS')
      expect(answer).toContain(
        ` session ${fields.sessionId} key ${fields.resumeKey} silence ${Math.floor(fields.keepAlive / 256) % 65_536}`,
      );
    if (type === 'PUBLISH') {
      expect(answer).toContain(topic === undefined ? ` alias ${aliasId}` : ` topic ${topic} `);
      expect(answer).toContain(` content ${valuesOf(content) || '-'}`);
    }
  });

  test('CONNECT_RESUME is written as in the vectors', async () => {
    const vector = right.concat(wrong).find(({ name }) => name === 'CONNECT_RESUME');
    const line = await probe.ask('resume', 42, '0102030405060708', '000102030405060708090a0b0c0d0e0f');
    expect(framesOf(line)).toEqual([plainHex(vector?.hex ?? '')]);
  });

  test('CONNECT_TOKEN and SUBSCRIBE say to the gateway what the node was told', async () => {
    const [token = ''] = framesOf(
      await probe.ask('token', 'secret', 'node-7', 30_000, '1:a/t:800104800201', '200:b:80ff00', '3:room:-'),
    );
    expect(toPlain(decodeMessage(bytesOf(token)))).toMatchObject({
      timestamp: 0,
      token: Buffer.from('secret').toString('hex'),
      clientName: 'node-7',
      keepAlive: 30_000,
      aliases: [
        {
          aliasId: 1,
          topic: 'a/t',
          layout: [
            { contentType: 0x8001, length: 4 },
            { contentType: 0x8002, length: 1 },
          ],
        },
        { aliasId: 200, topic: 'b', layout: [{ contentType: 0x80ff, length: 0 }] },
        { aliasId: 3, topic: 'room' },
      ],
    });
    const [bare = ''] = framesOf(await probe.ask('token', 't', '-', 0));
    expect(toPlain(decodeMessage(bytesOf(bare)))).toMatchObject({ token: '74', keepAlive: 0, aliases: [] });
    const [subscribe = ''] = framesOf(await probe.ask('subscribe', 'a/#', '+/set'));
    expect(toPlain(decodeMessage(bytesOf(subscribe)))).toMatchObject({
      messageId: 1,
      topics: ['a/#', '+/set'],
    });
  });
});
