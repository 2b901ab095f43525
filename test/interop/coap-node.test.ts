import { once } from 'node:events';
import { Agent, type CoapRequestParams, type IncomingMessage, type ObserveReadStream } from 'coap';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { encodeContent } from '../../src/wire/content.ts';
import { CoapGateway, until } from '../support/coap-gateway.ts';

let gateway: CoapGateway;
let agent: Agent;

beforeEach(async () => {
  gateway = await CoapGateway.open({ ackTimeoutMs: 200, maxRetransmit: 2 });
  agent = new Agent({ type: 'udp6' });
});

afterEach(async () => {
  await gateway.inlet.close();
  agent.close();
});

interface Asked extends Omit<CoapRequestParams, 'agent'> {
  readonly payload?: Uint8Array | string;
  readonly format?: number;
  readonly token65000?: string;
}

async function ask({ payload = '', format, token65000, ...params }: Asked): Promise<IncomingMessage> {
  const request = agent.request({
    hostname: '::1',
    port: gateway.port,
    query: token65000 === undefined ? `t=${gateway.token}` : '',
    ...params,
  });
  if (format !== undefined) request.setOption('Content-Format', Buffer.of(format));
  if (token65000 !== undefined) request.setOption('65000', Buffer.from(token65000));
  request.end(Buffer.from(payload));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

const command = (tenths: number): Uint8Array =>
  encodeContent([{ contentType: 0x8003, value: Uint8Array.of(tenths >> 8, tenths) }]);

describe('publishing', () => {
  test('10.1: a confirmable POST is answered 2.04 when it is on disk', async () => {
    const response = await ask({ method: 'POST', pathname: '/node/x', payload: 'hello' });
    expect(response.code).toBe('2.04');
    expect(gateway.kept).toMatchObject([{ topic: 'node/x', reliable: true, origin: { clientId: 'node' } }]);
    expect(gateway.kept[0]?.content).toEqual(encodeContent([{ contentType: 0x8000, value: utf8('hello') }]));
  });

  test('a slow disk is waited for with a separate answer, and the request is published once', async () => {
    const disk = Promise.withResolvers<void>();
    gateway.disk = () => disk.promise;
    const answer = ask({ method: 'PUT', pathname: '/node/x', payload: 'slow' });
    let answered = false;
    void answer.then(() => (answered = true));
    await until(() => gateway.counters.counter('coap_repetitions').value > 0);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(answered).toBe(false);
    disk.resolve();
    expect((await answer).code).toBe('2.04');
    expect(gateway.kept).toHaveLength(1);
  });

  test('a disk that fails is told as 5.00', async () => {
    gateway.disk = () => Promise.reject(new Error('disk on fire'));
    const response = await ask({ method: 'POST', pathname: '/node/x', payload: 'x' });
    expect(response.code).toBe('5.00');
    expect(response.payload.toString()).not.toContain('fire');
  });

  test('no room is told as 5.03 with the time to wait', async () => {
    gateway.full = true;
    const response = await ask({ method: 'POST', pathname: '/node/x', payload: 'x' });
    expect(response.code).toBe('5.03');
    expect(response.headers['Max-Age']).toBe(5);
  });

  test('10.1: a non-confirmable POST is best effort', async () => {
    const response = await ask({ method: 'POST', pathname: '/node/x', payload: 'x', confirmable: false });
    expect(response.code).toBe('2.04');
    expect(gateway.kept).toMatchObject([{ reliable: false }]);
  });

  test('10.4: JSON, CBOR, text and octets are the same reading', async () => {
    await ask({ method: 'POST', pathname: '/node/temperature', payload: '21.5', format: 0 });
    await ask({
      method: 'POST',
      pathname: '/node/temperature',
      payload: Uint8Array.of(0x08, 0x66),
      format: 42,
    });
    await ask({ method: 'POST', pathname: '/node/temperature', payload: '{"temperature":21.5}', format: 50 });
    await ask({
      method: 'POST',
      pathname: '/node/temperature',
      payload: Uint8Array.of(0xf9, 0x4d, 0x60),
      format: 60,
    });
    const reading = encodeContent([{ contentType: 0x8001, value: Uint8Array.of(0x08, 0x66) }]);
    expect(gateway.kept.map(({ content }) => content)).toEqual([reading, reading, reading, reading]);
  });

  test('10.5: a number of the device is part of the identity, and is published once', async () => {
    for (const payload of ['a', 'b']) {
      const query = `t=${gateway.token}&id=7&age=60000`;
      expect((await ask({ method: 'POST', pathname: '/node/x', query, payload })).code).toBe('2.04');
    }
    expect(gateway.kept).toMatchObject([{ origin: { clientId: 'node', messageId: 7 } }]);
    expect(Date.now() - (gateway.kept[0]?.taken.at ?? 0)).toBeGreaterThanOrEqual(60_000);
  });
});

describe('refusals', () => {
  test.each([
    ['no token', '4.01', { method: 'POST', pathname: '/node/x', query: '' }],
    ['a wrong token', '4.01', { method: 'GET', pathname: '/node/x', query: 't=guess' }],
    ['a topic that is not allowed', '4.03', { method: 'POST', pathname: '/other/x' }],
    ['no value yet', '4.04', { method: 'GET', pathname: '/node/never' }],
    ['a method that is not offered', '4.05', { method: 'DELETE', pathname: '/node/x' }],
    ['a wildcard', '4.00', { method: 'POST', pathname: '/node/+' }],
    ['no topic', '4.00', { method: 'POST', pathname: '/' }],
    ['a number that is none', '4.00', { method: 'POST', pathname: '/node/x', query: 't=node-secret&id=0' }],
    [
      'bytes that do not fit the layout',
      '4.00',
      { method: 'POST', pathname: '/node/climate', payload: 'four' },
    ],
    [
      'a format that is not offered',
      '4.15',
      { method: 'POST', pathname: '/node/x', payload: 'x', format: 40 },
    ],
    [
      'a payload of several datagrams',
      '4.13',
      { method: 'POST', pathname: '/node/x', payload: 'x'.repeat(1100) },
    ],
  ] as const)('%s gets %s', async (_, code, asked) => {
    const response = await ask(asked);
    expect(response.code).toBe(code);
    expect(gateway.kept).toHaveLength(0);
  });

  test('10.3: the token is taken from option 65000 too', async () => {
    const response = await ask({
      method: 'POST',
      pathname: '/node/x',
      payload: 'x',
      token65000: gateway.token,
    });
    expect(response.code).toBe('2.04');
  });
});

describe('reading', () => {
  test('10.2: GET gives the last value in the format that is accepted', async () => {
    await ask({ method: 'POST', pathname: '/node/climate', payload: Uint8Array.of(0x08, 0x66, 40) });
    const octets = await ask({ pathname: '/node/climate' });
    expect([octets.code, octets.payload]).toEqual(['2.05', Buffer.of(0x08, 0x66, 40)]);
    const json = await ask({ pathname: '/node/climate', accept: 'application/json' });
    expect(JSON.parse(json.payload.toString())).toEqual({ temperature: 21.5, humidity: 40 });
    expect((await ask({ pathname: '/node/climate', accept: 'text/plain' })).code).toBe('4.06');
  });

  test('a long value comes in blocks', async () => {
    const value = Buffer.alloc(5000, 'long ');
    await gateway.command(encodeContent([{ contentType: 0x8000, value }]));
    const response = await ask({ pathname: '/node/set' });
    expect(Buffer.compare(response.payload, value)).toBe(0);
  });
});

async function observe(): Promise<{ readonly stream: ObserveReadStream; readonly got: number[] }> {
  const stream = (await ask({ pathname: '/node/set', observe: true })) as unknown as ObserveReadStream;
  const got: number[] = [];
  stream.on('data', (bytes: Buffer) => {
    if (bytes.length > 0) got.push(bytes.readInt16BE());
  });
  return { stream, got };
}

describe('observing', () => {
  test('10.2: commands reach the device one by one, in order, and are acknowledged', async () => {
    const { stream, got } = await observe();
    for (const tenths of [210, 215, 220]) await gateway.command(command(tenths));
    await until(() => got.length === 3);
    expect(got).toEqual([210, 215, 220]);
    stream.close();
  });

  test('who registers first gets the last value', async () => {
    await gateway.command(command(190));
    const { stream, got } = await observe();
    await until(() => got.length === 1);
    expect(got).toEqual([190]);
    stream.close();
  });

  test('a device that is gone is noticed and forgotten', async () => {
    await observe();
    expect(gateway.inlet.describe().detail.observers).toBe(1);
    agent.close();
    await gateway.command(command(210));
    await until(() => gateway.inlet.describe().detail.observers === 0, 10_000);
    expect(gateway.dropped('observer-gone')).toBe(1);
  });

  test('an observer without a token is refused', async () => {
    expect((await ask({ pathname: '/node/set', observe: true, query: '' })).code).toBe('4.01');
    expect(gateway.inlet.describe().detail.observers).toBe(0);
  });
});
