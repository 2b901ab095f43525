import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import { parseHex, utf8 } from '../../src/base/bytes.ts';
import {
  codeByte,
  type CoapDatagram,
  CoapOption,
  CoapType,
  encodeDatagram,
  parseDatagram,
  uintOf,
  uintOption,
} from '../../src/inlets/coap-datagram.ts';
import { encodeContent } from '../../src/wire/content.ts';
import { CoapGateway, Datagrams, until } from '../support/coap-gateway.ts';

let gateway: CoapGateway;
let device: Datagrams;

async function start(config = {}): Promise<void> {
  gateway = await CoapGateway.open(config);
  device = await Datagrams.open(gateway.port);
}

beforeEach(() => start());

afterEach(async () => {
  device.close();
  await gateway.inlet.close();
});

interface Fields {
  readonly type?: CoapType;
  readonly code?: string;
  readonly messageId?: number;
  readonly path?: readonly string[];
  readonly observe?: number;
  readonly payload?: string;
}

/** A request with the right token. */
function request({
  type = CoapType.CON,
  code = '0.02',
  messageId = 1,
  path = ['node', 'x'],
  observe,
  payload = '',
}: Fields): Uint8Array {
  return encodeDatagram({
    type,
    code: codeByte(code),
    messageId,
    token: Uint8Array.of(0xab),
    options: [
      ...(observe === undefined ? [] : [uintOption(CoapOption.OBSERVE, observe)]),
      ...path.map((level) => ({ number: CoapOption.URI_PATH, value: utf8(level) })),
      { number: CoapOption.URI_QUERY, value: utf8(`t=${gateway.token}`) },
    ],
    payload: utf8(payload),
  });
}

function empty(type: CoapType, messageId: number): Uint8Array {
  const nothing = new Uint8Array(0);
  return encodeDatagram({ type, code: 0, messageId, token: nothing, options: [], payload: nothing });
}

async function take(): Promise<CoapDatagram> {
  return parseDatagram(await device.take());
}

const command = (value: number): Uint8Array =>
  encodeContent([{ contentType: 0x8003, value: Uint8Array.of(0, value) }]);

/** Proves that the gateway still answers. */
async function expectAlive(messageId: number): Promise<void> {
  device.send(request({ messageId, payload: 'alive' }));
  let answer = await take();
  // Repetitions of earlier messages may come in between.
  while (answer.messageId !== messageId) answer = await take();
  expect(answer).toMatchObject({ type: CoapType.ACK, code: codeByte('2.04') });
}

describe('repetitions', () => {
  test('of a request that was answered get the same answer and publish nothing', async () => {
    const bytes = request({ payload: 'once' });
    device.send(bytes);
    const first = await take();
    device.send(bytes);
    device.send(bytes);
    expect([await take(), await take()]).toEqual([first, first]);
    expect(gateway.kept).toHaveLength(1);
  });

  test('of a request that waits for the disk publish nothing', async () => {
    const disk = Promise.withResolvers<void>();
    gateway.disk = () => disk.promise;
    for (let repetition = 0; repetition < 5; repetition += 1) device.send(request({ payload: 'once' }));
    await until(() => gateway.counters.counter('coap_repetitions').value === 4);
    disk.resolve();
    expect(await take()).toMatchObject({ type: CoapType.ACK, code: codeByte('2.04') });
    expect(gateway.kept).toHaveLength(1);
  });

  test('of a request with a separate answer are acknowledged and publish nothing', async () => {
    const disk = Promise.withResolvers<void>();
    gateway.disk = () => disk.promise;
    device.send(request({ payload: 'once' }));
    expect(await take()).toMatchObject({ type: CoapType.ACK, code: 0, messageId: 1 });
    disk.resolve();
    const answer = await take();
    expect(answer).toMatchObject({ type: CoapType.CON, code: codeByte('2.04'), token: Uint8Array.of(0xab) });
    device.send(empty(CoapType.ACK, answer.messageId));
    device.send(request({ payload: 'once' }));
    expect(await take()).toMatchObject({ type: CoapType.ACK, code: 0, messageId: 1 });
    expect(gateway.kept).toHaveLength(1);
  });

  test('of the same number by another device are its own', async () => {
    const other = await Datagrams.open(gateway.port);
    device.send(request({ payload: 'mine' }));
    other.send(request({ payload: 'its' }));
    await until(() => gateway.kept.length === 2);
    expect(gateway.counters.counter('coap_repetitions').value).toBe(0);
    other.close();
  });
});

test('a separate answer that nobody acknowledges is given up and counted, and the gateway goes on', async () => {
  const disk = Promise.withResolvers<void>();
  gateway.disk = () => disk.promise;
  device.send(request({ payload: 'x' }));
  await take();
  disk.resolve();
  await until(() => gateway.dropped('answer-lost') === 1);
  await expectAlive(2);
});

test('more requests than may wait are told to come again', async () => {
  device.close();
  await gateway.inlet.close();
  await start({ pendingRequests: 2 });
  const disk = Promise.withResolvers<void>();
  gateway.disk = () => disk.promise;
  for (let messageId = 1; messageId <= 3; messageId += 1) device.send(request({ messageId, payload: 'x' }));
  const refusal = await take();
  expect(refusal).toMatchObject({ type: CoapType.ACK, code: codeByte('5.03'), messageId: 3 });
  expect(refusal.options).toEqual([uintOption(CoapOption.MAX_AGE, 5)]);
  expect(gateway.dropped('too-many-requests')).toBe(1);
  disk.resolve();
  await until(() => gateway.kept.length === 2);
  await expectAlive(9);
});

describe('malformed datagrams', () => {
  test.each([
    ['nothing', ''],
    ['three bytes', '40 01 00'],
    ['another version', '80 01 00 07'],
    ['a token of 9 bytes', '49 01 00 07 010203040506070809'],
    ['a token that is cut short', '44 01 00 07 0102'],
    ['an option that is cut short', '40 01 00 07 b5 61'],
    ['a reserved option length', '40 01 00 07 bf 61'],
    ['a reserved option number', '40 01 00 07 f1 61'],
    ['a payload marker without payload', '40 02 00 07 b1 61 ff'],
    ['an empty message with bytes', '40 00 00 07 01'],
  ])('%s is counted and, where it asks for an answer, reset', async (_, digits) => {
    const bytes = parseHex(digits) ?? new Uint8Array(0);
    device.send(bytes);
    await until(() => gateway.dropped('malformed') === 1);
    if (bytes.length >= 4 && digits.startsWith('4')) {
      expect(await take()).toMatchObject({ type: CoapType.RST, code: 0, messageId: 7 });
    }
    await expectAlive(1);
  });

  test('a ping is answered with a reset', async () => {
    device.send(empty(CoapType.CON, 0x1234));
    expect(await take()).toMatchObject({ type: CoapType.RST, messageId: 0x1234 });
  });

  test('an option that must be understood and is not is refused', async () => {
    device.send(parseHex('40 02 00 07 51 61') ?? new Uint8Array(0));
    expect(await take()).toMatchObject({ code: codeByte('4.02'), messageId: 7 });
  });

  test('random bytes never stop the gateway', async () => {
    const valid = request({ payload: 'x', observe: 0, code: '0.01' });
    const mutated = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes;
      });
    const headed = fc
      .tuple(fc.constantFrom(0x40, 0x41, 0x50, 0x60, 0x70), fc.uint8Array({ maxLength: 40 }))
      .map(([head, rest]) => Uint8Array.of(head, ...rest));
    const samples = fc.sample(fc.oneof(fc.uint8Array({ maxLength: 60 }), headed, mutated), {
      numRuns: 1500,
      seed: 7252,
    });
    for (const [index, bytes] of samples.entries()) {
      device.send(bytes);
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    await expectAlive(0xfffe);
    expect(gateway.dropped('malformed')).toBeGreaterThan(100);
  });
});

async function observe(type: CoapType = CoapType.CON): Promise<void> {
  device.send(request({ type, code: '0.01', messageId: 100, path: ['node', 'set'], observe: 0 }));
  const first = await take();
  expect(first).toMatchObject({ code: codeByte('2.05'), messageId: 100 });
  expect(first.options.some(({ number }) => number === CoapOption.OBSERVE)).toBe(true);
}

const observers = (): number => gateway.inlet.describe().detail.observers;

describe('notifications', () => {
  test('a reliable one waits until the one before is acknowledged', async () => {
    await observe();
    await gateway.command(command(1));
    await gateway.command(command(2));
    const first = await take();
    expect(first).toMatchObject({ type: CoapType.CON, payload: Uint8Array.of(0, 1) });
    device.send(empty(CoapType.ACK, first.messageId));
    let second = await take();
    // The first may have been repeated before its acknowledgement came.
    while (second.messageId === first.messageId) second = await take();
    expect(second).toMatchObject({
      type: CoapType.CON,
      payload: Uint8Array.of(0, 2),
      token: Uint8Array.of(0xab),
    });
    device.send(empty(CoapType.ACK, second.messageId));
    const order = [first, second].map(({ options }) => uintOf(options[0]?.value ?? new Uint8Array(0)));
    expect(order[1]).toBeGreaterThan(order[0] ?? Infinity);
  });

  test('an observer by a non-confirmable request gets reliable ones confirmable too', async () => {
    await observe(CoapType.NON);
    await gateway.command(command(1));
    expect(await take()).toMatchObject({ type: CoapType.CON, payload: Uint8Array.of(0, 1) });
  });

  test('best-effort ones are not confirmable, paced, and only the newest waits', async () => {
    await observe();
    for (let value = 1; value <= 10; value += 1) await gateway.command(command(value), false);
    expect(await take()).toMatchObject({ type: CoapType.NON, payload: Uint8Array.of(0, 1) });
    expect(await take()).toMatchObject({ type: CoapType.NON, payload: Uint8Array.of(0, 10) });
    expect(gateway.dropped('conflated')).toBe(8);
  });

  test.each([CoapType.CON, CoapType.NON])('a reset ends the observation (%i)', async (type) => {
    await observe();
    await gateway.command(command(1), type === CoapType.CON);
    const notification = await take();
    expect(notification.type).toBe(type);
    device.send(empty(CoapType.RST, notification.messageId));
    await until(() => observers() === 0);
  });

  test('a registration with the same token replaces the one before; Observe 1 ends it', async () => {
    await observe();
    device.send(request({ code: '0.01', messageId: 101, path: ['node', 'set'], observe: 0 }));
    await take();
    expect(observers()).toBe(1);
    device.send(request({ code: '0.01', messageId: 102, path: ['node', 'set'], observe: 1 }));
    await take();
    expect(observers()).toBe(0);
  });

  test('what waits for one observer is bounded', async () => {
    await observe();
    for (let value = 0; value < 40; value += 1) await gateway.command(command(value));
    expect(gateway.dropped('observer-queue-full')).toBe(40 - 1 - 32);
  });

  test('of too many observers the one unheard for longest goes', async () => {
    device.close();
    await gateway.inlet.close();
    await start({ observers: 1 });
    await observe();
    const other = await Datagrams.open(gateway.port);
    other.send(request({ code: '0.01', messageId: 1, path: ['node', 'set'], observe: 0 }));
    await other.take();
    expect(observers()).toBe(1);
    await gateway.command(command(1));
    expect(parseDatagram(await other.take()).type).toBe(CoapType.CON);
    other.close();
  });

  test('one that is longer than a datagram is dropped and counted', async () => {
    await observe();
    await gateway.command(encodeContent([{ contentType: 0x8000, value: new Uint8Array(2000) }]));
    expect(gateway.dropped('notification-too-long')).toBe(1);
  });
});

test('a port that is taken is an error with a cure', async () => {
  const second = new CoapGateway({ port: gateway.port });
  await expect(second.inlet.open()).rejects.toMatchObject({ code: 'HSK-4002' });
});

test('nothing is listened to after close, and late answers are no error', async () => {
  const disk = Promise.withResolvers<void>();
  gateway.disk = () => disk.promise;
  device.send(request({ payload: 'x' }));
  await until(() => gateway.inlet.describe().detail.pending === 1);
  await gateway.inlet.close();
  disk.resolve();
  await until(() => gateway.kept.length === 1);
  expect(gateway.inlet.describe().state).toBe('closed');
  expect(device.received).toHaveLength(0);
});
